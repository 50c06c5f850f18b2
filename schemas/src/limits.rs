//! Every bound of the system in one place, each with its reason. Sizes are bytes unless the name has another unit.

mod http; // what connections and calls of HTTP may hold
mod mail; // what users are sent

use std::{ops::RangeInclusive, time::Duration};

pub use http::*;
pub use mail::*;

// What people may send. A deployment may set those in `Limits` lower.

/// A message's text after UTF-8 encoding: four pages of prose; larger things are files.
pub const CONTENT: usize = 8 * 1024;
/// An HTTP body: a full message, JSON-escaped at worst six times (`\u00XX`), still fits.
pub const HTTP_BODY: usize = 64 * 1024;
/// A socket frame, for the same reason as an HTTP body.
pub const FRAME: usize = 64 * 1024;
/// A username, in characters, all of them ASCII.
pub const USERNAME: RangeInclusive<usize> = 3..=32;
/// 128 bytes bound the cost of hashing; 8 is NIST SP 800-63B's minimum.
pub const PASSWORD: RangeInclusive<usize> = 8..=128;
/// A password at log-in: some of an older deployment's rules are still recognized, megabytes are not hashed.
pub const LOGIN_PASSWORD: usize = 4 * *PASSWORD.end();
/// A refresh token: ours have 43 characters.
pub const REFRESH_TOKEN: usize = 256;
/// RFC 5321 §4.5.3.1.3: a path is at most 256 octets with its brackets.
pub const EMAIL: usize = 254;
/// Names of users and conversations, in characters.
pub const NAME: RangeInclusive<usize> = 1..=100;
/// People named in one call.
pub const PARTICIPANTS_PER_CALL: usize = 500;
/// People in one group: about 170 KB as the event that opens it.
pub const PARTICIPANTS: usize = 10_000;
/// Conversations one user is in: what a user loads at a connect is 20,000 × about 30 B, within one NATS message.
pub const MEMBERSHIPS: usize = 20_000;
/// Users whom one user has blocked: more than one person does by hand in years. All are counted for a new one: 1,000 × 40 B.
pub const BLOCKS: usize = 1_000;
/// Sessions of one user: more browsers and devices than one person has, and scripts that log in and never out. A log-in
/// beyond them ends another session.
pub const SESSIONS: usize = 100;
/// `clientId`, `Idempotency-Key`, `deviceId` and a request's `id`: visible ASCII.
pub const CLIENT_ID: usize = 64;
/// One emoji as people see it, in bytes: the longest family with skin tones has 41.
pub const EMOJI: usize = 64;
/// Different emoji on one message: more than fit a screen's width.
pub const REACTIONS: usize = 20;
/// Different emoji of one user on one message.
pub const REACTIONS_OF_USER: usize = 10;
/// Different emoji that are held of one message. No new one passes [`REACTIONS`], but old logs have more. What is beyond is
/// ignored.
pub const REACTIONS_HELD: usize = 256;
/// Users listed with a reaction; the others are paged. 20 × 20 × 16 B are 6 KiB a message.
pub const REACTORS: usize = 20;
/// Positions in one `resume`: 1,000 × 60 B of JSON is one frame.
pub const RESUME_POSITIONS: usize = 1_000;
/// Missing events that are sent again; with more, loading a page is cheaper for both sides.
pub const RESUME_EVENTS: usize = 500;
/// Missed events in one answer of history, in bytes of their content; the rest is asked for when these are queued. A
/// quarter of what may wait for a socket, which has four under way at most.
pub const REPLAY: usize = 64 * 1024;
/// Such questions of one user that a node has under way, whichever sockets they are for: 50 sockets that come back at once
/// would otherwise ask for 200, and all other users wait behind them. Half of what a worker answers at once.
pub const REPLAYS_OF_USER: usize = 16;
/// Items a page may be asked for.
pub const PAGE: RangeInclusive<usize> = 1..=100;
/// Items of a page without a limit.
pub const PAGE_DEFAULT: usize = 50;
/// Open sessions in one answer, newest first. Whoever has more of them logs out everywhere.
pub const SESSIONS_LISTED: usize = 100;
/// Users one search finds at most.
pub const USER_SEARCH_PAGE: usize = 50;
/// Users one question about presence names at most.
pub const PRESENCE_BATCH: usize = 200;
/// Items of one answer together, as JSON. One item more than fits is never part of it, unless it is the first: a message
/// of control characters with every reaction has 70 KiB.
pub const ANSWER: usize = 1024 * 1024;
/// Conversations an inbox shows at once, if they fit [`ANSWER`].
pub const INBOX: usize = 500;
/// Read marks in one answer to an edge that missed them.
pub const READ_MARKS: usize = 500;
/// Messages that are looked at for one to show as a conversation's last, beginning with the newest: who deletes more at
/// the end of a conversation sees that it was deleted.
pub const PREVIEW: usize = 20;
/// Participants that are part of a conversation requested by id: 1,000 × 700 B are within [`ANSWER`]. All are paged.
pub const PARTICIPANTS_SHOWN: usize = 1_000;
/// Participants in a frame: 70 KiB, a quarter of what may wait for a socket.
pub const PARTICIPANTS_IN_FRAME: usize = 100;
/// Memberships that one look-up of who shares a conversation goes over: 200 people in 250 conversations each, of whom
/// no one does. At 2 µs a row in SQLite they are 100 ms.
pub const SHARING_ROWS: usize = 50_000;
/// Memberships, or blocked conversations, in one answer to an edge: 20,000 × 40 B are 800 KB.
pub const MEMBERSHIPS_PER_CALL: usize = 20_000;
/// Users who have blocked one that are read at once: 80 KB.
pub const BLOCKERS_AT_ONCE: usize = 5_000;
/// Unread messages are counted to here and no further; clients show `99+`.
pub const UNREAD: usize = 100;

