use std::{net::IpAddr, sync::Arc};

use natter_schemas::{
    audit::{Act, SessionEnd},
    code::Code,
    event::Timestamp,
    rest::check as valid,
    rpc::{GetMailOption, RequestPasswordReset, ResetPassword},
};
use natter_store::TokenPurpose;
use tracing::warn;
use zeroize::Zeroizing;

use super::{
    Accounts,
    one_time_tokens::{self, password_link},
};
use crate::{
    mail::{Language, Mail, Mailer, Text, TooManyWaiting, Topic},
    services::Failure,
};

impl Accounts {
    /// Whether an account has the address is found out later, by a task that no one waits for: neither the answer nor its time
    /// depends on it.
    #[expect(clippy::unused_async, reason = "the handlers of all calls have one form")]
    pub(super) async fn request_password_reset(
        self: &Arc<Self>,
        call: RequestPasswordReset,
        client: Option<IpAddr>,
    ) -> Result<(), Failure> {
        self.need_passwords()?;
        let mailer = self.mailer()?;
        self.check("email", &call.email, valid::email)?;
        let (accounts, now) = (Arc::clone(self), self.clock.now());
        let written = async move {
            let RequestPasswordReset { email, language } = call;
            let mail = accounts.reset_mail(&email, Language::of(&language), client, now).await;
            mail.unwrap_or_else(|error| {
                warn!(%error, "a mail for a new password is not written; its user requests another");
                None
            })
        };
        Ok(mailer.post(written)?)
    }

    /// To an account with a password: one that its user has at a provider does not get another key by mail.
    async fn reset_mail(
        &self,
        email: &str,
        language: Language,
        client: Option<IpAddr>,
        now: Timestamp,
    ) -> Result<Option<Mail>, Failure> {
        let found = self.profiles.credentials(email).await?.filter(|found| found.password().is_some());
        let Some(found) = found else { return Ok(None) };
        // With the address as it is, or not at all.
        let whole = self.profiles.whole(found.user.id).await?;
        let Some(user) = whole.filter(|user| !user.email.is_empty()) else { return Ok(None) };
        let link = password_link(&*self.store, user.id, &self.public_url, now).await?;
        self.audit.record(Act::PasswordResetRequested { user: user.id, operator: None }, client).await;
        let text = Text::of(Topic::PasswordReset, language, &user.username, &link);
        Ok(Some(Mail { to: user.email, text }))
    }

    /// The password is hashed before the token is taken: what refuses the one does not use up the other.
    pub(super) async fn reset_password(
        &self,
        call: ResetPassword,
        client: Option<IpAddr>,
    ) -> Result<(), Failure> {
        let next = Zeroizing::new(call.next);
        self.need_passwords()?;
        self.check("next", &next, valid::password)?;
        let hash = self.passwords.hash(next).await?;
        let taken =
            one_time_tokens::take(&*self.store, &call.token, TokenPurpose::Password, self.clock.now());
        let user = taken.await?.ok_or(Code::LinkInvalid)?;
        self.store.set_password_hash(user, &hash, None).await?;
        self.audit.record(Act::PasswordChanged { user, session: None }, client).await;
        // Links that were sent before are good for who had the account before.
        self.store.remove_one_time_tokens(user).await?;
        let all = self.store.sessions_of(user, self.clock.now()).await?;
        self.end(user, all, SessionEnd::PasswordChanged, client).await
    }

    #[expect(clippy::unused_async, reason = "the handlers of all calls have one form")]
    pub(super) async fn mail_option(&self, _: GetMailOption) -> Result<bool, Failure> {
        Ok(self.mailer.is_some())
    }

    pub(super) fn mailer(&self) -> Result<&Mailer, Failure> {
        self.mailer.as_ref().ok_or_else(|| Code::MailOff.into())
    }
}

impl From<TooManyWaiting> for Failure {
    fn from(_: TooManyWaiting) -> Self {
        Code::Unavailable.into()
    }
}
