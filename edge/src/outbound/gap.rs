//! Gaps are filled from history. Two signs show them: an event that does not chain to the last one sent, and
//! a partition's head that this edge has not seen although time has passed.

use std::{sync::Arc, time::Duration};

use natter_schemas::{
    backoff::Backoff,
    id::{ConversationId, Partition, Seq},
    rpc::{LogHeads, Replay, RoomHeads, RpcError},
};
use tokio::time::{Interval, MissedTickBehavior, interval};
use tracing::{debug, warn};

use super::{arrivals::Comparison, hub::Hub, missed::Missed, room::Action};

/// Twice this, plus the repair, is below the contract's 2 s.
const WATCH: Duration = Duration::from_millis(500);
/// Between attempts while history does not answer.
const RETRY: Duration = Duration::from_millis(200);
const RETRY_MAX: Duration = Duration::from_secs(5);
/// Conversations in one request for heads.
const HEADS: usize = 500;

/// Fills one room's gap; a task of its own, at most one a room.
pub async fn repair(hub: Arc<Hub>, conversation: ConversationId) {
    metrics::counter!("natter_gaps_found_total").increment(1);
    let started = std::time::Instant::now();
    let mut backoff = Backoff::new(RETRY, RETRY_MAX);
    let mut missed: Option<Missed> = None;
    loop {
        // The next one after a failure: who was chosen may have just been removed.
        let attempt = usize::try_from(backoff.failures()).unwrap_or(usize::MAX);
        let found = hub.with_room(conversation, |room| room.last().zip(room.member(attempt))).flatten();
        let Some((after, member)) = found else { return };
        let part = missed.take().filter(|missed| missed.after == after);
        let mut part = part.unwrap_or_else(|| Missed::by_room(member, conversation, after));
        match fetch(&hub, &mut part, conversation).await {
            Some(replay) => {
                missed = Some(part);
                let progress = replay.more || !replay.events.is_empty();
                let action = hub.with_room(conversation, |room| room.replay(&replay));
                if action != Some(Action::Repair) {
                    hub.act(conversation, action.unwrap_or(Action::None));
                    break;
                }
                if progress {
                    continue;
                }
            }
            None if hub.stopping() => {
                hub.with_room(conversation, |room| {
                    room.repair_abandoned();
                    Action::None
                });
                return;
            }
            None => {}
        }
        // History is behind or away; what waits stays in order, so nothing is lost by waiting.
        tokio::time::sleep(backoff.next_delay()).await;
    }
    metrics::counter!("natter_gaps_filled_total").increment(1);
    metrics::histogram!("natter_gap_fill_seconds").record(started.elapsed());
    debug!(%conversation, "gap filled");
}

/// Heads as they were a tick ago: on a healthy connection what is up to there has long arrived.
pub struct OldHeads {
    ticks: Interval,
    heads: Vec<Seq>,
}

impl Default for OldHeads {
    fn default() -> Self {
        let mut ticks = interval(WATCH);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { ticks, heads: Vec::new() }
    }
}

impl OldHeads {
    pub async fn next_tick(&mut self) {
        self.ticks.tick().await;
    }

    pub fn replace(&mut self, heads: Vec<Seq>) -> Vec<Seq> {
        std::mem::replace(&mut self.heads, heads)
    }
}

/// Watches the partitions' heads: an edge that lost the last event of a partition sees nothing else of it.
pub async fn watch(hub: Arc<Hub>) {
    let mut heads = OldHeads::default();
    loop {
        tokio::select! {
            () = hub.stopped() => return,
            () = heads.next_tick() => {}
        }
        // The client has logged why there is no answer.
        let Ok(now) = hub.rpc.call(&LogHeads).await else { continue };
        let old = heads.replace(now.clone());
        for (p, now) in Partition::all(hub.partitions).zip(now) {
            let old = old.get(usize::from(p.0)).copied().unwrap_or(0);
            if let Some(missing) = hub.arrivals(p, |arrivals| arrivals.head(old, now)).flatten() {
                compare(&hub, p, missing).await;
            }
        }
    }
}

/// Compares every room of a partition with its head, until nothing is missing; rooms behind theirs repair themselves.
/// When there is no answer the watch begins again.
pub async fn compare(hub: &Arc<Hub>, partition: Partition, missing: Comparison) {
    if missing.after > 0 {
        let Comparison { after, up_to: head } = missing;
        warn!(%partition, after, head, "live events did not arrive; comparing every room with its head");
    }
    let mut next = Some(missing);
    while let Some(comparison) = next {
        let made = update_rooms(hub, partition).await.ok().map(|()| comparison);
        next = hub.arrivals(partition, |arrivals| arrivals.compared(made)).flatten();
    }
}

async fn update_rooms(hub: &Arc<Hub>, partition: Partition) -> Result<(), RpcError> {
    let rooms = hub.rooms(partition);
    for conversations in rooms.chunks(HEADS) {
        let request = RoomHeads { conversations: conversations.to_vec() };
        let answers = hub.rpc.call(&request).await?;
        for (conversation, head) in conversations.iter().zip(answers) {
            hub.update(*conversation, |room| room.head(head));
        }
    }
    Ok(())
}

async fn fetch(hub: &Hub, missed: &mut Missed, conversation: ConversationId) -> Option<Replay> {
    match missed.next(&hub.rpc, &hub.keys).await {
        Ok(replay) => Some(replay),
        Err(error) => {
            let after = missed.after;
            warn!(%conversation, after, %error, "history did not return the events of a gap; asking again");
            None
        }
    }
}
