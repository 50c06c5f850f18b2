use natter_runtime::config::Settings;
use natter_schemas::{cloudevent::Content, event::Timestamp, id::UserId, limits};
use natter_store::{Database, Erasure};
use natter_workers::erasure::{Counts, Record, Step, TextCounts};
use serde::Serialize;

use crate::settings;

/// The `typ` of its JWS.
pub const TYPE: &str = "natter-erasure";

/// What was erased, how that was seen, and what is left. Nothing in it says who the user was.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Receipt {
    version: u32,
    user: UserId,
    requested_at: Timestamp,
    finished_at: Option<Timestamp>,
    steps: Vec<Step>,
    /// How often all steps were done again, because something had come meanwhile.
    repeated: u32,
    store: &'static str,
    before: Option<Counts>,
    after: Option<Counts>,
    texts: TextCounts,
    remains: Vec<Remains>,
}

/// What no step can take away.
#[derive(Serialize)]
struct Remains {
    place: &'static str,
    what: &'static str,
    /// Until when at the latest; `None`: for good, or as long as whoever runs the place keeps it.
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<Timestamp>,
}

impl Receipt {
    pub fn of(erasure: &Erasure, settings: &Settings) -> anyhow::Result<Self> {
        let Record { repeated, steps, before, texts, clear_until, after, finished_at, .. } =
            Record::read(&erasure.record)?;
        let cql = matches!(settings::need_database(settings)?, Database::Scylla(_));
        Ok(Self {
            version: 1,
            user: erasure.user,
            requested_at: erasure.requested_at,
            finished_at,
            steps,
            repeated,
            store: if cql { "cql" } else { "sqlite" },
            before,
            after,
            texts,
            remains: remains(settings, cql, (texts, clear_until)),
        })
    }
}

fn remains(
    settings: &Settings,
    cql: bool,
    (texts, clear_until): (TextCounts, Option<Timestamp>),
) -> Vec<Remains> {
    let log_age = i64::try_from(limits::LOG_AGE.as_millis()).unwrap_or(i64::MAX);
    let left = |place, what| Remains { place, what, until: None };
    let mut all = vec![left(
        "log and store",
        "events without texts: who wrote, reacted, joined and left when and where, by id; names that the user gave to groups",
    )];
    if texts.sealed > 0 {
        all.push(left("log and store", "sealed texts, whose keys are destroyed"));
    }
    if texts.emptied > 0 {
        all.push(Remains {
            place: "log",
            what: "texts that were written in clear, until the log forgets them",
            until: clear_until.map(|at| Timestamp(at.0.saturating_add(log_age))),
        });
    }
    if texts.unreadable > 0 {
        all.push(left("store", "damaged events, in conversations of the user, that may be the user's"));
    }
    if cql {
        all.push(left(
            "files of the CQL cluster",
            "deleted rows, until the tables and system.paxos were compacted after gc_grace_seconds; commit logs until the \
             cluster discards them; snapshots of before",
        ));
    }
    let kafka = settings.kafka.as_ref().map(|kafka| kafka.content);
    if kafka == Some(Content::Plain) || (kafka == Some(Content::Sealed) && texts.emptied > 0) {
        all.push(left("Kafka", "records with texts in clear, as long as the topic keeps them"));
    }
    all.push(left(
        "backups of before",
        "names and email address; texts in clear; with the keys, sealed texts. A deployment restored from one has the user \
         again: erase again",
    ));
    all.push(left("shared state", "hashes of login names in counts of log-in attempts, up to 30 days"));
    all
}
