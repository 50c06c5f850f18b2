//! Random secrets as text.

use data_encoding::HEXLOWER;
use rand::Rng;

/// `N` random bytes in lowercase hexadecimal.
pub fn random<const N: usize>() -> String {
    let mut bytes = [0; N];
    // The thread's generator is a cryptographic one, seeded by the operating system.
    rand::rng().fill_bytes(&mut bytes);
    HEXLOWER.encode(&bytes)
}
