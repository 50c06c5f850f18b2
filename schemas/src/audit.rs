//! The audit log: who came in and who was refused, whose sessions ended, who changed what others may do, what was done
//! with keys. A record names ids and nothing that a person wrote. Records form chains: each has the hash of the one
//! before it (`natter_runtime::audit`). `schemas/audit/` holds the JSON Schema of a record.

use std::net::IpAddr;

use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    cloudevent,
    event::{Role, Timestamp},
    id::{ChainId, ConversationId, SessionId, UserId},
};

/// Records in Kafka, if they are copied there; the name also counts the version of what is in it.
pub const TOPIC: &str = "natter.audit.v1";
/// `ce_type` of every record.
pub const TYPE: &str = "natter.audit.recorded.v1";

/// The headers of a record in Kafka: `CloudEvents` 1.0 in the binary mode of its Kafka binding. The value is the line of the
/// audit log.
pub fn headers(chain: ChainId, number: u64, at: Timestamp) -> Vec<(&'static str, String)> {
    vec![
        ("ce_specversion", "1.0".to_owned()),
        (cloudevent::ID, format!("{chain}/{number}")),
        ("ce_source", cloudevent::SOURCE.to_owned()),
        (cloudevent::TYPE, TYPE.to_owned()),
        ("ce_time", at.to_string()),
        ("content-type", "application/json".to_owned()),
    ]
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub enum Act {
    /// A user was made, and logged in.
    Registered {
        /// The new user.
        user: UserId,
        /// The first session.
        session: SessionId,
        /// How the user logs in.
        method: Method,
    },
    /// A user logged in.
    LoggedIn {
        /// Who.
        user: UserId,
        /// The session that began.
        session: SessionId,
        /// How.
        method: Method,
    },
    /// A log-in was refused. One that a rate limit refuses is not recorded.
    LogInFailed {
        /// Whom it named; null if there is no such user.
        user: Option<UserId>,
        /// How.
        method: Method,
    },
    /// A user logs in at a provider as well from now on.
    IdentityLinked {
        /// Who.
        user: UserId,
    },
    /// A link was made by which a user can set another password.
    PasswordResetRequested {
        /// Whose.
        user: UserId,
        /// The operator's account on the host where it was printed; null for one that was sent to the user's address.
        operator: Option<String>,
    },
    /// A user has another password.
    PasswordChanged {
        /// Whose.
        user: UserId,
        /// The session in which it was changed; null without one.
        session: Option<SessionId>,
    },
    /// Another password was refused because the present one was wrong.
    PasswordChangeFailed {
        /// Whose.
        user: UserId,
        /// The session in which it was tried.
        session: SessionId,
    },
    /// A link was sent to an address that a user wants to have.
    EmailChangeRequested {
        /// Who.
        user: UserId,
        /// The session in which it was requested.
        session: SessionId,
    },
    /// A user has another address.
    EmailChanged {
        /// Who.
        user: UserId,
    },
    /// A change of the address was refused because the password was wrong.
    EmailChangeFailed {
        /// Whose.
        user: UserId,
        /// The session in which it was tried.
        session: SessionId,
    },
    /// A session ended before its time.
    SessionEnded {
        /// Whose.
        user: UserId,
        /// Which.
        session: SessionId,
        /// Why.
        reason: SessionEnd,
    },
    /// A refresh token that was exchanged before was presented again after its grace: it may be stolen.
    RefreshTokenReused {
        /// Whose.
        user: UserId,
        /// The session it belongs to, which ends.
        session: SessionId,
    },
    /// An operator made an access token of a user.
    AccessTokenMade {
        /// Whose.
        user: UserId,
        /// Its session.
        session: SessionId,
        /// How long it is valid.
        seconds: u64,
        /// The operator's account on that host.
        operator: String,
    },
    /// A member of a group has another role.
    RoleChanged {
        /// The group.
        conversation: ConversationId,
        /// Who changed it.
        by: UserId,
        /// Whose.
        user: UserId,
        /// The role from now on.
        role: Role,
    },
    /// A group has another owner.
    OwnerChanged {
        /// The group.
        conversation: ConversationId,
        /// The owner before, who handed over or left.
        by: UserId,
        /// The owner from now on.
        user: UserId,
    },
    /// A member was removed from a group, or left it.
    MemberRemoved {
        /// The group.
        conversation: ConversationId,
        /// Who did it; the member itself if it left.
        by: UserId,
        /// The former member.
        user: UserId,
    },
    /// Users have new data keys.
    DataKeysRotated {
        /// Whose; null: of all users.
        user: Option<UserId>,
        /// How many users have a new one.
        changed: u64,
        /// How many have keys that no root opens which is set.
        unopened: u64,
        /// The operator's account on that host.
        operator: String,
    },
    /// Users' keys are wrapped by the first root.
    UserKeysRewrapped {
        /// How many were wrapped by another.
        changed: u64,
        /// How many are wrapped by a root that is not set.
        unopened: u64,
        /// The operator's account on that host.
        operator: String,
    },
    /// A root or an epoch of data keys is no longer used.
    KeysRetired {
        /// Its name.
        name: String,
        /// The operator's account on that host.
        operator: String,
    },
    /// A user is erased: the account is closed, and its data is being destroyed.
    UserErased {
        /// Whose.
        user: UserId,
        /// The operator's account on that host; null: the user wanted it.
        operator: Option<String>,
    },
    /// A user was not erased because the password was wrong, or there was none and no log-in of a moment ago.
    ErasureFailed {
        /// Whose account it is.
        user: UserId,
    },
    /// A process writes from now on.
    Started {
        /// Of the program.
        version: String,
    },
    /// A process ended as it was asked to. One that started and did not stop was killed, or runs.
    Stopped,
    /// Something is missing before this record.
    Interrupted {
        /// Records that could not be written, because the disk was full or failed for so long.
        lost: u64,
        /// Bytes of an unfinished record, which stand in the line before this one.
        torn_bytes: u64,
    },
}

/// How a user shows who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// By the password.
    Password,
    /// At a provider (OIDC).
    Oidc,
}

