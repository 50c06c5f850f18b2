use async_trait::async_trait;
use natter_schemas::id::UserId;

use crate::Result;

/// A person as an OpenID Connect provider names them, for ever.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Identity {
    /// The provider.
    pub issuer: String,
    /// Unique at this provider; whatever it is elsewhere.
    pub subject: String,
}

/// Whose the identities are. One of a user who does not exist (the account was not made in the end) counts for nothing.
#[async_trait]
pub trait IdentityStore: Send + Sync + 'static {
    /// Whose it is.
    async fn user_of_identity(&self, identity: &Identity) -> Result<Option<UserId>>;
    /// Gives it to `user` unless it is someone's already; answers whose it is then. Calls at the same moment are all
    /// answered the same.
    async fn claim_identity(&self, identity: &Identity, user: UserId) -> Result<UserId>;
    /// Gives it from one user to another; answers whether it was the former's.
    async fn move_identity(&self, identity: &Identity, from: UserId, to: UserId) -> Result<bool>;
    /// All of a user.
    async fn identities_of(&self, user: UserId) -> Result<Vec<Identity>>;
    /// From now on none is the user's.
    async fn remove_identities(&self, user: UserId) -> Result<()>;
}
