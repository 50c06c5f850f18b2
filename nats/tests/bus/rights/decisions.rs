//! What each user of `server/accounts.conf` may do: a decision for every subject of the project and every endpoint of
//! JetStream. What is not here fails a test.

use natter_nats::topology::MIRROR;

/// Users with rights of their own; `sys` is of another account.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    Edge,
    Worker,
    Provision,
}

use Role::{Edge, Provision, Worker};

pub const ROLES: [Role; 3] = [Edge, Worker, Provision];

impl Role {
    pub const fn user(self) -> &'static str {
        match self {
            Edge => "edge",
            Worker => "worker",
            Provision => "provision",
        }
    }
}

/// A subject, who may publish to it and who may subscribe to it.
pub struct Subject(pub &'static str, pub &'static [Role], pub &'static [Role]);

const NONE: &[Role] = &[];

pub const SUBJECTS: &[Subject] = &[
    // Events go into the log from both sides; edges subscribe to what was stored.
    Subject("conv.0.c", &[Edge, Worker], NONE),
    Subject("live.0.c", NONE, &[Edge]),
    // Marks are decided by a service.
    Subject("reads.0.c.u", &[Worker], NONE),
    Subject("live-reads.0.c.u", NONE, &[Edge]),
    Subject("signal.0.c", &[Edge], &[Edge]),
    Subject("presence.u", &[Edge, Worker], &[Edge]),
    Subject("control.user.u", &[Worker], NONE),
    Subject("control.session.s", &[Worker], NONE),
    Subject("parked.persist.0", &[Worker], NONE),
    // Without a queue group a subscriber would get every call beside the one that answers it.
    Subject("svc.history.page", &[Edge, Worker], NONE),
    // What arrives here carries no token of a user: workers alone.
    Subject("work.keys.profile", &[Worker], NONE),
    // Every node is asked, and answers where nothing but answers go. Edges do not ask: they need not know who wrote what.
    Subject("trace.node", &[Edge, Worker], &[Edge, Worker]),
    Subject("trace.question", &[Worker], &[Edge, Worker]),
    Subject("trace.report", &[Worker], &[Edge, Worker]),
    Subject("trace.answer.n", &[Edge, Worker], &[Worker]),
    // Epoch and event key.
    Subject("$KV.natter.epoch", &[Provision], NONE),
    // Answers: into inboxes only, and from one's own only.
    Subject("_INBOX.edge.x", &[Worker], &[Edge]),
    Subject("_INBOX.worker.x", &[Worker], &[Worker]),
    Subject("_INBOX.provision.x", &[Worker], &[Provision]),
    Subject("$SRV.PING", NONE, &[Worker]),
    Subject("$SRV.INFO.history", NONE, &[Worker]),
    Subject("$JS.ACK.CONV_0.persist.1.1.1.1.0", &[Worker], NONE),
    Subject("$JS.SNAPSHOT.ACK.CONV_0.x", &[Provision], NONE),
    Subject("$JS.SNAPSHOT.RESTORE.CONV_0.x", &[Provision], NONE),
    Subject("$JS.FC.CONTROL.x", NONE, NONE),
    Subject("$JS.EVENT.ADVISORY.API", NONE, NONE),
    Subject("$SYS.REQ.ACCOUNT.PING.STATZ", &[Edge, Worker], NONE),
    Subject("$SYS.REQ.ACCOUNT.PING.CONNZ", NONE, NONE),
    Subject("$SYS.REQ.SERVER.PING.HEALTHZ", NONE, NONE),
    Subject("$OBJ.natter.C.x", NONE, NONE),
    Subject("unknown.subject", NONE, NONE),
];

/// Wider than what is decided above: no user subscribes to more than one kind of subject at once.
pub const TOO_WIDE: &[&str] = &[
    ">",
    "*.>",
    "*",
    "conv.>",
    "live.>",
    "live-reads.>",
    "reads.>",
    "signal.>",
    "control.>",
    "parked.>",
    "svc.>",
    "svc.*.*",
    "work.*.*",
    "trace.>",
    "_INBOX.>",
    "_INBOX.*.>",
    "_R_.>",
    "$JS.>",
    "$JS.API.>",
    "$JS.ACK.>",
    "$KV.>",
    "$SYS.>",
];

/// Of which streams and consumers a user may ask an endpoint.
pub enum Of {
    Nothing,
    Everything,
    Stream(&'static str),
    Streams(&'static [&'static str]),
    Consumer(&'static str),
}

use Of::{Consumer, Everything, Nothing, Stream, Streams};

impl Of {
    pub fn allows(&self, stream: &str, consumer: &str) -> bool {
        match self {
            Nothing => false,
            Everything => true,
            Stream(one) => *one == stream,
            Streams(some) => some.contains(&stream),
            Consumer(one) => *one == consumer,
        }
    }
}

/// An endpoint behind `$JS.API.`, with what an edge and a worker may ask of it; `provision` may everything. The first
/// `*` is a stream, the second a consumer.
pub struct Endpoint(pub &'static str, pub Of, pub Of);

const FOLLOWED: &[&str] = &["CONTROL", "PARKED"];

pub const ENDPOINTS: &[Endpoint] = &[
    // What `check` asks at the start.
    Endpoint("INFO", Everything, Everything),
    Endpoint("STREAM.NAMES", Everything, Everything),
    Endpoint("STREAM.INFO.*", Everything, Everything),
    Endpoint("CONSUMER.INFO.*.*", Everything, Everything),
    // Reading what is stored.
    Endpoint("DIRECT.GET.*", Nothing, Everything),
    Endpoint("DIRECT.GET.*.$KV.natter.epoch", Stream("KV_natter"), Everything),
    Endpoint("STREAM.MSG.GET.*", Nothing, Everything),
    // Consumers: those of the topology are there, and two streams are read in order.
    Endpoint("CONSUMER.CREATE.*", Stream("CONTROL"), Streams(FOLLOWED)),
    Endpoint("CONSUMER.CREATE.*.*", Stream("CONTROL"), Streams(FOLLOWED)),
    Endpoint("CONSUMER.CREATE.*.*.filter", Stream("CONTROL"), Streams(FOLLOWED)),
    Endpoint("CONSUMER.DURABLE.CREATE.*.*", Nothing, Nothing),
    Endpoint("CONSUMER.MSG.NEXT.*.*", Stream("CONTROL"), Everything),
    Endpoint("CONSUMER.DELETE.*.*", Stream("CONTROL"), Streams(FOLLOWED)),
    Endpoint("CONSUMER.UNPIN.*.*", Nothing, Consumer(MIRROR)),
    Endpoint("CONSUMER.RESET.*.*", Nothing, Nothing),
    Endpoint("CONSUMER.PAUSE.*.*", Nothing, Nothing),
    Endpoint("CONSUMER.LIST.*", Nothing, Nothing),
    Endpoint("CONSUMER.NAMES.*", Nothing, Nothing),
    Endpoint("CONSUMER.LEADER.STEPDOWN.*.*", Nothing, Nothing),
    Endpoint("CONSUMER.PEER.REMOVE.*.*", Nothing, Nothing),
    Endpoint("CONSUMER.PEER.EVACUATE.*.*", Nothing, Nothing),
    // Streams: a worker takes out what a person has looked at, and read marks of users who are erased.
    Endpoint("STREAM.MSG.DELETE.*", Nothing, Stream("PARKED")),
    Endpoint("STREAM.CREATE.*", Nothing, Nothing),
    Endpoint("STREAM.UPDATE.*", Nothing, Nothing),
    Endpoint("STREAM.DELETE.*", Nothing, Nothing),
    Endpoint("STREAM.PURGE.*", Nothing, Stream("READS")),
    Endpoint("STREAM.SNAPSHOT.*", Nothing, Nothing),
    Endpoint("STREAM.RESTORE.*", Nothing, Nothing),
    Endpoint("STREAM.LIST", Nothing, Nothing),
    Endpoint("STREAM.LEADER.STEPDOWN.*", Nothing, Nothing),
    Endpoint("STREAM.PEER.REMOVE.*", Nothing, Nothing),
    Endpoint("STREAM.PEER.EVACUATE.*", Nothing, Nothing),
    Endpoint("STREAM.CANCEL_MOVE.*", Nothing, Nothing),
    // The cluster.
    Endpoint("ACCOUNT.PURGE.*", Nothing, Nothing),
    Endpoint("ACCOUNT.STREAM.MOVE.*.*", Nothing, Nothing),
    Endpoint("ACCOUNT.STREAM.CANCEL_MOVE.*.*", Nothing, Nothing),
    Endpoint("META.LEADER.STEPDOWN", Nothing, Nothing),
    Endpoint("META.RESCUE", Nothing, Nothing),
    Endpoint("SERVER.REMOVE", Nothing, Nothing),
    Endpoint("SERVER.EVACUATE", Nothing, Nothing),
];
