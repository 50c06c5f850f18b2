//! What is kept for good: accounts, conversations, history, read marks. One trait of queries for each noun, named
//! after what they are for, and two implementations of all of them; no other crate writes a query.
//!
//! The log is the truth for conversations: [`EventStore::persist`] applies its events, any number of times and in
//! any order, always to the same result. Accounts, sessions, blocks and read marks exist only here.

#![cfg_attr(test, allow(clippy::unwrap_used))]
#![warn(missing_docs)]

mod accounts; // users and passwords
mod sessions; // log-ins and their refresh tokens
mod identities; // who they are at providers
mod one_time_tokens; // what was sent to them
mod blocks; // who has blocked whom
mod keys; // what users' content is sealed with
mod erasures; // users' data destroyed

mod events; // the log's events
mod messages; // read back in their present state
mod conversations; // shape, name, activity
mod members; // who is in, as what, since when
mod reservations; // who is about to be
mod read_marks; // how far users have read
mod read_position; //   and what they want to read again

pub mod sqlite; // the embedded store: one file, no server
pub mod scylla; // the store at scale: CQL
mod database; // DATABASE_URL: which of the two, and where
pub mod migration; // where a store's schema is

#[cfg(feature = "conformance")]
pub mod conformance; // what every implementation must do

mod damage; // stored events that cannot be read
pub mod profile; // addresses and names as they are stored
mod fold; // upper and lower case made alike
mod words; // users are found by words of their names

use async_trait::async_trait;

pub use accounts::{AccountStore, AddUser, Credentials, no_password};
pub use blocks::BlockStore;
pub use conversations::{ConversationRow, ConversationStore, ListedRow};
pub use database::{BadUrl, Database};
pub use erasures::{Erasure, ErasureStore, Traces, without_text};
pub use events::EventStore;
pub use identities::{Identity, IdentityStore};
pub use keys::{KeyPurpose, KeyStore, UserKeys, WrappedDataKey, WrappedUserKey};
pub use members::{MemberRow, MemberStore};
pub use messages::MessageStore;
pub use one_time_tokens::{OneTimeToken, OneTimeTokenStore, TokenPurpose};
pub use read_marks::ReadMarkStore;
pub use read_position::{ReadPosition, UnreadMark};
pub use reservations::{Reservation, ReservationStore};
pub use sessions::{AddSession, Exchange, NewSession, Renewal, Seed, SessionStore, TokenHash};

/// Why a call failed, by what the caller can do about it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// Out of reach, busy past its bound, out of disk: the same call may succeed later.
    #[error("the store is not available: {0}")]
    Unavailable(String),
    /// What was read is not what was written, or the schema is not this program's.
    #[error("the store holds what this program cannot read: {0}")]
    Corrupt(String),
}

/// Of every call.
pub type Result<T> = std::result::Result<T, StoreError>;

/// Everything that is stored. Whoever needs one noun names its trait: `Arc<dyn Store>` is also an
/// `Arc<dyn AccountStore>`.
#[async_trait]
pub trait Store:
    AccountStore
    + SessionStore
    + IdentityStore
    + OneTimeTokenStore
    + BlockStore
    + KeyStore
    + ErasureStore
    + EventStore
    + MessageStore
    + ConversationStore
    + MemberStore
    + ReservationStore
    + ReadMarkStore
{
    /// Fails when the store does not answer now.
    async fn ready(&self) -> Result<()>;

    /// Finishes the writes that are under way, then lets go of files and connections. Later calls are `Unavailable`.
    async fn close(&self);
}
