use natter_schemas::{
    code::Code,
    limits,
    rpc::{FindUser, FindUsers, SearchUsers, UpdateUser, User},
};

use super::{Accounts, display_name};
use crate::services::Failure;

impl Accounts {
    pub(super) async fn user(&self, call: FindUser) -> Result<User, Failure> {
        self.profiles.users(&[call.user]).await?.pop().ok_or_else(|| Code::NotFound.into())
    }

    pub(super) async fn users(&self, call: FindUsers) -> Result<Vec<User>, Failure> {
        if call.users.len() > limits::PARTICIPANTS {
            return Err(Code::TooLarge.into());
        }
        Ok(self.profiles.users(&call.users).await?)
    }

    /// No user is found by nothing, or by more than a name can hold.
    pub(super) async fn search(&self, call: SearchUsers) -> Result<Vec<User>, Failure> {
        if !limits::NAME.contains(&call.query.trim().chars().count()) {
            return Ok(Vec::new());
        }
        Ok(self.profiles.search(&call.query, call.limit.clamp(1, limits::USER_SEARCH_PAGE)).await?)
    }

    pub(super) async fn update(&self, call: UpdateUser) -> Result<User, Failure> {
        let name = display_name(&call.display_name, &self.limits)?;
        let user = self.profiles.set_display_name(call.user, &name).await?;
        user.ok_or_else(|| Code::NotFound.into())
    }
}
