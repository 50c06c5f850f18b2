//! Secrets as text: random bytes in hexadecimal.

use std::fmt::Write;

use rand::Rng;

pub fn random<const N: usize>() -> String {
    let mut bytes = [0; N];
    // The thread's generator is a cryptographic one, seeded by the operating system.
    rand::rng().fill_bytes(&mut bytes);
    text(&bytes)
}

fn text(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

pub fn parse(text: &str) -> Option<[u8; 32]> {
    let digits = text.as_bytes();
    if digits.len() != 64 || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_survives_its_text() {
        let secret = random::<32>();
        assert_eq!(text(&parse(&secret).unwrap()), secret);
        assert_eq!(parse("zz"), None);
        assert_eq!(parse(&"é".repeat(32)), None);
    }
}
