use async_trait::async_trait;
use natter_schemas::id::UserId;

use crate::Result;

/// What a data key seals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyPurpose {
    /// The texts of messages.
    Messages,
    /// The email address and the display name.
    Profile,
}

impl KeyPurpose {
    /// Every one.
    pub const ALL: [Self; 2] = [Self::Messages, Self::Profile];

    /// As stored, and as bound into what wraps the key.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Messages => "messages",
            Self::Profile => "profile",
        }
    }
}

/// A user's own key, wrapped by a root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrappedUserKey {
    /// Which root.
    pub root: String,
    /// As the root wrapped it.
    pub wrapped: Vec<u8>,
}

/// A data key, wrapped by its user's own key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrappedDataKey {
    /// Rises with every new key of the user and purpose.
    pub epoch: u32,
    /// As the user's key wrapped it.
    pub wrapped: Vec<u8>,
}

/// The keys of one user and purpose.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UserKeys {
    /// `None`: not made yet.
    pub own: Option<WrappedUserKey>,
    /// Oldest first.
    pub data: Vec<WrappedDataKey>,
}

/// Keys of users, wrapped. A key that is there is never replaced by another; what wraps it may be. Where one was destroyed
/// ([`ErasureStore`](crate::ErasureStore)) there is none, and none is added.
#[async_trait]
pub trait KeyStore: Send + Sync + 'static {
    /// Of each user, in this order.
    async fn keys(&self, users: &[UserId], purpose: KeyPurpose) -> Result<Vec<UserKeys>>;
    /// Adds a user's key; answers whether there was none.
    async fn add_user_key(&self, user: UserId, key: &WrappedUserKey) -> Result<bool>;
    /// Those after this user's, in an order of the store's own: every key that is there throughout comes once.
    async fn user_keys_after(
        &self,
        after: Option<UserId>,
        most: usize,
    ) -> Result<Vec<(UserId, WrappedUserKey)>>;
    /// The same key, wrapped otherwise; answers whether it was still wrapped as `from`.
    async fn replace_user_key(
        &self,
        user: UserId,
        from: &WrappedUserKey,
        to: &WrappedUserKey,
    ) -> Result<bool>;
    /// Adds a data key; answers whether there was none of its epoch.
    async fn add_data_key(&self, user: UserId, purpose: KeyPurpose, key: &WrappedDataKey) -> Result<bool>;
    /// Removes a data key; answers whether it was there.
    async fn remove_data_key(&self, user: UserId, purpose: KeyPurpose, epoch: u32) -> Result<bool>;
}