/// What one deployment lets people send: each bound is the one of its name above, or stricter (`LIMIT_…`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a message's text: [`CONTENT`].
    pub content: usize,
    /// Bytes of an HTTP body: [`HTTP_BODY`].
    pub http_body: usize,
    /// Bytes of a socket frame: [`FRAME`].
    pub frame: usize,
    /// Characters: [`USERNAME`].
    pub username: RangeInclusive<usize>,
    /// Bytes: [`PASSWORD`].
    pub password: RangeInclusive<usize>,
    /// Characters: [`NAME`].
    pub name: RangeInclusive<usize>,
    /// Characters of `clientId`, `deviceId` and `Idempotency-Key`: [`CLIENT_ID`].
    pub client_id: usize,
    /// [`PARTICIPANTS_PER_CALL`].
    pub participants_per_call: usize,
    /// Members of one group: [`PARTICIPANTS`].
    pub participants: usize,
    /// Conversations of one user: [`MEMBERSHIPS`].
    pub memberships: usize,
    /// Users blocked by one: [`BLOCKS`].
    pub blocks: usize,
    /// Sessions of one user: [`SESSIONS`].
    pub sessions: usize,
    /// Who adds users to groups.
    pub add_by: AddBy,
}

/// Who may add a user to a group (`ADD_BY`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddBy {
    /// Whoever may add members to it.
    Anyone,
    /// Of those, only users who share a conversation with the added one already.
    Shared,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            content: CONTENT,
            http_body: HTTP_BODY,
            frame: FRAME,
            username: USERNAME,
            password: PASSWORD,
            name: NAME,
            client_id: CLIENT_ID,
            participants_per_call: PARTICIPANTS_PER_CALL,
            participants: PARTICIPANTS,
            memberships: MEMBERSHIPS,
            blocks: BLOCKS,
            sessions: SESSIONS,
            add_by: AddBy::Anyone,
        }
    }
}

impl Limits {
    /// Bytes that a frame or a body needs for any message within bounds: its text escaped, and the fields around it.
    pub const fn message_json(&self) -> usize {
        6 * self.content + JSON_FIELDS
    }

    /// Bytes that a body needs for as many people as one call may name: 36 of a UUID, two quotes, a comma.
    pub const fn participants_json(&self) -> usize {
        39 * self.participants_per_call + JSON_FIELDS
    }

    /// Positions in one `resume`, as many as fit a frame: [`RESUME_POSITIONS`] at most.
    pub fn resume_positions(&self) -> usize {
        RESUME_POSITIONS.min(self.frame.saturating_sub(JSON_FIELDS) / POSITION_JSON)
    }
}

/// Bounds of what a deployment may lower them to: below, clients would stop working.
///
/// Passwords this long must be allowed (NIST SP 800-63B §5.1.1.2).
pub const PASSWORD_MAX_LEAST: usize = 64;
/// A UUID as text, which is what most clients name their messages by.
pub const CLIENT_ID_LEAST: usize = 36;
/// A presence query of [`PRESENCE_BATCH`] users fits: 200 × 39 B and the fields around.
pub const HTTP_BODY_LEAST: usize = 16 * 1024;
/// The first frame with its token fits, and some positions to resume from.
pub const FRAME_LEAST: usize = 4 * 1024;

