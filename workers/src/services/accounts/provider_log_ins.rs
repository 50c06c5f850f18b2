use std::net::IpAddr;

use natter_schemas::{
    audit::{Act, Method},
    code::Code,
    id::UserId,
    rpc::{
        FinishProviderLogIn, GetLogInOptions, LogInOptions, ProviderLogIn, StartProviderLogIn,
        StartedProviderLogIn, User,
    },
};
use natter_store::{AddUser, Credentials, no_password};
use tracing::{info, warn};

use super::{Accounts, one_time_tokens::remember_log_in};
use crate::services::{
    Failure,
    provider::{Authenticated, OpenIdProvider, Person},
};

impl Accounts {
    #[expect(clippy::unused_async, reason = "the handlers of all calls have one form")]
    pub(super) async fn log_in_options(&self, _: GetLogInOptions) -> Result<LogInOptions, Failure> {
        let provider = self.provider.as_ref().map(|provider| provider.name().to_owned());
        Ok(LogInOptions { passwords: self.takes_passwords, provider })
    }

    pub(super) async fn start_provider(
        &self,
        call: StartProviderLogIn,
    ) -> Result<StartedProviderLogIn, Failure> {
        Ok(self.provider()?.start(call.link, self.clock.now()).await?)
    }

    pub(super) async fn finish_provider(
        &self,
        call: FinishProviderLogIn,
        client: Option<IpAddr>,
    ) -> Result<ProviderLogIn, Failure> {
        let finished = self.finish(&call, client).await;
        // What is away has decided nothing.
        if let Err(failure) = &finished
            && !matches!(failure.code(), Code::Unavailable | Code::Internal | Code::NotFound)
        {
            self.audit.record(Act::LogInFailed { user: None, method: Method::Oidc }, client).await;
        }
        finished
    }

    async fn finish(
        &self,
        call: &FinishProviderLogIn,
        client: Option<IpAddr>,
    ) -> Result<ProviderLogIn, Failure> {
        let (provider, method) = (self.provider()?, Method::Oidc);
        let who = provider.finish(call, self.clock.now()).await?;
        if let Some(user) = who.link {
            self.link(&who, user).await?;
            self.audit.record(Act::IdentityLinked { user }, client).await;
            return Ok(ProviderLogIn::Linked);
        }
        let known = self.known(&who).await?;
        let is_known = known.is_some();
        let credentials = match known {
            Some(credentials) => credentials,
            None => self.first_log_in(&who, provider.person(&who).await?).await?,
        };
        let has_password = credentials.password().is_some();
        let opened = self.open(credentials, client).await?;
        let (user, session) = (opened.user.id, opened.session);
        if !has_password
            && let Err(error) = remember_log_in(&*self.store, user, session, self.clock.now()).await
        {
            // All that it is for is an erasure, for which the user logs in again.
            warn!(%user, %error, "a log-in is not remembered: this session cannot erase the account");
        }
        let act = if is_known {
            Act::LoggedIn { user, session, method }
        } else {
            Act::Registered { user, session, method }
        };
        self.audit.record(act, client).await;
        Ok(ProviderLogIn::Opened(opened))
    }

    /// The account of the identity; `None`: it has none yet. One that is being erased lets no one in, and is not made again.
    async fn known(&self, who: &Authenticated) -> Result<Option<Credentials>, Failure> {
        let Some(user) = self.store.user_of_identity(&who.identity).await? else { return Ok(None) };
        let known = self.store.credentials_of(user).await?;
        if known.is_none() && !self.profiles.users(&[user]).await?.is_empty() {
            return Err(Code::LoginDenied.into());
        }
        Ok(known)
    }

    fn provider(&self) -> Result<&OpenIdProvider, Failure> {
        self.provider.as_ref().ok_or_else(|| Code::NotFound.into())
    }

    /// The identity first, then the account: log-ins at the same moment make the same one, and one that was left half-way
    /// is completed by the next.
    async fn first_log_in(&self, who: &Authenticated, person: Person) -> Result<Credentials, Failure> {
        let id = self.store.claim_identity(&who.identity, UserId::fresh()).await?;
        for username in person.usernames(&self.limits) {
            let display_name = person.display_name(&username, &self.limits);
            let user =
                User { id, username, email: person.email(), display_name, created_at: self.clock.now() };
            match self.profiles.add_user(&user, &no_password(&UserId::fresh().to_string())).await? {
                AddUser::Added => {
                    info!(user = %id, "an account is made by the first log-in of an identity");
                    let made = self.store.credentials_of(id).await?;
                    return made.ok_or(Failure::Broken("an account that was just made does not exist"));
                }
                // Whose account it is, an address alone does not prove: its owner links it.
                AddUser::EmailTaken => return Err(Code::EmailTaken.into()),
                AddUser::UsernameTaken => {}
            }
        }
        Err(Code::UsernameTaken.into())
    }

    /// Takes the identity also from an account that was not made in the end, because its address is this user's.
    async fn link(&self, who: &Authenticated, user: UserId) -> Result<(), Failure> {
        if self.store.credentials_of(user).await?.is_none() {
            return Err(Code::NotFound.into());
        }
        let holder = self.store.claim_identity(&who.identity, user).await?;
        let taken = holder != user
            && (self.store.credentials_of(holder).await?.is_some()
                || !self.store.move_identity(&who.identity, holder, user).await?);
        if taken {
            return Err(Code::IdentityTaken.into());
        }
        info!(%user, "an identity is linked to an account");
        Ok(())
    }
}
