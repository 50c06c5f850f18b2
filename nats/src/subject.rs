//! Every subject of the system. Built from fixed words, a partition number and ids alone: text a person wrote
//! never enters one, so no wildcard or dot can be smuggled in.

use natter_schemas::{
    id::{ConversationId, NodeId, Partition, SessionId, UserId},
    rpc::Service,
};

/// How the subjects of the log begin.
pub(crate) const CONV: &str = "conv.";

/// Where events are published, as traces name it: without ids, of which there is no end.
pub const CONV_TEMPLATE: &str = "conv.{partition}.{conversation}";
/// Where stored events are republished, as traces name it.
pub const LIVE_TEMPLATE: &str = "live.{partition}.{conversation}";

/// Where a conversation's events are published and stored.
pub fn conv(p: Partition, c: ConversationId) -> String {
    format!("conv.{p}.{c}")
}

/// Every conversation of a partition: what its stream stores.
pub(crate) fn conv_all(p: Partition) -> String {
    format!("conv.{p}.*")
}

/// Stored events of a partition as they are republished: what an edge listens to. Never `conv.*`, which
/// also shows what was refused, repeated or not stored.
pub fn live(p: Partition) -> String {
    format!("live.{p}.*")
}

/// Where events of a durable consumer are asked for (ADR-37).
pub fn pull(stream: &str, consumer: &str) -> String {
    format!("$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}")
}

/// Where a pinned client gives its place back (ADR-42), behind the prefix of JetStream's API.
pub fn unpin(stream: &str, consumer: &str) -> String {
    format!("CONSUMER.UNPIN.{stream}.{consumer}")
}

/// Where a user's read mark in a conversation is published and its last value kept.
pub fn reads(p: Partition, c: ConversationId, u: UserId) -> String {
    format!("reads.{p}.{c}.{u}")
}

/// All read marks of a user, wherever they are kept.
pub fn reads_of(u: UserId) -> String {
    format!("reads.*.*.{u}")
}

/// All read marks as they are kept.
pub const READS_ALL: &str = "reads.*.*.*";
/// All read marks as they are republished.
pub const LIVE_READS_ALL: &str = "live-reads.*.*.*";

/// Where changes of a user's memberships and blocks are published.
pub fn control_user(u: UserId) -> String {
    format!("control.user.{u}")
}

/// Where the end of a session is published.
pub fn control_session(s: SessionId) -> String {
    format!("control.session.{s}")
}

/// Whom a CONTROL message concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ControlTo {
    /// Every socket of a user.
    User(UserId),
    /// The sockets of one session.
    Session(SessionId),
}

/// Whom a CONTROL message is for; `None` for any other subject.
pub fn parse_control(subject: &str) -> Option<ControlTo> {
    let (kind, id) = subject.strip_prefix("control.")?.split_once('.')?;
    match kind {
        "user" => id.parse().ok().map(ControlTo::User),
        "session" => id.parse().ok().map(ControlTo::Session),
        _ => None,
    }
}

/// The partition and conversation of any subject that has them as its second and third word.
pub fn parse_conversation(subject: &str) -> Option<(Partition, ConversationId)> {
    let mut words = subject.split('.');
    if !matches!(words.next()?, "conv" | "live" | "reads" | "live-reads" | "signal") {
        return None;
    }
    Some((partition(words.next()?)?, words.next()?.parse().ok()?))
}

/// The partition whose log stores what is published on a subject.
pub(crate) fn parse_log_partition(subject: &str) -> Option<Partition> {
    partition(subject.strip_prefix(CONV)?.split('.').next()?)
}

/// A partition has one spelling, as everything else in a subject: no sign, no zero in front.
fn partition(word: &str) -> Option<Partition> {
    let plain = word == "0" || word.starts_with(|c: char| matches!(c, '1'..='9'));
    plain.then(|| word.parse().ok().map(Partition))?
}

/// The user whose read mark `reads.*` or `live-reads.*` carries.
pub fn parse_reader(subject: &str) -> Option<UserId> {
    let mut words = subject.split('.');
    matches!(words.next()?, "reads" | "live-reads").then_some(())?;
    words.nth(2)?.parse().ok()
}