/// What frames and bodies have beside what is long in them: ids, names of fields, an access token of 300 bytes.
const JSON_FIELDS: usize = 1024;
/// One position of a `resume`: a quoted id, a colon, a seq of 20 digits, a comma.
const POSITION_JSON: usize = 60;

// What operators may set.

/// Bytes of `JWT_SECRET`: a shorter key can be guessed (RFC 7518 §3.2: at least the hash's 256 bits).
pub const JWT_SECRET_MIN: usize = 32;
/// Keys of access tokens: a rotation needs two, and every one is looked at for each token.
pub const JWT_KEYS: usize = 16;
/// Characters of a key's id.
pub const JWT_KEY_ID: RangeInclusive<usize> = 1..=64;
/// `PRESENCE_TTL`: below 10 s a slow network takes users offline; above 300 s dead sessions stay too long.
pub const PRESENCE_TTL: RangeInclusive<Duration> = Duration::from_secs(10)..=Duration::from_mins(5);
/// `DRAIN_TIME`: beyond it orchestrators have lost patience.
pub const DRAIN_TIME: Duration = Duration::from_mins(10);
/// `REFRESH_EXPIRES_IN`: browsers forget cookies after 400 days (RFC 6265bis §5.5).
pub const REFRESH_MAX: Duration = Duration::from_hours(400 * 24);
/// `REFRESH_GRACE`: a slow window of the same browser is answered by then; beyond a minute a stolen token is worth more.
pub const REFRESH_GRACE_MAX: Duration = Duration::from_mins(1);
/// Bytes of all partitions' logs together by default: about 32 million messages of 200 B.
pub const LOG_BYTES: i64 = 8 * 1024 * 1024 * 1024;
/// `LOG_MAX_BYTES`, of one partition: about 100 of the biggest messages.
pub const LOG_BYTES_MIN: i64 = 1024 * 1024;

// Log-ins.

/// Attempts to log in to one account that are answered at once: people mistype.
pub const LOG_INS_AT_ONCE: u32 = 5;
/// What an attempt beyond these waits for, from the first one to all later ones: each wait is twice the one before. At one
/// a minute, a list of the 10,000 most common passwords takes a week.
pub const LOG_IN_WAIT: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_mins(1);
/// After so long without an attempt the next ones are answered at once again.
pub const LOG_INS_FORGOTTEN: Duration = Duration::from_hours(1);
/// So long an account knows the networks that it was logged in to from: the default life of a session without use.
pub const LOG_IN_NETWORK_KNOWN: Duration = Duration::from_hours(30 * 24);

// Log-ins by an OpenID Connect provider.

/// From the redirect to the provider until it sends the browser back: to type a password, find a phone, read a code.
pub const PROVIDER_ATTEMPT: Duration = Duration::from_mins(10);
/// A parameter of the address that the provider sends the browser back to: codes of some providers have 1,500 bytes.
pub const PROVIDER_PARAMETER: usize = 4 * 1024;
/// An answer of the provider: documents and key sets have some KiB, tokens of people in many groups some more.
pub const PROVIDER_ANSWER: usize = 256 * 1024;
/// One request to the provider, from the connection to the last byte.
pub const PROVIDER_REQUEST: Duration = Duration::from_secs(4);
/// All requests of one log-in: document, keys, token, profile. Usually the token alone.
pub const PROVIDER_LOG_IN: Duration = Duration::from_secs(10);
/// Log-ins of one worker that wait for the provider at once: 64 × 256 KiB are 16 MiB. Beyond them `unavailable`.
pub const PROVIDER_WAITING: usize = 64;
/// Keys of a provider's set that are looked at: two or three are usual.
pub const PROVIDER_KEYS: usize = 64;
/// A subject: 255 ASCII characters (OpenID Connect Core §2).
pub const PROVIDER_SUBJECT: usize = 255;
/// How far the provider's clock may be from the log's time, in seconds: no one sets both.
pub const PROVIDER_LEEWAY: i64 = 5 * 60;

// Sockets.

