//! Makes a server what the topology says, or says where it is not. `apply` is for provisioning; services call
//! `check` and refuse to start on drift, so nothing is ever made by accident.

mod compare; // settings wanted against settings found
mod current; // what the server has
mod keys; // partitions, epoch and event key in the bucket
mod lost; // what was there and is gone

use std::fmt;

use async_nats::jetstream::Context;
use natter_schemas::{
    decision::DecisionKey,
    id::{EventKey, Partition, Seq},
    limits,
};
use serde_json::Value;

use crate::topology::{Topology, bucket_stream, log_stream};
use compare::SettingChange;
use current::Server;
use keys::Keys;
pub use lost::{Lost, discard, lost};

/// What every process of a deployment agrees on.
#[derive(Clone)]
pub struct Deployment {
    /// How many logs a deployment has; never changed.
    pub partitions: u16,
    /// Changes when a log had to be made again: positions of another epoch mean nothing.
    pub epoch: String,
    /// What event ids are derived with: secret.
    pub event_key: EventKey,
}

/// One thing `apply` did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// It was missing.
    Created(String),
    /// The log begins above everything the store has.
    CreatedAbove {
        /// The stream, consumer or key.
        what: String,
        /// The highest seq in the store.
        highest: Seq,
    },
    /// A setting differed.
    Changed {
        /// The stream, consumer or key.
        what: String,
        /// Its name in the server's JSON.
        setting: String,
        /// The server's value.
        found: String,
        /// This version's value.
        wanted: String,
    },
    /// It was missing.
    KeySet {
        /// Its name.
        key: &'static str,
    },
    /// A log had to be made again.
    EpochRenewed,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Created(what) => write!(f, "{what}: created"),
            Self::CreatedAbove { what, highest } => {
                write!(f, "{what}: created again, above {highest}, the highest seq in the store")
            }
            Self::Changed { what, setting, found, wanted } => {
                write!(f, "{what}: {setting} {found} -> {wanted}")
            }
            Self::KeySet { key } => write!(f, "key {key}: set"),
            Self::EpochRenewed => write!(f, "key epoch: renewed, because a log is made again"),
        }
    }
}

/// Why a server is not, or cannot be made, as the topology wants it.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    #[error(
        "PARTITIONS is {wanted}, but {stored} is stored for this deployment and cannot change: a conversation would move away from its history. Set it to {stored}"
    )]
    /// Another number was chosen when the deployment was made.
    Partitions {
        /// This version's value.
        wanted: u16,
        /// What the deployment has.
        stored: String,
    },
    /// See [`limits::PARTITIONS_MAX`].
    #[error("PARTITIONS is {0}: between 1 and {max} are allowed", max = limits::PARTITIONS_MAX)]
    PartitionsRange(u16),
    /// Only `check` and `drift` fail so.
    #[error("{what} is missing: run `natter migrate`")]
    Missing {
        /// The stream, consumer or key.
        what: String,
    },
    /// Only `check` and `drift` fail so.
    #[error("{what}: {setting} is {found}, but this version wants {wanted}: run `natter migrate`")]
    Drift {
        /// The stream, consumer or key.
        what: String,
        /// Its name in the server's JSON.
        setting: String,
        /// The server's value.
        found: String,
        /// This version's value.
        wanted: String,
    },
    /// The server's own reason.
    #[error("{what} cannot be made as wanted: {reason}")]
    Rejected {
        /// The stream, consumer or key.
        what: String,
        /// For a person to read.
        reason: String,
    },
    #[error(
        "{stream} ends at seq {last}, but the store has events up to {highest}: the log was rolled back or belongs to another store. Restore it, or go on without what it lost: `natter migrate --accept-new-log` makes it again, above the store and in a new epoch"
    )]
    /// Going on would give seqs out a second time.
    Behind {
        /// Its name.
        stream: String,
        /// The last seq it gave out.
        last: Seq,
        /// The highest seq in the store.
        highest: Seq,
    },
    /// Written by something else.
    #[error("the key {key} does not hold what was expected: {reason}")]
    Key {
        /// Its name.
        key: &'static str,
        /// For a person to read.
        reason: String,
    },
    /// May succeed when repeated.
    #[error("JetStream does not answer: {0}")]
    Unavailable(String),
}

