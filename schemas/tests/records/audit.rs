//! An audit record of every type.

use natter_schemas::{
    audit::{Act, HashedRecord, Method, Record, SessionEnd},
    event::{Role, Timestamp},
    id::{ChainId, ConversationId, SessionId, UserId},
};
use serde_json::Value;

/// Some variants with each of what may be null.
pub fn acts() -> Vec<Act> {
    let user = id("018f4e6a-0000-7000-8000-000000000001", UserId::from_bytes);
    let by = id("018f4e6a-0000-7000-8000-000000000002", UserId::from_bytes);
    let session = id("018f4e6a-0000-7000-8000-000000000003", SessionId::from_bytes);
    let conversation = id("018f4e6a-0000-7000-8000-000000000004", ConversationId::from_bytes);
    let operator = "operator".to_owned();
    let password = Method::Password;
    vec![
        Act::Registered { user, session, method: password },
        Act::LoggedIn { user, session, method: password },
        Act::LoggedIn { user, session, method: Method::Oidc },
        Act::LogInFailed { user: Some(user), method: password },
        Act::LogInFailed { user: None, method: password },
        Act::IdentityLinked { user },
        Act::PasswordResetRequested { user, operator: None },
        Act::PasswordResetRequested { user, operator: Some(operator.clone()) },
        Act::PasswordChanged { user, session: Some(session) },
        Act::PasswordChanged { user, session: None },
        Act::PasswordChangeFailed { user, session },
        Act::EmailChangeRequested { user, session },
        Act::EmailChanged { user },
        Act::EmailChangeFailed { user, session },
        Act::SessionEnded { user, session, reason: SessionEnd::LoggedOut },
        Act::RefreshTokenReused { user, session },
        Act::AccessTokenMade { user, session, seconds: 900, operator: operator.clone() },
        Act::RoleChanged { conversation, by, user, role: Role::Admin },
        Act::OwnerChanged { conversation, by, user },
        Act::MemberRemoved { conversation, by, user },
        Act::DataKeysRotated { user: None, changed: 2, unopened: 0, operator: operator.clone() },
        Act::DataKeysRotated { user: Some(user), changed: 1, unopened: 0, operator: operator.clone() },
        Act::UserKeysRewrapped { changed: 2, unopened: 0, operator: operator.clone() },
        Act::KeysRetired { name: "root-1".to_owned(), operator: operator.clone() },
        Act::UserErased { user, operator: Some(operator) },
        Act::UserErased { user, operator: None },
        Act::ErasureFailed { user },
        Act::Started { version: "0.1.0".to_owned() },
        Act::Stopped,
        Act::Interrupted { lost: 3, torn_bytes: 57 },
    ]
}

fn id<T>(text: &str, of: impl Fn([u8; 16]) -> T) -> T {
    of(uuid::Uuid::parse_str(text).unwrap().into_bytes())
}

/// As it is written. The hash is one in form only.
pub fn line(act: &Act) -> Value {
    let record = Record {
        chain: id("018f4e6a-0000-7000-8000-000000000005", ChainId::from_bytes),
        number: 17,
        at: Timestamp(1_795_000_000_000),
        node: "worker-0",
        process: "worker:1",
        act,
        client: "198.51.100.7".parse().ok(),
        previous: Some("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"),
    };
    let hash = "60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752";
    serde_json::to_value(HashedRecord { record, hash }).unwrap()
}
