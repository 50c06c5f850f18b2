use std::collections::BTreeMap;

use natter_schemas::{
    event::{Kind, LogEntry, Message},
    id::Seq,
};
use natter_store::{
    Database,
    conformance::fixtures::{SampleLog, plain, posted},
    scylla::{Options, ScyllaStore, migrate::migrate},
};
use natter_testkit::Cassandra;
use tokio::sync::OnceCell;

/// One keyspace for all: every test makes its own users, conversations and partitions.
pub async fn keyspace() -> &'static Options {
    static KEYSPACE: OnceCell<Options> = OnceCell::const_new();
    KEYSPACE.get_or_init(async || migrated_keyspace(Cassandra::shared().await).await).await
}

/// A new keyspace with every table: some seconds.
pub async fn migrated_keyspace(server: &Cassandra) -> Options {
    let Ok(Database::Scylla(options)) = server.new_keyspace().parse() else {
        panic!("the kit gives such URLs")
    };
    migrate(&options, |_| ()).await.expect("the migrations apply");
    options
}

pub async fn open() -> ScyllaStore {
    Box::pin(ScyllaStore::open(keyspace().await)).await.unwrap()
}

/// Where a bucket begins.
pub fn border(bucket: u64) -> Seq {
    bucket << 20
}

/// `runs` times `length` events, each run half on one side of a bucket's border and half on the other. Messages
/// with edits, reactions and deletions of messages of long before, in other buckets.
pub fn long(runs: u64, length: u64) -> SampleLog {
    let mut sample = SampleLog::of(&[]);
    let mut messages: Vec<Seq> = Vec::new();
    for run in 0..runs {
        // Seqs of a `SampleLog` rise by three.
        sample.skip_to(border(run + 1) - length / 2 * 3);
        for n in 0..length {
            let target = messages.get(messages.len() / 2).copied().unwrap_or_default();
            let kind = match n % 10 {
                6 => Kind::Edited { target, body: plain(&format!("edited in run {run}")) },
                7 | 8 => Kind::Reacted { target, emoji: "👍".to_owned(), on: n % 20 < 10 },
                9 if n % 100 == 99 => Kind::Deleted { target },
                _ => posted(&format!("message {n} of run {run}")),
            };
            let is_message = matches!(kind, Kind::Posted { .. });
            let seq = sample.add(sample.owner, kind);
            messages.extend(is_message.then_some(seq));
        }
    }
    sample
}

/// The log read once, in order.
pub fn fold(log: &[LogEntry]) -> Vec<Message> {
    let mut messages = BTreeMap::new();
    for LogEntry { seq, event } in log {
        if let Kind::Edited { target, .. } | Kind::Deleted { target } | Kind::Reacted { target, .. } =
            event.kind
            && let Some(message) = messages.get_mut(&target)
        {
            Message::apply(message, *seq, event);
        }
        messages.extend(Message::posted(*seq, event).map(|message| (*seq, message)));
    }
    messages.into_values().collect()
}