/// Makes the server so. Idempotent: the second time there is no difference. `highest` is the highest seq the
/// store holds, by partition: a log that has to be made again starts above it and in a new epoch.
pub async fn apply(
    js: &Context,
    topology: &Topology,
    highest: &[Seq],
) -> Result<(Deployment, Vec<Difference>), ApplyError> {
    check_range(topology.partitions)?;
    let server = Server::new(js);
    let mut differences = Vec::new();
    refuse_other_partitions(&server, topology).await?;
    let missing = missing_logs(&server, topology, highest).await?;

    let mut streams = topology.streams();
    let bucket = streams.remove(0);
    debug_assert_eq!(bucket.name, bucket_stream());
    let was_there = !apply_stream(&server, json_of(&bucket), 0, &mut differences).await?;
    let keys = Keys::open(js).await?;
    let mut deployment = keys.read_or_create(topology.partitions, &mut differences).await?;
    // Before the log is made: a crash in between must not leave a new log in the old epoch.
    if was_there && !missing.is_empty() || missing.iter().any(|p| highest_of(highest, *p) > 0) {
        deployment.epoch = keys.renew_epoch(&mut differences).await?;
    }
    for config in streams {
        let first = Partition::all(topology.partitions).find(|p| log_stream(*p) == config.name);
        let above = first.map_or(0, |p| highest_of(highest, p));
        apply_stream(&server, json_of(&config), above, &mut differences).await?;
    }
    Keys::of_workers(js).await?.make_decision_key(&mut differences).await?;
    for (stream, config) in topology.consumers() {
        apply_consumer(&server, &stream, json_of(&config), &mut differences).await?;
    }
    Ok((deployment, differences))
}

/// Whether a deployment was made on this server, to the end.
pub async fn is_deployed(js: &Context) -> Result<bool, ApplyError> {
    match Server::new(js).stream(&bucket_stream()).await? {
        Some(_) => Ok(Keys::open(js).await?.partitions().await?.is_some()),
        None => Ok(false),
    }
}

/// Before [`apply`] on a server to which the logs of another were put back: ids of events that are sent again come out as
/// they were. The epoch is made by `apply`, and is a new one.
pub async fn adopt_event_key(js: &Context, topology: &Topology, key: &EventKey) -> Result<(), ApplyError> {
    check_range(topology.partitions)?;
    let bucket = json_of(&topology.bucket());
    apply_stream(&Server::new(js), bucket, 0, &mut Vec::new()).await?;
    Keys::open(js).await?.adopt_event_key(key).await
}

/// What services call at their start: the server must already be so.
pub async fn check(js: &Context, topology: &Topology) -> Result<Deployment, ApplyError> {
    if let Some(first) = drift(js, topology).await?.into_iter().next() {
        return Err(first);
    }
    Keys::open(js).await?.read(topology.partitions).await
}

/// What proves the decisions of workers, who alone may read it.
pub async fn decision_key(js: &Context) -> Result<DecisionKey, ApplyError> {
    Keys::of_workers(js).await?.decision_key().await
}

/// Refuses a log that ends below `highest`, the highest seq the store holds, by partition.
pub async fn check_reach(js: &Context, topology: &Topology, highest: &[Seq]) -> Result<(), ApplyError> {
    missing_logs(&Server::new(js), topology, highest).await.map(drop)
}

/// Everything `apply` would make or change, as `check` refuses it. Changes nothing.
pub async fn drift(js: &Context, topology: &Topology) -> Result<Vec<ApplyError>, ApplyError> {
    check_range(topology.partitions)?;
    let server = Server::new(js);
    refuse_other_partitions(&server, topology).await?;
    let mut drift = Vec::new();
    for config in topology.streams() {
        let what = format!("stream {}", config.name);
        let found = server.stream(&config.name).await?.map(|stream| stream.config);
        drift.extend(drift_of(&what, found.as_ref(), &json_of(&config)));
    }
    for (stream, config) in topology.consumers() {
        let wanted = json_of(&config);
        let found = server.consumer(&stream, name_of(&wanted)).await?;
        drift.extend(drift_of(&consumer_name(&stream, &wanted), found.as_ref(), &wanted));
    }
    if server.stream(&bucket_stream()).await?.is_some()
        && let Err(missing) = Keys::open(js).await?.read(topology.partitions).await
    {
        drift.push(missing);
    }
    Ok(drift)
}

const fn check_range(partitions: u16) -> Result<(), ApplyError> {
    if partitions >= 1 && partitions <= limits::PARTITIONS_MAX {
        Ok(())
    } else {
        Err(ApplyError::PartitionsRange(partitions))
    }
}

