//! What connections and calls of HTTP may hold, and for how long.

use std::time::Duration;

/// An access token, in bytes: ours have a few hundred; longer ones are not parsed.
pub const ACCESS_TOKEN: usize = 2_048;
/// From the header to the end of the body.
pub const HTTP_BODY_TIMEOUT: Duration = Duration::from_secs(15);
/// A connection whose client takes none of the answer for this long is ended: what waits in it is held by this side.
pub const HTTP_WRITE_STALL: Duration = Duration::from_secs(15);
/// A request that is answered before its end (too large, without a log-in, too often) is read on for this long and this far,
/// unseen, so that its client gets to read the answer: sixteen bodies, which it could have sent as requests of their own.
pub const HTTP_LINGER: Duration = Duration::from_secs(5);
/// Bytes of that.
pub const HTTP_LINGER_BYTES: usize = 16 * super::HTTP_BODY;
/// Connections of one node by default, a socket or an HTTP connection each: at 40 KiB, 4 GB.
pub const CONNECTIONS: usize = 100_000;
/// Of all connections, one address has this part by default: a fourth.
pub const CONNECTIONS_PART_OF_ADDRESS: usize = 4;
/// Open files that connections never get: the store, NATS, Redis, and what is open to refuse a connection.
pub const RESERVED_FILES: usize = 256;
/// Calls of one user that a node works at, each until its answer is taken: as many as a browser makes at once, and two. A page
/// of [`super::ANSWER`] is here four times while it is made, so they are 32 MiB at worst, and 8 MiB while no one reads them.
pub const CALLS_OF_USER: usize = 8;
/// Others wait for their turn before anything of their bodies is asked for: with 20 KiB for each connection, 1.3 MiB.
pub const CALLS_OF_USER_WAITING: usize = 64;
/// How long they wait: less than a client waits for an answer.
pub const CALL_WAITS: Duration = Duration::from_secs(5);
/// Of a body that is too large, so much is read and discarded; then the connection is cut.
pub const HTTP_BODY_DISCARDED: usize = 1024 * 1024;

/// TLS handshakes of the admin port at one time: it is for a few clients of an inner network.
pub const ADMIN_HANDSHAKES: usize = 64;

/// From accept, or the first byte of a later request, to the end of its header; with TLS also from accept to the end of the
/// handshake.
pub const HTTP_HEADER: Duration = Duration::from_secs(10);
/// A connection is kept for so long between requests: longer than usual proxies keep theirs (60 s), so that they close it. Where
/// the server closes first, a request on its way is lost, and what is no GET cannot be sent again.
pub const HTTP_IDLE: Duration = Duration::from_secs(75);
/// From the header to the answer, body included.
pub const HTTP_REQUEST: Duration = Duration::from_mins(1);
