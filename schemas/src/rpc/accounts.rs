//! Users and their sessions.

use serde::{Deserialize, Serialize};

use crate::{
    event::Timestamp,
    id::{SessionId, UserId},
};

/// Makes a user and opens the first session.
#[derive(Clone, Serialize, Deserialize)]
pub struct RegisterUser {
    /// Unique in the deployment.
    pub username: String,
    /// Unique address; only for the user.
    pub email: String,
    /// In clear text: hashed by the service, never logged.
    pub password: String,
    /// As others see the user.
    pub display_name: Option<String>,
}

/// Opens a session.
#[derive(Clone, Serialize, Deserialize)]
pub struct LogIn {
    /// Username or email address.
    pub login: String,
    /// In clear text: hashed by the service, never logged.
    pub password: String,
}

/// Exchanges a refresh token for the next one; a used token ends its session.
#[derive(Clone, Serialize, Deserialize)]
pub struct RefreshSession {
    /// Secret; each is used once.
    pub refresh_token: String,
}

/// Ends one session, or with `session: None` every session of the user.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LogOut {
    /// The user it is about.
    pub user: UserId,
    /// The session; for `NewPassword` the one that stays.
    pub session: Option<SessionId>,
}

/// The open sessions of a user, newest first.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ListSessions {
    /// The user it is about.
    pub user: UserId,
    /// At most so many.
    pub limit: usize,
}

/// Ends one session; `not_found` if the user has no such session.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EndSession {
    /// The user it is about.
    pub user: UserId,
    /// The session.
    pub session: SessionId,
}

/// The user's own profile, with the address; `not_found` if there is none.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GetOwnUser {
    /// The user it is about.
    pub user: UserId,
}

/// One user as others see them, without an address; `not_found` if there is none.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FindUser {
    /// The user it is about.
    pub user: UserId,
}

/// The same for those of the users that exist, in no particular order.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FindUsers {
    /// Whom it is about.
    pub users: Vec<UserId>,
}

/// The same by prefix of username or display name, upper and lower case alike.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SearchUsers {
    /// The prefix.
    pub query: String,
    /// At most so many.
    pub limit: usize,
}

/// Changes what others see of a user.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct UpdateUser {
    /// The user it is about.
    pub user: UserId,
    /// As others see the user.
    pub display_name: String,
}

/// Ends every other session of the user.
#[derive(Clone, Serialize, Deserialize)]
pub struct NewPassword {
    /// The user it is about.
    pub user: UserId,
    /// The session; for `NewPassword` the one that stays.
    pub session: SessionId,
    /// The password that is valid now.
    pub current: String,
    /// The password from now on.
    pub next: String,
}

/// Closes the account for good and has everything of the user erased. `bad_credentials` without the password.
#[derive(Clone, Serialize, Deserialize)]
pub struct EraseUser {
    /// The user it is about.
    pub user: UserId,
    /// The password that is valid now.
    pub password: String,
}

/// The same for an account that has no password: `bad_credentials` unless this session is its newest log-in, of a moment ago.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EraseUserByLogIn {
    /// The user it is about.
    pub user: UserId,
    /// The session that asks for it.
    pub session: SessionId,
}

/// Sends a link for a new password to the address, if an account has it. `mail_off` without mail.
#[derive(Clone, Serialize, Deserialize)]
pub struct RequestPasswordReset {
    /// The account's address.
    pub email: String,
    /// Of the mail: a tag of BCP 47.
    pub language: String,
}

/// Sets the password of the user whom the token was sent to, and ends all sessions. `link_invalid` unless the token is good.
#[derive(Clone, Serialize, Deserialize)]
pub struct ResetPassword {
    /// Secret; is used once.
    pub token: String,
    /// The password from now on.
    pub next: String,
}

/// Sends a link to an address that a user wants to have, if no other account has it. `bad_credentials` without the
/// password, `mail_off` without mail.
#[derive(Clone, Serialize, Deserialize)]
pub struct RequestEmailChange {
    /// The user it is about.
    pub user: UserId,
    /// The session in which it is requested.
    pub session: SessionId,
    /// The address from then on.
    pub email: String,
    /// The password that is valid now.
    pub password: String,
    /// Of the mail: a tag of BCP 47.
    pub language: String,
}

/// Gives the account of the token's user the address that the token was sent to. `link_invalid` unless the token is good,
/// `email_taken` if another account has got the address meanwhile.
#[derive(Clone, Serialize, Deserialize)]
pub struct ChangeEmail {
    /// Secret; is used once.
    pub token: String,
    /// Of the mail to the address before: a tag of BCP 47.
    pub language: String,
}

/// Whether users get mail.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GetMailOption;

/// How people log in here.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GetLogInOptions;

/// How people log in here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogInOptions {
    /// Whether passwords are taken, and accounts registered.
    pub passwords: bool,
    /// As people call the OpenID Connect provider; `None`: there is none.
    pub provider: Option<String>,
}

/// Begins a log-in by the OpenID Connect provider; `not_found` if there is none.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StartProviderLogIn {
    /// The user who gets the identity; `None`: the identity logs in.
    pub link: Option<UserId>,
}

/// A log-in that a browser takes to the provider.
#[derive(Clone, Serialize, Deserialize)]
pub struct StartedProviderLogIn {
    /// Where the browser goes.
    pub url: String,
    /// Secret: kept by the browser, for [`FinishProviderLogIn`].
    pub attempt: String,
}

/// What the provider sent the browser back with.
#[derive(Clone, Serialize, Deserialize)]
pub struct FinishProviderLogIn {
    /// As the browser kept it.
    pub attempt: Option<String>,
    /// Which attempt this answers.
    pub state: Option<String>,
    /// Secret; is exchanged for a token once.
    pub code: Option<String>,
    /// Who answers (RFC 9207).
    pub issuer: Option<String>,
    /// Why there is no code (RFC 6749 §4.1.2.1).
    pub error: Option<String>,
}

/// What became of a log-in by the provider.
#[derive(Clone, Serialize, Deserialize)]
pub enum ProviderLogIn {
    /// A session, of an account that may have just been made.
    Opened(OpenedSession),
    /// The user has the identity from now on.
    Linked,
}

/// A user without secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Its id.
    pub id: UserId,
    /// Unique in the deployment.
    pub username: String,
    /// Unique address; only for the user. Empty: none is known.
    pub email: String,
    /// As others see the user.
    pub display_name: String,
    /// When it was made.
    pub created_at: Timestamp,
}

impl User {
    /// Whether nothing is left of the user but the id. A user who is not erased has a username.
    #[must_use]
    pub const fn is_erased(&self) -> bool {
        self.username.is_empty()
    }
}

/// A session as it opens or goes on.
#[derive(Clone, Serialize, Deserialize)]
pub struct OpenedSession {
    /// The user it is about.
    pub user: User,
    /// The session; for `NewPassword` the one that stays.
    pub session: SessionId,
    /// Secret; each is used once.
    pub refresh_token: String,
}
