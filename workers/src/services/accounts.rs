//! Users, passwords, sessions. Only this service sees a password, and only its hash is kept; the same goes
//! for refresh tokens.

mod passwords; // argon2id, of a bounded number at once
mod hash_threads; // which give way to everything else
mod profiles; // users' public data
mod sessions; // log in, go on, log out
mod one_time_tokens; // what proves that a mail was read
mod password_resets; // a new password by a link
mod email_changes; // a new address by a link
mod provider_log_ins; // log in by an OpenID Connect provider

use std::{sync::Arc, time::Duration};

use natter_nats::{
    async_nats::Client,
    clock::LogClock,
    publisher::Publisher,
    service::{RpcServer, ServiceError},
};
use natter_runtime::{audit::Audit, shared_state::SharedState};
use natter_schemas::{
    code::Code,
    event::Timestamp,
    limits::Limits,
    rest::check,
    rpc::{
        ChangeEmail, EndSession, EraseUser, EraseUserByLogIn, FindUser, FindUsers, FinishProviderLogIn,
        GetLogInOptions, GetMailOption, GetOwnUser, ListSessions, LogIn, LogOut, NewPassword, RefreshSession,
        RegisterUser, RequestEmailChange, RequestPasswordReset, ResetPassword, RpcError, SearchUsers,
        StartProviderLogIn, UpdateUser,
    },
};
use natter_store::Store;

use super::{profiles::Profiles, provider::OpenIdProvider};
use crate::mail::Mailer;
pub use one_time_tokens::{password_link, remember_log_in};
pub use passwords::{HashError, Passwords};

/// How long refresh tokens are worth something.
#[derive(Debug, Clone, Copy)]
pub struct RefreshTokens {
    /// A token can be exchanged so long (`REFRESH_EXPIRES_IN`).
    pub lifetime: Duration,
    /// And presented again so long after it was exchanged (`REFRESH_GRACE`).
    pub grace: Duration,
}

pub struct Accounts {
    pub store: Arc<dyn Store>,
    pub profiles: Profiles,
    pub publisher: Publisher,
    pub passwords: Passwords,
    /// Whether accounts are registered and logged in to by password.
    pub takes_passwords: bool,
    pub provider: Option<OpenIdProvider>,
    /// `None`: users get no mail.
    pub mailer: Option<Mailer>,
    /// Where links lead to.
    pub public_url: String,
    pub refresh: RefreshTokens,
    pub limits: Limits,
    pub clock: LogClock,
    /// Where a session that ends is online no more.
    pub shared: Arc<dyn SharedState>,
    /// Where that is published.
    pub bus: Client,
    pub audit: Audit,
}

impl Accounts {
    pub async fn serve(self, server: &mut RpcServer) -> Result<(), ServiceError> {
        answer!(server, Arc::new(self), {
            RegisterUser => register(client),
            LogIn => log_in(client),
            RefreshSession => renew(client),
            LogOut => log_out(client),
            ListSessions => list_sessions,
            EndSession => end_session(client),
            NewPassword => new_password(client),
            EraseUser => erase(client),
            EraseUserByLogIn => erase_by_log_in(client),
            RequestPasswordReset => request_password_reset(client),
            ResetPassword => reset_password(client),
            GetOwnUser => own_user,
            FindUser => user,
            FindUsers => users,
            SearchUsers => search,
            UpdateUser => update,
            RequestEmailChange => request_email_change(client),
            ChangeEmail => change_email(client),
            GetMailOption => mail_option,
            GetLogInOptions => log_in_options,
            StartProviderLogIn => start_provider,
            FinishProviderLogIn => finish_provider(client),
        });
        Ok(())
    }

    fn need_passwords(&self) -> Result<(), RpcError> {
        if self.takes_passwords { Ok(()) } else { Err(Code::PasswordLoginOff.into()) }
    }

    fn expiry(&self, now: Timestamp) -> Timestamp {
        let lifetime = i64::try_from(self.refresh.lifetime.as_millis()).unwrap_or(i64::MAX);
        Timestamp(now.0.saturating_add(lifetime))
    }

    /// The edge has checked already; what arrives by the bus is checked again.
    fn check(&self, field: &str, text: &str, rule: Validator) -> Result<(), RpcError> {
        rule(text, &self.limits).map_err(|_| RpcError::invalid(field))
    }
}

/// A display name as it is kept.
fn display_name(name: &str, limits: &Limits) -> Result<String, RpcError> {
    check::normalized_name(name, limits).map_err(|_| RpcError::invalid("displayName"))
}

type Validator = fn(&str, &Limits) -> Result<(), garde::Error>;