/// Why a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SessionEnd {
    /// Its user logged out.
    LoggedOut,
    /// Its user logged out everywhere.
    LoggedOutEverywhere,
    /// Its user ended it from another session.
    EndedByUser,
    /// The password was changed in another session.
    PasswordChanged,
    /// Its refresh token was presented twice.
    RefreshTokenReused,
    /// The user logged in once more than sessions are allowed.
    TooMany,
}

/// A record before it has its place in a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// When.
    pub at: Timestamp,
    /// What.
    pub act: Act,
    /// Who asked for it, as far as an edge knows.
    pub client: Option<IpAddr>,
}

/// One record. Its line ends with one more field, `hash`: SHA-256, in hexadecimal, of the line without that field.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Record<'a> {
    /// The chain that it belongs to.
    pub chain: ChainId,
    /// Its number in the chain: 1, 2, 3, …
    #[schemars(range(min = 1))]
    pub number: u64,
    /// When it happened (RFC 3339, UTC), by the time of the log.
    pub at: Timestamp,
    /// The host that wrote it.
    pub node: &'a str,
    /// The process that wrote it: its role and its number on that host.
    pub process: &'a str,
    /// What happened.
    #[serde(flatten)]
    pub act: &'a Act,
    /// The address of the client that asked for it, by the rule of `TRUSTED_PROXIES`; null where none did.
    #[schemars(with = "Option<String>")]
    pub client: Option<IpAddr>,
    /// `hash` of the record before it; null in the first one.
    #[schemars(regex(pattern = "^[0-9a-f]{64}$"))]
    pub previous: Option<&'a str>,
}

/// A record as it is written.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "AuditRecord")]
pub struct HashedRecord<'a> {
    /// Everything that the hash is of.
    #[serde(flatten)]
    pub record: Record<'a>,
    /// SHA-256 of this line without this field, in hexadecimal.
    #[schemars(regex(pattern = "^[0-9a-f]{64}$"))]
    pub hash: &'a str,
}
