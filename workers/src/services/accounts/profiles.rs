use natter_schemas::{
    code::Code,
    limits,
    rest::check as valid,
    rpc::{FindUser, FindUsers, SearchUsers, UpdateUser, User},
};

use super::Accounts;
use crate::services::Failure;

impl Accounts {
    pub(super) async fn user(&self, call: FindUser) -> Result<User, Failure> {
        self.store.users(&[call.user]).await?.pop().ok_or_else(|| Code::NotFound.into())
    }

    pub(super) async fn users(&self, call: FindUsers) -> Result<Vec<User>, Failure> {
        if call.users.len() > limits::PARTICIPANTS {
            return Err(Code::TooLarge.into());
        }
        Ok(self.store.users(&call.users).await?)
    }

    /// Nobody is found by nothing, or by more than a name can hold.
    pub(super) async fn search(&self, call: SearchUsers) -> Result<Vec<User>, Failure> {
        let prefix = call.query.trim();
        if !limits::NAME.contains(&prefix.chars().count()) {
            return Ok(Vec::new());
        }
        Ok(self.store.search_users(prefix, call.limit.clamp(1, limits::USER_SEARCH_PAGE)).await?)
    }

    pub(super) async fn update(&self, call: UpdateUser) -> Result<User, Failure> {
        self.check("displayName", &call.display_name, valid::name)?;
        let user = self.store.set_display_name(call.user, &call.display_name).await?;
        user.ok_or_else(|| Code::NotFound.into())
    }
}
