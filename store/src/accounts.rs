use async_trait::async_trait;
use natter_schemas::{
    id::{SessionId, UserId},
    rpc::User,
};

use crate::{Result, erasures::CLOSED};

/// What a log-in is checked against.
#[derive(Clone)]
pub struct Credentials {
    /// Whose they are.
    pub user: User,
    /// argon2id in PHC string format, or of [`no_password`].
    pub password_hash: String,
}

/// Begins what is stored in place of a hash; no hash begins with it.
const NO_PASSWORD: char = '!';

/// In place of the hash of an account without a password. It names one version of the credential, as hashes do by their
/// salt: `unique` is never used again.
pub fn no_password(unique: &str) -> String {
    format!("{NO_PASSWORD}{unique}")
}

impl Credentials {
    /// Whether a log-in may be checked against it: not that of a user who is being erased.
    pub(crate) fn is_open(&self) -> bool {
        self.password_hash != CLOSED
    }

    /// What a password is compared with; `None`: the account has none.
    pub fn password(&self) -> Option<&str> {
        Some(self.password_hash.as_str()).filter(|hash| !hash.starts_with(NO_PASSWORD))
    }
}

/// What became of [`AccountStore::add_user`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddUser {
    /// The user is stored; also for a repeated call with the same id.
    Added,
    /// Another user has the username, whatever the case.
    UsernameTaken,
    /// Another user has the email address, whatever the case.
    EmailTaken,
}

/// Users and their password hashes. E-mail addresses and display names are stored as they are given: in clear, or sealed
/// ([`crate::profile`]).
#[async_trait]
pub trait AccountStore: Send + Sync + 'static {
    /// Registers a user; without an email address for an empty one. Safe to repeat with the same id: what is stored already stays as it is.
    async fn add_user(&self, user: &User, password_hash: &str) -> Result<AddUser>;
    /// Those of `ids` that exist, in that order; an erased one without names ([`User::is_erased`]).
    async fn users(&self, ids: &[UserId]) -> Result<Vec<User>>;
    /// By username or email address, whatever the case. No closed account has any ([`ErasureStore`](crate::ErasureStore)).
    async fn credentials(&self, login: &str) -> Result<Option<Credentials>>;
    /// By id.
    async fn credentials_of(&self, user: UserId) -> Result<Option<Credentials>>;
    /// Users who have, for each word of `query`, a word of the username or the display name that begins with it,
    /// whatever the case, the accents and the form; by username. Beyond [`SEARCH_CANDIDATES`] words that begin with the
    /// longest one, they are some of them.
    ///
    /// [`SEARCH_CANDIDATES`]: natter_schemas::limits::SEARCH_CANDIDATES
    async fn search_users(&self, query: &str, limit: usize) -> Result<Vec<User>>;
    /// The user as changed; `None`: no such user, or one whose account is closed.
    async fn set_display_name(&self, user: UserId, name: &str) -> Result<Option<User>>;
    /// Those after this one, in an order of the store's own: every user who is there throughout comes once.
    async fn users_after(&self, after: Option<UserId>, most: usize) -> Result<Vec<User>>;
    /// The same address and name stored otherwise; answers whether they were still as in `from`, and no one else had the
    /// address.
    async fn replace_profile(&self, from: &User, to: &User) -> Result<bool>;
    /// From then on no session of the user can be renewed but `by`, which changed it, and those opened with the new
    /// hash. Changes nothing when there is no such user, or the account is closed.
    async fn set_password_hash(&self, user: UserId, password_hash: &str, by: Option<SessionId>)
    -> Result<()>;
}
