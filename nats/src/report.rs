//! What every node is like now: its state and its figures, for an operator's screen. All nodes are asked at once, as for the
//! hops of an event, and nothing is decided by what they answer.

use std::{collections::BTreeMap, pin::Pin, sync::Arc, time::Duration};

use async_nats::{Client, SubscribeError, Subscriber};
use futures_util::StreamExt;
use natter_schemas::id::NodeId;
use serde::{Deserialize, Serialize};
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout_at},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::debug;

use crate::{
    connect::round_trip,
    message::{self, Reader},
    subject,
    trace::NodeName,
};

/// Figures that one question may name.
const MOST_NAMES: usize = 128;
/// Figures of one answer: those of 256 partitions, three times over. What is beyond is cut off at a line.
const MOST_BYTES: usize = 256 * 1024;
/// Questions that a node answers at the same time; it is silent to more.
const AT_ONCE: usize = 4;
/// Nodes that are listened to, as many as a node knows of. Answers of more are left out.
const MOST_NODES: usize = 256;
/// Parts of a node that are listened to; it has nine.
const MOST_PARTS: usize = 32;

/// What is asked of every node.
#[derive(Debug, Serialize, Deserialize)]
struct Question {
    /// Where the answers go: built from an id, so that no question can make a node publish elsewhere.
    asker: NodeId,
    /// Which figures, by the names of samples in the text of `/metrics`.
    names: Vec<String>,
}

/// What a node is like now.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// `ok`, `degraded`, `starting` or `draining`.
    pub status: String,
    /// Whether each part of it works.
    pub parts: BTreeMap<String, bool>,
    /// Lines of `/metrics`, those that were asked for.
    pub figures: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct Answer {
    name: NodeName,
    report: Report,
}

/// Makes a report with these figures.
pub type Reporter = Arc<dyn Fn(Vec<String>) -> Pin<Box<dyn Future<Output = Report> + Send>> + Send + Sync>;

/// This node reports until `stop`; ends on `tracker`.
///
/// # Errors
/// The connection is closed.
pub async fn answer(
    client: Client,
    name: NodeName,
    reporter: Reporter,
    tracker: &TaskTracker,
    stop: CancellationToken,
) -> Result<(), SubscribeError> {
    let mut questions = client.subscribe(subject::REPORT_QUESTION).await?;
    let reader = Reader::new("question for a report");
    let (answering, free) = (tracker.clone(), Arc::new(Semaphore::new(AT_ONCE)));
    tracker.spawn(async move {
        while let Some(Some(message)) = stop.run_until_cancelled(questions.next()).await {
            let Ok(question) = reader.read::<Question>(&message) else { continue };
            let Ok(slot) = Arc::clone(&free).try_acquire_owned() else { continue };
            if question.names.len() > MOST_NAMES {
                continue;
            }
            let (client, name, reporting) = (client.clone(), name.clone(), reporter(question.names));
            answering.spawn(async move {
                let mut report = reporting.await;
                cut(&mut report.figures);
                let (to, answer) = (subject::trace_answer(question.asker), Answer { name, report });
                if let Err(error) = message::send(&client, to, &answer).await {
                    debug!(%error, "not published; whoever asks goes without this node");
                }
                drop(slot);
            });
        }
    });
    Ok(())
}

fn cut(figures: &mut String) {
    if figures.len() > MOST_BYTES {
        let end = figures.as_bytes()[..MOST_BYTES].iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
        figures.truncate(end);
    }
}

/// Asks every node, and waits so long for answers: there may be nodes that no one has heard of yet.
///
/// # Errors
/// The connection is closed.
pub async fn ask(
    client: &Client,
    names: &[&str],
    patience: Duration,
) -> Result<BTreeMap<NodeName, Report>, async_nats::Error> {
    let asker = NodeId::fresh();
    let mut arriving = client.subscribe(subject::trace_answer(asker)).await?;
    // The subscription is written behind: the first answers must not be faster than it.
    round_trip(client).await;
    let names = names.iter().map(|name| (*name).to_owned()).collect();
    message::send(client, subject::REPORT_QUESTION.to_owned(), &Question { asker, names }).await?;
    let reports = collect(&mut arriving, Instant::now() + patience).await;
    let _ = arriving.unsubscribe().await;
    Ok(reports)
}

async fn collect(arriving: &mut Subscriber, deadline: Instant) -> BTreeMap<NodeName, Report> {
    let (mut reports, reader) = (BTreeMap::new(), Reader::new("report"));
    while let Ok(Some(message)) = timeout_at(deadline, arriving.next()).await {
        if let Ok(Answer { name, report }) = reader.read::<Answer>(&message)
            && reports.len() < MOST_NODES
            && report.parts.len() <= MOST_PARTS
        {
            reports.insert(name, report);
        }
    }
    reports
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_cut_off_at_the_end_of_a_line() {
        let mut few = "a 1\nb 2\n".to_owned();
        cut(&mut few);
        assert_eq!(few, "a 1\nb 2\n");
        let mut many = "natter_something_total 1\n".repeat(MOST_BYTES / 20);
        cut(&mut many);
        assert!(many.len() <= MOST_BYTES && many.len() > MOST_BYTES - 30 && many.ends_with("total 1\n"));
    }
}
