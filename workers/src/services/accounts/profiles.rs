use natter_schemas::{
    code::Code,
    id::UserId,
    limits,
    rpc::{FindUser, FindUsers, GetOwnUser, SearchUsers, UpdateUser, User},
};

use super::{Accounts, display_name};
use crate::services::Failure;

impl Accounts {
    pub(super) async fn own_user(&self, call: GetOwnUser) -> Result<User, Failure> {
        self.one(call.user).await
    }

    pub(super) async fn user(&self, call: FindUser) -> Result<User, Failure> {
        self.one(call.user).await.map(as_others_see)
    }

    async fn one(&self, user: UserId) -> Result<User, Failure> {
        self.profiles.users(&[user]).await?.pop().ok_or_else(|| Code::NotFound.into())
    }

    pub(super) async fn users(&self, call: FindUsers) -> Result<Vec<User>, Failure> {
        if call.users.len() > limits::PARTICIPANTS {
            return Err(Code::TooLarge.into());
        }
        let found = self.profiles.users(&call.users).await?;
        Ok(found.into_iter().map(as_others_see).collect())
    }

    /// No user is found by nothing, or by more than a name can hold.
    pub(super) async fn search(&self, call: SearchUsers) -> Result<Vec<User>, Failure> {
        if !limits::NAME.contains(&call.query.trim().chars().count()) {
            return Ok(Vec::new());
        }
        let limit = call.limit.clamp(1, limits::USER_SEARCH_PAGE);
        let found = self.profiles.search(&call.query, limit).await?;
        Ok(found.into_iter().map(as_others_see).collect())
    }

    pub(super) async fn update(&self, call: UpdateUser) -> Result<User, Failure> {
        let name = display_name(&call.display_name, &self.limits)?;
        let user = self.profiles.set_display_name(call.user, &name).await?;
        user.ok_or_else(|| Code::NotFound.into())
    }
}

/// An edge is given no address of another user than the one who asks.
fn as_others_see(user: User) -> User {
    User { email: String::new(), ..user }
}