/// Where typing in a conversation is published: never stored.
pub fn signal(p: Partition, c: ConversationId) -> String {
    format!("signal.{p}.{c}")
}

/// Typing in every conversation of a partition.
pub fn signals(p: Partition) -> String {
    format!("signal.{p}.*")
}

/// Where it is published that a user came online or went offline: never stored.
pub fn presence(u: UserId) -> String {
    format!("presence.{u}")
}

/// Presence of every user.
pub const PRESENCES: &str = "presence.*";

/// One question of a service.
pub fn service(s: Service, name: &str) -> String {
    format!("svc.{}.{name}", s.name())
}

/// The same question from a worker, who alone may ask there.
pub fn service_of_workers(s: Service, name: &str) -> String {
    format!("work.{}.{name}", s.name())
}

/// Whether a client waits for an answer there, and nothing is kept. A caller chooses where its answer goes: a service that
/// answered anywhere would write to a stream for whoever may not.
pub(crate) fn is_inbox(subject: &str) -> bool {
    subject.starts_with("_INBOX.")
}

/// Where every node is asked what it remembers of an event.
pub const TRACE_QUESTION: &str = "trace.question";

/// Where every node shows that it is there.
pub const TRACE_NODE: &str = "trace.node";

/// Where every node is asked for its state and figures.
pub const REPORT_QUESTION: &str = "trace.report";

/// Where nodes answer whoever asked.
pub fn trace_answer(asker: NodeId) -> String {
    format!("trace.answer.{asker}")
}

/// Where a job puts the events of a partition it cannot work on. `job` is one of the program's own names.
pub fn parked(job: &str, p: Partition) -> String {
    format!("parked.{job}.{p}")
}

/// What was parked by one job, of one partition, or by and of all.
pub fn parked_by(job: Option<&str>, p: Option<Partition>) -> String {
    let p = p.map_or_else(|| "*".to_owned(), |p| p.to_string());
    format!("parked.{}.{p}", job.unwrap_or("*"))
}

/// The job that parked an event, and its partition.
pub fn parse_parked(subject: &str) -> Option<(&str, Partition)> {
    let (job, p) = subject.strip_prefix("parked.")?.split_once('.')?;
    Some((job, partition(p)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_gives_back_what_it_was_built_from() {
        let (c, u, p) = (ConversationId::fresh(), UserId::fresh(), Partition(11));
        assert_eq!(parse_conversation(&conv(p, c)), Some((p, c)));
        assert_eq!(parse_conversation(&format!("live.{p}.{c}")), Some((p, c)));
        assert_eq!(parse_conversation(&reads(p, c, u)), Some((p, c)));
        assert_eq!(parse_conversation(&format!("live-reads.{p}.{c}.{u}")), Some((p, c)));
        assert_eq!(parse_conversation(&signal(p, c)), Some((p, c)));
        assert_eq!(parse_reader(&reads(p, c, u)), Some(u));
        assert_eq!(parse_control(&control_user(u)), Some(ControlTo::User(u)));
        assert_eq!(parse_parked(&parked("persist", p)), Some(("persist", p)));
        let session = SessionId::fresh();
        assert_eq!(parse_control(&control_session(session)), Some(ControlTo::Session(session)));
    }

    #[test]
    fn an_inbox_is_no_subject_of_a_stream() {
        assert!(is_inbox("_INBOX.edge.abc"));
        for subject in ["", "_INBOX", "_INBOXES.a", "control.user.x", "$KV.natter.epoch", "a._INBOX.b"] {
            assert!(!is_inbox(subject), "{subject}");
        }
    }

    #[test]
    fn a_foreign_subject_names_no_conversation() {
        for subject in ["", "conv", "conv.1", "conv.x.y", "conv.1.*", "other.1.x", "conv.99999.x"] {
            assert_eq!(parse_conversation(subject), None, "{subject}");
        }
        for subject in ["", "control", "control.user", "control.user.*", "control.room.x"] {
            assert_eq!(parse_control(subject), None, "{subject}");
        }
    }
}
