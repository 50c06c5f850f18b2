//! Who somebody is, and their sessions.

use serde::{Deserialize, Serialize};

use crate::{
    event::Timestamp,
    id::{SessionId, UserId},
};

#[derive(Clone, Serialize, Deserialize)]
pub struct RegisterUser {
    pub username: String,
    pub email: String,
    pub password: String,
    pub display_name: Option<String>,
}

#[derive(Clone, Serialize, Deserialize)]
pub struct LogIn {
    pub login: String,
    pub password: String,
}

/// Exchanges a refresh token for the next one; a used token ends its session.
#[derive(Clone, Serialize, Deserialize)]
pub struct Renew {
    pub refresh_token: String,
}

/// Ends one session, or with `session: None` every session of the user.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LogOut {
    pub user: UserId,
    pub session: Option<SessionId>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FindUser {
    pub user: UserId,
}

/// Those of the users that exist, in no particular order.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FindUsers {
    pub users: Vec<UserId>,
}

/// By prefix of username or display name, upper and lower case alike.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SearchUsers {
    pub query: String,
    pub limit: usize,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct UpdateUser {
    pub user: UserId,
    pub display_name: String,
}

/// Ends every other session of the user.
#[derive(Clone, Serialize, Deserialize)]
pub struct NewPassword {
    pub user: UserId,
    pub session: SessionId,
    pub current: String,
    pub next: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    pub id: UserId,
    pub username: String,
    pub email: String,
    pub display_name: String,
    pub created_at: Timestamp,
}

/// A session as it opens or goes on.
#[derive(Clone, Serialize, Deserialize)]
pub struct Opened {
    pub user: User,
    pub session: SessionId,
    pub refresh_token: String,
}