/// From the upgrade to `hello`.
pub const HELLO: Duration = Duration::from_secs(10);
/// Idle NAT entries of mobile carriers end after 30 s and more.
pub const PING_EVERY: Duration = Duration::from_secs(25);
/// From a ping to its pong; a socket that is later is closed.
pub const PONG_WITHIN: Duration = Duration::from_secs(10);
/// 256 KiB holds about 1,000 frames: 20 s for a reader at 50/s; 2.6 GB worst case at 10,000 sockets.
pub const OUT_QUEUE: usize = 256 * 1024;
/// What the kernel buffers for a connection beyond that, in bytes; Linux counts its own overhead in, and doubles it. Left to
/// itself it buffers up to 4 MiB, and a reader who is too slow is found minutes later. Enough for 2.5 MB/s at 100 ms.
pub const KERNEL_SEND_BUFFER: u32 = 256 * 1024;
/// Of what is queued, so much is encrypted and written at once: as the frames of one system call, mostly.
pub const TLS_BUFFER: usize = 32 * 1024;
/// A connection that took no byte for so long, while some waited, is of a slow reader.
pub const READER_STALLED: Duration = Duration::from_secs(20);
/// Of a node that drains, one socket leaves in each of these times, unless there are too many for `DRAIN_TIME`: 200/s come to
/// the other nodes, and a `hello` costs well below a millisecond.
pub const SOCKET_LEAVES: Duration = Duration::from_millis(5);
/// How long the client of a socket that had to leave waits before it comes back.
pub const COMES_BACK: RangeInclusive<Duration> = Duration::from_millis(200)..=Duration::from_millis(1_200);
/// How long a socket that leaves waits for answers to what it has asked; one that has none by then asks again elsewhere.
pub const LAST_ANSWERS: Duration = Duration::from_secs(3);
/// How long a slow reader's close frame waits for room in the kernel's buffer before the socket is cut.
pub const SLOW_CLOSE_GRACE: Duration = Duration::from_secs(30);
/// Requests of one socket waiting for their answers; beyond it the socket is not read. 256 × 8 KiB = 2 MiB.
pub const SOCKET_PENDING: usize = 256;
/// Live events of one conversation held while a gap before them is filled; past it they are fetched again.
pub const ROOM_PENDING: usize = 1_000;
/// Sockets of one user on one edge: every tab of a keen user, not a leak.
pub const SOCKETS_PER_USER: usize = 50;
/// Typing is repeated while it lasts; others drop it after this.
pub const TYPING_EXPIRES: Duration = Duration::from_secs(6);
/// A client that types repeats it at most this often; what it sends beyond is not passed on.
pub const TYPING_EVERY: Duration = Duration::from_secs(2);
/// Conversations of which one socket gets typing and presence: more than fit any screen.
pub const JOINED: usize = 200;
/// Members of a joined conversation whose presence is sent with `joined`; that of the others is sent as it changes.
pub const JOINED_ONLINE: usize = 1_000;

/// Heartbeats of one edge waiting for the shared state: one per socket and 15 s, so 16,384 are an edge of 100,000
/// sockets, two seconds behind.
pub const HEARTBEATS_WAITING: usize = 16_384;

// The bus.

/// Finished spans of a process waiting to be exported: half a KiB each are 4 MiB. At 512 a request and 50 ms an answer they
/// are exported at 10,000/s; more than that, or of a collector that is away, is dropped.
pub const SPANS_WAITING: usize = 8_192;
/// Publishes in flight per connection: at 10 ms an ack 512 give 50,000/s.
pub const PUBLISHES_IN_FLIGHT: usize = 512;
/// One attempt; a leader change takes longer and is met by the next attempt.
pub const PUBLISH_ATTEMPT: Duration = Duration::from_secs(3);
/// All attempts together: a leader killed without warning stalls its partition for 7–15 s.
pub const PUBLISH: Duration = Duration::from_secs(30);
/// A membership that is about to be made and was not released counts so long, then the log is asked what became of it. No
/// call of any process is still at it: each has given up within [`PUBLISH`], and looks at the time before it appends.
pub const RESERVED_FOR: Duration = Duration::from_mins(10);
/// A restarted publisher's ids are still known to the stream this long after they were stored.
pub const DUPLICATE_WINDOW: Duration = Duration::from_mins(5);
/// The log reaches back a week: short absences are resumed from it, and all of them while the store is away.
pub const LOG_AGE: Duration = Duration::from_hours(7 * 24);
/// Membership and session changes outlive every access token (`JWT_EXPIRES_IN` may not exceed it).
pub const CONTROL_AGE: Duration = Duration::from_hours(1);
/// A NATS message: a page of 500 full events (500 × 8 KiB) fits; nats-server warns above 8 MiB.
pub const NATS_PAYLOAD: usize = 8 * 1024 * 1024;
/// Logs of a deployment that does not choose.
pub const PARTITIONS_DEFAULT: u16 = 16;
/// Of `natter dev`. Partitions spread a log over servers; on its only one each costs wake-ups, and fsyncs of its own.
pub const PARTITIONS_DEV: u16 = 1;
/// Consumers, connections and streams cost per partition; more than this has no use on real clusters.
pub const PARTITIONS_MAX: u16 = 256;

// Workers.

