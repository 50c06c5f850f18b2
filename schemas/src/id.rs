//! Typed ids. On the outside an id is a lowercase hyphenated UUID and nothing else (RFC 9562 text form), so
//! it is safe in a subject, a file name and a log line; on the bus it is 16 bytes.

use std::{borrow::Cow, fmt, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

/// Text that is not a lowercase hyphenated UUID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a lowercase hyphenated UUID")]
pub struct BadId;

/// The same rule for those who read JSON Schema.
const PATTERN: &str = "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$";

fn parse(text: &str) -> Result<Uuid, BadId> {
    // `Uuid` also reads braces, URNs, upper case and 32 digits: one id must have one spelling.
    let strict = text.len() == 36 && !text.bytes().any(|b| b.is_ascii_uppercase());
    if strict { Uuid::try_parse(text).map_err(|_| BadId) } else { Err(BadId) }
}

fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Uuid, D::Error> {
    if !from.is_human_readable() {
        return <[u8; 16]>::deserialize(from).map(Uuid::from_bytes);
    }
    let text = Cow::<'de, str>::deserialize(from)?;
    parse(&text).map_err(serde::de::Error::custom)
}

macro_rules! ids {
    ($($(#[doc = $doc:literal])* $name:ident),* $(,)?) => {$(
        $(#[doc = $doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// From a UUID of any version.
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// A time-ordered id (UUIDv7) from this machine's clock and randomness.
            pub fn fresh() -> Self {
                Self(Uuid::now_v7())
            }

            /// As on the bus.
            pub const fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }

            /// From the bytes of [`as_bytes`](Self::as_bytes).
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Uuid::from_bytes(bytes))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.as_hyphenated().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = BadId;
            fn from_str(text: &str) -> Result<Self, BadId> {
                parse(text).map(Self)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                // `Uuid` itself would put its length before its bytes.
                if to.is_human_readable() { to.collect_str(self) } else { self.as_bytes().serialize(to) }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                deserialize(from).map(Self)
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                let description = concat!($($doc),*).trim();
                json_schema!({
                    "type": "string", "format": "uuid", "pattern": PATTERN, "description": description,
                })
            }
        }
    )*};
}

ids! {
    /// A person or a bot.
    UserId,
    /// A direct or group conversation; decides the partition.
    ConversationId,
    /// One event of the log: also `Nats-Msg-Id`, the row's id, `ce_id`, and, for a posted message, the message id.
    EventId,
    /// One log-in on one device; ends at logout or when its refresh token is reused.
    SessionId,
    /// One call's reservation of memberships that it is about to make.
    ReservationId,
    /// A chain of audit records.
    ChainId,
    /// A process of the deployment, from its start to its end.
    NodeId,
}

impl SessionId {
    /// When it was made, in milliseconds since the Unix epoch by the clock of the machine that made it; `None` for an
    /// id that has no time in it.
    pub fn made_at(&self) -> Option<i64> {
        let (seconds, nanos) = self.0.get_timestamp()?.to_unix();
        i64::try_from(seconds).ok()?.checked_mul(1_000)?.checked_add(i64::from(nanos / 1_000_000))
    }
}

/// Position in a partition's log. Rises within a conversation, not by one; 0 is before everything.
pub type Seq = u64;

/// A slice of the log: one JetStream stream. Fixed for a conversation for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Partition(pub u16);

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Partition {
    /// FNV-1a (64 bit) of the id's 16 bytes, modulo the number of partitions. Never changed: a conversation
    /// would move away from its history.
    pub fn of(conversation: ConversationId, partitions: u16) -> Self {
        let hash = conversation.as_bytes().iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        let p = hash % u64::from(partitions.max(1));
        Self(u16::try_from(p).expect("a remainder of a u16 fits a u16"))
    }

    /// Every partition of a deployment, ascending.
    pub fn all(partitions: u16) -> impl Iterator<Item = Self> {
        (0..partitions).map(Self)
    }
}

/// Which of a sender's names for a message its event id comes from.
#[derive(Debug, Clone, Copy)]
pub enum Origin<'a> {
    /// The client's own id for the message, per device.
    Client {
        /// The client's name for its device.
        device: &'a str,
        /// The client's own id for the message.
        client_id: &'a str,
    },
    /// The `Idempotency-Key` of a REST call.
    Key(&'a str),
}

/// The deployment's key for event ids: 32 random bytes made at first start and kept with the partitions.
/// With it no one can guess, and so occupy, the id of another user's message.
#[derive(Clone)]
pub struct EventKey(pub [u8; 32]);