/// The stored number decides; without one (the bucket was lost) the logs that are there do.
async fn refuse_other_partitions(server: &Server<'_>, topology: &Topology) -> Result<(), ApplyError> {
    let wanted = topology.partitions;
    if server.stream(&bucket_stream()).await?.is_some()
        && let Some(stored) = Keys::open(server.js()).await?.partitions().await?
    {
        return if stored == wanted.to_string() {
            Ok(())
        } else {
            Err(ApplyError::Partitions { wanted, stored })
        };
    }
    let logs = server.log_streams().await?;
    let beyond = logs.iter().filter(|name| Partition::all(wanted).all(|p| log_stream(p) != **name)).count();
    if beyond > 0 { Err(ApplyError::Partitions { wanted, stored: logs.len().to_string() }) } else { Ok(()) }
}

/// Logs that have to be made. One that is there must reach as far as the store.
async fn missing_logs(
    server: &Server<'_>,
    topology: &Topology,
    highest: &[Seq],
) -> Result<Vec<Partition>, ApplyError> {
    let mut missing = Vec::new();
    for p in Partition::all(topology.partitions) {
        match server.stream(&log_stream(p)).await? {
            None => missing.push(p),
            Some(found) if found.last < highest_of(highest, p) => {
                let highest = highest_of(highest, p);
                return Err(ApplyError::Behind { stream: log_stream(p), last: found.last, highest });
            }
            Some(_) => {}
        }
    }
    Ok(missing)
}

fn highest_of(highest: &[Seq], p: Partition) -> Seq {
    highest.get(usize::from(p.0)).copied().unwrap_or(0)
}

/// Returns whether the stream had to be created.
async fn apply_stream(
    server: &Server<'_>,
    mut wanted: Value,
    above: Seq,
    differences: &mut Vec<Difference>,
) -> Result<bool, ApplyError> {
    let name = name_of(&wanted).to_owned();
    let what = format!("stream {name}");
    let Some(found) = server.stream(&name).await? else {
        if above > 0 {
            wanted["first_seq"] = (above + 1).into();
        }
        server.create_stream(&name, &wanted).await?;
        differences.push(match above {
            0 => Difference::Created(what),
            highest => Difference::CreatedAbove { what, highest },
        });
        return Ok(true);
    };
    let changes = compare::changes(&found.config, &wanted);
    if !changes.is_empty() {
        server.update_stream(&name, &compare::overlay(&found.config, &wanted)).await?;
        differences.extend(changes.into_iter().map(|change| changed(&what, change)));
    }
    Ok(false)
}

async fn apply_consumer(
    server: &Server<'_>,
    stream: &str,
    wanted: Value,
    differences: &mut Vec<Difference>,
) -> Result<(), ApplyError> {
    let name = name_of(&wanted).to_owned();
    let what = consumer_name(stream, &wanted);
    let Some(found) = server.consumer(stream, &name).await? else {
        server.put_consumer(stream, &name, &wanted, "create").await?;
        differences.push(Difference::Created(what));
        return Ok(());
    };
    let changes = compare::changes(&found, &wanted);
    if !changes.is_empty() {
        server.put_consumer(stream, &name, &compare::overlay(&found, &wanted), "update").await?;
        differences.extend(changes.into_iter().map(|change| changed(&what, change)));
    }
    Ok(())
}

fn changed(what: &str, SettingChange { setting, found, wanted }: SettingChange) -> Difference {
    Difference::Changed { what: what.to_owned(), setting, found, wanted }
}

fn drift_of(what: &str, found: Option<&Value>, wanted: &Value) -> Vec<ApplyError> {
    let what = what.to_owned();
    let Some(found) = found else { return vec![ApplyError::Missing { what }] };
    let changes = compare::changes(found, wanted).into_iter();
    changes
        .map(|SettingChange { setting, found, wanted }| ApplyError::Drift {
            what: what.clone(),
            setting,
            found,
            wanted,
        })
        .collect()
}

fn consumer_name(stream: &str, config: &Value) -> String {
    format!("consumer {stream}/{}", name_of(config))
}

fn name_of(config: &Value) -> &str {
    config["name"].as_str().unwrap_or_default()
}

fn json_of<T: serde::Serialize>(config: &T) -> Value {
    serde_json::to_value(config).expect("settings of numbers, strings and lists always become JSON")
}