/// Events persisted in one transaction: one fsync for all of them, about 5 ms of work.
pub const PERSIST_BATCH: usize = 512;
/// Deliveries waiting for their ack: 20 batches under way before a slow store holds the consumer.
pub const PERSIST_ACK_PENDING: i64 = 20_000;
/// Events of one partition on their way to Kafka: at 20 ms for an answer 512 give 25,000/s. Of the biggest events
/// (9 KiB) they are 4.5 MiB, waiting while Kafka is away.
pub const MIRROR_IN_FLIGHT: usize = 512;
/// Deliveries of one partition waiting for Kafka: as many as may be on their way.
pub const MIRROR_ACK_PENDING: i64 = 512;
/// Requests one service answers at once; more wait for their turn.
pub const SERVICE_CONCURRENCY: usize = 256;
/// Requests of one service that wait for their turn; beyond them they are refused at once. At 256 in turn of 100 ms
/// each, 4,096 wait 1.6 s; of 1 KiB and their tasks they are 8 MiB.
pub const SERVICE_WAITING: usize = 4_096;
/// Audit records that wait for the thread that writes them, and as many again that wait for the disk; of those beyond them only
/// the number is kept. At 20 log-ins a second a disk may be full for a minute and a half; of 300 bytes each they are 0.6 MiB.
pub const AUDIT_WAITING: usize = 1_024;
/// Audit records that wait for Kafka; those beyond them are not copied. Of 600 bytes each they are 2.4 MiB.
pub const AUDIT_COPIES_WAITING: usize = 4_096;
/// Bytes of a line of the audit log that is read: a record has less than a tenth of it.
pub const AUDIT_LINE: usize = 16 * 1024;
/// Chains, and of each chain processes that run, that a verification keeps in mind.
pub const AUDIT_CHAINS: usize = 10_000;
/// Log-ins waiting for a hashing thread; the next one is answered with 429.
pub const HASHES_WAITING: usize = 64;
/// Exchanges of one session's refresh tokens within the grace that are kept: ten windows that open at once, three times.
pub const EXCHANGES_KEPT: usize = 32;
/// Sessions beyond a user's that one log-in ends: more than it opens, so that none are left in the end, and few because each
/// has up to 3,000 refresh tokens.
pub const SESSIONS_ENDED_AT_ONCE: usize = 10;
/// Words by which a name is found: more than any name needs; 100 characters have 50 at most.
pub const SEARCH_WORDS: usize = 16;
/// Characters of such a word; longer ones are cut, in names and queries alike. Some characters stand for eighteen.
pub const SEARCH_WORD: usize = 32;
/// Words that begin with a searched one and are looked at: a longer query finds the rest. 1,024 × 60 B.
pub const SEARCH_CANDIDATES: usize = 1_024;
/// A call of a service that has no deadline of its own.
pub const RPC: Duration = Duration::from_secs(5);
/// A send waits for it: some milliseconds, unless workers hang.
pub const RPC_BEFORE_SEND: Duration = Duration::from_secs(1);
/// Events that one call looks up. If all are found, with the longest content, the answer fits a NATS message.
pub const LOOKUP_BATCH: usize = 64;
/// Data keys that one call asks for: of the authors of as many events as a resume sends.
pub const KEYS_IN_CALL: usize = 500;
/// Data keys that a process knows at most: 200 B each, 26 MB.
pub const KEYS_CACHED: usize = 128 * 1024;
/// Users whose keys were revoked a moment ago, as a process remembers them: 100 B each, 1 MB. Beyond them all keys are asked
/// for again.
pub const KEYS_REVOKED: usize = 10_000;
/// How long a process uses a data key before it asks for it again: so long conversations go on without the service.
pub const KEY_CACHED: Duration = Duration::from_mins(5);
/// Hashing waits in a queue: 64 × 40 ms on one core.
pub const RPC_HASHING: Duration = Duration::from_secs(10);
/// [`PROVIDER_LOG_IN`], and the store.
pub const RPC_PROVIDER: Duration = Duration::from_secs(13);

// The store and the shared state.

/// Writes waiting for SQLite's one writing thread; callers beyond it wait. Four full transactions.
pub const SQLITE_WRITES_WAITING: usize = 1_024;
/// Requests of one process to the CQL cluster under way: at 20 ms each 25,000/s. More would only wait in the nodes.
pub const CQL_IN_FLIGHT: u32 = 512;
/// Of these the persisters', so that log-ins do not queue behind a backlog of events.
pub const CQL_PERSIST_IN_FLIGHT: usize = 128;
/// Calls waiting to be written to Redis; callers beyond it wait until they time out. 1,024 × 200 B, or 35 MB when all
/// are full batches of heartbeats.
pub const REDIS_WAITING: usize = 1_024;
