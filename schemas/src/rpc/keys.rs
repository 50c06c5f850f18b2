//! Keys that content is sealed with.

use serde::{Deserialize, Serialize};

use crate::id::UserId;

/// Which data key of this user: of the messages, or of the profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct KeyName {
    /// Whose content is sealed with it.
    pub user: UserId,
    /// Rises with every new key of the user; `None`: the newest, which is made if there is none.
    pub epoch: Option<u32>,
}

/// Data keys, in the order of `names`; `None` for one that is not there.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GetDataKeys {
    /// Which, at most [`limits::KEYS_IN_CALL`](crate::limits::KEYS_IN_CALL).
    pub names: Vec<KeyName>,
}

/// Whose profile key is no user's: with it the hashes are made by which sealed addresses and names are found.
pub const NO_USER: UserId = UserId::from_bytes([0; 16]);

/// The same for data keys of profiles, that of [`NO_USER`] among them.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GetProfileKeys {
    /// Which, at most [`limits::KEYS_IN_CALL`](crate::limits::KEYS_IN_CALL).
    pub names: Vec<KeyName>,
}

/// A data key in clear: never logged, never stored.
#[derive(Clone, Serialize, Deserialize)]
pub struct IssuedKey {
    /// Which of the user's keys.
    pub epoch: u32,
    /// The key.
    pub key: [u8; 32],
}
