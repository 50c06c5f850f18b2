//! A real store that fails on command, as one does whose disk is full or whose server is gone.

use std::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    time::Duration,
};

use async_trait::async_trait;
use natter_schemas::{
    event::{LogEntry, Message, Shape, Timestamp},
    id::{ConversationId, EventId, Partition, Seq, SessionId, UserId},
    rpc::{ListCursor, Membership, User, Window},
};
use natter_store::{
    AccountStore, AddSession, AddUser, BlockStore, ConversationRow, ConversationStore, Credentials, Erasure,
    ErasureStore, EventStore, Exchange, Identity, IdentityStore, KeyPurpose, KeyStore, ListedRow, MemberRow,
    MemberStore, MessageStore, NewSession, OneTimeToken, OneTimeTokenStore, ReadMarkStore, ReadPosition,
    Renewal, Reservation, ReservationStore, Result, SessionStore, Store, StoreError, TokenHash, TokenPurpose,
    Traces, UnreadMark, UserKeys, WrappedDataKey, WrappedUserKey, sqlite::SqliteStore,
};
use tokio::time::sleep;

/// What a call of a cluster takes that is gone, with all attempts.
const GIVES_UP: Duration = Duration::from_secs(6);

pub struct Faulty {
    real: SqliteStore,
    away: AtomicBool,
    slow: AtomicBool,
    calls: AtomicUsize,
    failures: AtomicUsize,
}

impl Faulty {
    pub fn new(real: SqliteStore) -> Self {
        let [away, slow] = Default::default();
        Self { real, away, slow, calls: AtomicUsize::new(0), failures: AtomicUsize::new(0) }
    }

    pub fn set_away(&self, away: bool) {
        self.away.store(away, Ordering::SeqCst);
    }

    /// Away like a cluster, whose driver looks for a node before it says so.
    pub fn set_gone(&self, gone: bool) {
        self.slow.store(gone, Ordering::SeqCst);
        self.set_away(gone);
    }

    /// Calls so far.
    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    /// Calls that failed so far.
    pub fn failures(&self) -> usize {
        self.failures.load(Ordering::SeqCst)
    }

    async fn check(&self) -> Result<()> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        if self.away.load(Ordering::SeqCst) {
            if self.slow.load(Ordering::SeqCst) {
                sleep(GIVES_UP).await;
            }
            self.failures.fetch_add(1, Ordering::SeqCst);
            return Err(StoreError::Unavailable("made unavailable".to_owned()));
        }
        Ok(())
    }
}

macro_rules! pass {
    ($($noun:ident { $(fn $name:ident($($arg:ident: $type:ty),*) -> $reply:ty;)* })*) => {
        $(#[async_trait]
        impl $noun for Faulty {
            $(async fn $name(&self, $($arg: $type),*) -> Result<$reply> {
                self.check().await?;
                self.real.$name($($arg),*).await
            })*
        })*
    };
}

