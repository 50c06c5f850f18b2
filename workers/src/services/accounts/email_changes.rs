use std::{net::IpAddr, sync::Arc};

use natter_schemas::{
    audit::Act,
    code::Code,
    event::Timestamp,
    id::UserId,
    rest::check as valid,
    rpc::{ChangeEmail, RequestEmailChange},
};
use tracing::warn;

use super::{Accounts, one_time_tokens, sessions::bounded};
use crate::{
    mail::{Language, Mail, Text, Topic},
    services::{Failure, profiles::SetEmail},
};

impl Accounts {
    /// The link goes to the address that is wanted: who opens it has it. Whether another account has the address is found out
    /// by a task that no one waits for, so the answer shows nothing of it.
    pub(super) async fn request_email_change(
        self: &Arc<Self>,
        call: RequestEmailChange,
        client: Option<IpAddr>,
    ) -> Result<(), Failure> {
        let RequestEmailChange { user, session, email, password, language } = call;
        let password = bounded(password)?;
        self.need_passwords()?;
        let mailer = self.mailer()?;
        self.check("email", &email, valid::email)?;
        let known = self.store.credentials_of(user).await?;
        let known = known.and_then(|credentials| credentials.password().map(str::to_owned));
        if !self.passwords.verify(password, known).await? {
            self.audit.record(Act::EmailChangeFailed { user, session }, client).await;
            return Err(Code::BadCredentials.into());
        }
        self.audit.record(Act::EmailChangeRequested { user, session }, client).await;
        let (accounts, now, language) = (Arc::clone(self), self.clock.now(), Language::of(&language));
        let written = async move {
            let mail = accounts.change_mail(user, email, language, now).await;
            mail.unwrap_or_else(|error| {
                warn!(%error, %user, "a mail for a new address is not written; its user requests another");
                None
            })
        };
        Ok(mailer.post(written)?)
    }

    async fn change_mail(
        &self,
        user: UserId,
        email: String,
        language: Language,
        now: Timestamp,
    ) -> Result<Option<Mail>, Failure> {
        let holder = self.profiles.credentials(&email).await?;
        if holder.is_some_and(|holder| holder.user.id != user) {
            return Ok(None);
        }
        let Some(known) = self.store.credentials_of(user).await? else { return Ok(None) };
        let token = one_time_tokens::issue_for_address(&*self.store, user, &email, now).await?;
        let link = one_time_tokens::link(&self.public_url, "confirm-email", &token);
        let text = Text::of(Topic::EmailChange, language, &known.user.username, &link);
        Ok(Some(Mail { to: email, text }))
    }

    /// The token is taken last: a change that a crash or a lost answer interrupts is made by the same link again.
    pub(super) async fn change_email(
        &self,
        call: ChangeEmail,
        client: Option<IpAddr>,
    ) -> Result<(), Failure> {
        let token = one_time_tokens::find_for_address(&*self.store, &call.token, self.clock.now());
        let (user, email) = token.await?.ok_or(Code::LinkInvalid)?;
        self.check("token", &email, valid::email)?;
        let before = match self.profiles.set_email(user, &email).await? {
            SetEmail::Set { before } => before,
            SetEmail::Taken => return Err(Code::EmailTaken.into()),
            SetEmail::NoUser => return Err(Code::LinkInvalid.into()),
        };
        // This link, and those for a new password that were sent to the address before.
        self.store.remove_one_time_tokens(user).await?;
        if before == email {
            return Ok(());
        }
        self.audit.record(Act::EmailChanged { user }, client).await;
        self.notify_before(user, before, Language::of(&call.language)).await
    }

    /// Who had the address before learns of it, so that a change by another person is noticed.
    async fn notify_before(&self, user: UserId, before: String, language: Language) -> Result<(), Failure> {
        let known = self.store.credentials_of(user).await?;
        if let (Some(mailer), Some(known), false) = (&self.mailer, known, before.is_empty()) {
            let text = Text::of(Topic::EmailChanged, language, &known.user.username, &self.public_url);
            // The address is changed, whether this is sent or not.
            if mailer.post(async move { Some(Mail { to: before, text }) }).is_err() {
                warn!(%user, "no mail to the address before a change: too many wait");
            }
        }
        Ok(())
    }
}
