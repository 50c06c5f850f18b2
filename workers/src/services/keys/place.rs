use natter_schemas::id::UserId;
use natter_store::KeyPurpose;

/// The record that a data key is wrapped for.
pub fn place(user: UserId, purpose: KeyPurpose, epoch: u32) -> Vec<u8> {
    let purpose = purpose.name().as_bytes();
    [b"natter data key 1".as_slice(), user.as_bytes(), &epoch.to_be_bytes(), purpose].concat()
}