pass! {
    AccountStore {
        fn add_user(user: &User, password_hash: &str) -> AddUser;
        fn users(ids: &[UserId]) -> Vec<User>;
        fn credentials(login: &str) -> Option<Credentials>;
        fn credentials_of(user: UserId) -> Option<Credentials>;
        fn search_users(prefix: &str, limit: usize) -> Vec<User>;
        fn set_display_name(user: UserId, name: &str) -> Option<User>;
        fn users_after(after: Option<UserId>, most: usize) -> Vec<User>;
        fn replace_profile(from: &User, to: &User) -> bool;
        fn set_password_hash(user: UserId, password_hash: &str, by: Option<SessionId>) -> ();
    }
    SessionStore {
        fn add_session(opened: &NewSession) -> AddSession;
        fn renew_session(exchange: &Exchange) -> Renewal;
        fn end_excess_sessions(user: UserId, opened: SessionId, most: usize) -> Vec<SessionId>;
        fn end_session(session: SessionId) -> ();
        fn sessions_of(user: UserId, now: Timestamp) -> Vec<SessionId>;
    }
    IdentityStore {
        fn user_of_identity(identity: &Identity) -> Option<UserId>;
        fn claim_identity(identity: &Identity, user: UserId) -> UserId;
        fn move_identity(identity: &Identity, from: UserId, to: UserId) -> bool;
        fn identities_of(user: UserId) -> Vec<Identity>;
        fn remove_identities(user: UserId) -> ();
    }
    OneTimeTokenStore {
        fn put_one_time_token(user: UserId, purpose: TokenPurpose, token: &OneTimeToken, now: Timestamp) -> ();
        fn take_one_time_token(user: UserId, purpose: TokenPurpose, hash: &TokenHash) -> Option<Timestamp>;
        fn find_one_time_token(user: UserId, purpose: TokenPurpose, hash: &TokenHash) -> Option<Timestamp>;
        fn remove_one_time_tokens(user: UserId) -> ();
    }
    ConversationStore {
        fn conversation(id: ConversationId) -> Option<ConversationRow>;
        fn list_conversations(user: UserId, after: Option<ListCursor>, limit: usize) -> Vec<ListedRow>;
        fn unread(user: UserId, most: usize) -> Vec<(ListedRow, usize)>;
        fn heads(conversations: &[ConversationId]) -> Vec<Seq>;
        fn conversations_after(after: Option<ConversationId>, most: usize) -> Vec<ConversationId>;
    }
    MemberStore {
        fn members(id: ConversationId) -> Vec<MemberRow>;
        fn membership(conversation: ConversationId, user: UserId) -> Option<Membership>;
        fn memberships(user: UserId) -> Vec<Membership>;
        fn sharing(user: UserId, others: &[UserId], shape: Option<Shape>, most: usize) -> Vec<UserId>;
    }
    ReservationStore {
        fn reserve(reservation: Reservation, users: &[UserId], most: usize) -> Vec<UserId>;
        fn release(reservation: Reservation, users: &[UserId]) -> ();
        fn reservations(user: UserId) -> Vec<Reservation>;
    }
    BlockStore {
        fn block(user: UserId, other: UserId, at: Timestamp, most: usize) -> bool;
        fn unblock(user: UserId, other: UserId) -> ();
        fn blocks_of(user: UserId) -> Vec<UserId>;
        fn blockers(user: UserId, after: Option<UserId>, most: usize) -> Vec<UserId>;
        fn blocked_with(user: UserId, others: &[UserId]) -> Vec<UserId>;
        fn blocked_by(user: UserId, others: &[UserId]) -> Vec<UserId>;
    }
    KeyStore {
        fn keys(users: &[UserId], purpose: KeyPurpose) -> Vec<UserKeys>;
        fn add_user_key(user: UserId, key: &WrappedUserKey) -> bool;
        fn user_keys_after(after: Option<UserId>, most: usize) -> Vec<(UserId, WrappedUserKey)>;
        fn replace_user_key(user: UserId, from: &WrappedUserKey, to: &WrappedUserKey) -> bool;
        fn add_data_key(user: UserId, purpose: KeyPurpose, key: &WrappedDataKey) -> bool;
        fn remove_data_key(user: UserId, purpose: KeyPurpose, epoch: u32) -> bool;
    }
    ErasureStore {
        fn request_erasure(user: UserId, at: Timestamp) -> bool;
        fn erasure(user: UserId) -> Option<Erasure>;
        fn open_erasures(most: usize) -> Vec<Erasure>;
        fn record_erasure(user: UserId, from: &[u8], to: &[u8], done: bool) -> bool;
        fn traces(user: UserId) -> Traces;
        fn conversations_ever(user: UserId) -> Vec<ConversationId>;
        fn erase_keys(user: UserId) -> ();
        fn erase_sessions(user: UserId) -> ();
        fn erase_marks(user: UserId, conversations: &[ConversationId]) -> ();
        fn erase_profile(user: UserId) -> ();
        fn erase_texts(conversation: ConversationId, seqs: &[Seq]) -> ();
        fn overwrite_erased() -> ();
    }
    EventStore {
        fn persist(partition: Partition, events: &[LogEntry]) -> ();
        fn highest(partition: Partition) -> Seq;
        fn events_from(conversation: ConversationId, after: Seq, up_to: Seq, limit: usize) -> Vec<LogEntry>;
        fn find_event(conversation: ConversationId, id: EventId) -> Option<LogEntry>;
        fn reseal(conversation: ConversationId, events: &[LogEntry]) -> ();
        fn forget_replaced(rewrite: bool) -> ();
    }
    MessageStore {
        fn messages(conversation: ConversationId, window: Window, up_to: Seq, limit: usize) -> Vec<Message>;
        fn message(conversation: ConversationId, seq: Seq, up_to: Seq) -> Option<Message>;
    }
    ReadMarkStore {
        fn advance_read(conversation: ConversationId, user: UserId, seq: Seq, at: Timestamp) -> Seq;
        fn read_mark(conversation: ConversationId, user: UserId) -> Seq;
        fn read_position(conversation: ConversationId, user: UserId) -> ReadPosition;
        fn mark_unread(conversation: ConversationId, user: UserId, mark: UnreadMark) -> ();
        fn end_unread(conversation: ConversationId, user: UserId, version: u64) -> ();
        fn countable(conversation: ConversationId, user: UserId, after: Seq, up_to: Seq, limit: usize) -> Vec<Seq>;
    }
}

#[async_trait]
impl Store for Faulty {
    async fn ready(&self) -> Result<()> {
        self.check().await?;
        self.real.ready().await
    }

    async fn close(&self) {
        self.real.close().await;
    }
}