impl EventKey {
    /// The same sender, conversation and origin always give the same id: the root of every deduplication.
    pub fn event_id(&self, user: UserId, conversation: ConversationId, origin: Origin<'_>) -> EventId {
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        hasher.update(user.as_bytes()).update(conversation.as_bytes());
        let mut part = |text: &str| {
            // Lengths first, so that ("ab", "c") and ("a", "bc") differ.
            let length = u64::try_from(text.len()).expect("a length fits 64 bits");
            hasher.update(&length.to_be_bytes()).update(text.as_bytes());
        };
        match origin {
            Origin::Client { device, client_id } => {
                part("client");
                part(device);
                part(client_id);
            }
            Origin::Key(key) => {
                part("key");
                part(key);
            }
        }
        EventId(v8(&hasher.finalize()))
    }
}

/// The one direct conversation of two people, whoever opens it: both orders give the same id.
pub fn direct_conversation(a: UserId, b: UserId) -> ConversationId {
    let (low, high) = if a <= b { (a, b) } else { (b, a) };
    let mut hasher = blake3::Hasher::new_derive_key("natter 2026 direct conversation id");
    hasher.update(low.as_bytes()).update(high.as_bytes());
    ConversationId(v8(&hasher.finalize()))
}

/// The group that a user makes with an `Idempotency-Key`: the same key always gives the same id.
pub fn keyed_group(creator: UserId, key: &str) -> ConversationId {
    let mut hasher = blake3::Hasher::new_derive_key("natter 2026 keyed group id");
    hasher.update(creator.as_bytes()).update(key.as_bytes());
    ConversationId(v8(&hasher.finalize()))
}

/// The id of the event that opens a conversation: a second attempt to open it is a duplicate by id.
pub fn opening_event(conversation: ConversationId) -> EventId {
    let mut hasher = blake3::Hasher::new_derive_key("natter 2026 opening event id");
    hasher.update(conversation.as_bytes());
    EventId(v8(&hasher.finalize()))
}

fn v8(hash: &blake3::Hash) -> Uuid {
    let (head, _) = hash.as_bytes().split_first_chunk::<16>().expect("a hash has 32 bytes");
    Uuid::new_v8(*head)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(n: u128) -> UserId {
        UserId(Uuid::from_u128(n))
    }

    fn room(n: u128) -> ConversationId {
        ConversationId(Uuid::from_u128(n))
    }

    #[test]
    fn an_id_has_one_spelling() {
        let good = "0190b5a0-7a5e-7abc-8def-0123456789ab";
        assert_eq!(good.parse::<UserId>().map(|id| id.to_string()), Ok(good.to_owned()));
        for bad in [
            "0190B5A0-7A5E-7ABC-8DEF-0123456789AB",
            "0190b5a07a5e7abc8def0123456789ab",
            "{0190b5a0-7a5e-7abc-8def-0123456789ab}",
            "urn:uuid:0190b5a0-7a5e-7abc-8def-0123456789ab",
            "*",
            ">",
            "",
            "0190b5a0-7a5e-7abc-8def-0123456789a.",
        ] {
            assert_eq!(bad.parse::<UserId>(), Err(BadId), "{bad}");
        }
    }

    #[test]
    fn a_conversation_stays_in_its_partition_for_ever() {
        let partitions: Vec<u16> = (0..8).map(|n| Partition::of(room(n), 16).0).collect();
        assert_eq!(partitions, [5, 2, 15, 12, 9, 6, 3, 0]);
    }

    #[test]
    fn event_ids_differ_by_every_part_of_their_origin() {
        let key = EventKey([7; 32]);
        let client = |device, client_id| Origin::Client { device, client_id };
        let ids = [
            key.event_id(user(1), room(1), client("d", "c")),
            key.event_id(user(2), room(1), client("d", "c")),
            key.event_id(user(1), room(2), client("d", "c")),
            key.event_id(user(1), room(1), client("dc", "")),
            key.event_id(user(1), room(1), client("d", "cc")),
            key.event_id(user(1), room(1), Origin::Key("c")),
            EventKey([8; 32]).event_id(user(1), room(1), client("d", "c")),
        ];
        let distinct: std::collections::HashSet<_> = ids.iter().collect();
        assert_eq!(distinct.len(), ids.len());
        assert_eq!(ids[0], key.event_id(user(1), room(1), client("d", "c")));
    }

    #[test]
    fn a_key_names_one_group_of_its_user() {
        assert_eq!(keyed_group(user(1), "k"), keyed_group(user(1), "k"));
        assert_ne!(keyed_group(user(1), "k"), keyed_group(user(2), "k"));
        assert_ne!(keyed_group(user(1), "k"), keyed_group(user(1), "l"));
    }

    #[test]
    fn two_people_have_one_direct_conversation() {
        assert_eq!(direct_conversation(user(1), user(2)), direct_conversation(user(2), user(1)));
        assert_ne!(direct_conversation(user(1), user(2)), direct_conversation(user(1), user(3)));
    }
}
