//! Messages and events. A page is rows up to the persister's floor plus the log above it, so it has every event of
//! its range, also those no worker has written yet. Above the floor the log answers, below it the store; and
//! where the log alone reaches far enough, a store that is away does not matter.

mod compose; // pure: rows and events become a page
mod floors; // up to where everything is stored
mod heads; // newest positions
mod recent; // which conversations have events above the floor
mod page; // messages in their present state
mod reactors; // who reacted to a message
mod replay; // events as they were logged
mod tail; // the log above the floor
mod older_events; //   what is held of one that is too long
mod read_tail; // read from the log, and remembered

use std::{sync::Arc, time::Duration};

use futures_util::future::try_join_all;
use moka::future::Cache;
use natter_nats::{
    log::LogReader,
    service::{RpcServer, ServiceError},
};
use natter_runtime::unreadable::Unreadable;
use natter_schemas::{
    code::Code,
    event::{LogEntry, Message},
    id::{ConversationId, Partition, Seq},
    limits,
    rpc::{
        EventsAfter, FindEvent, FindOlderEvents, GetHead, GetMessage, GetPage, GetTarget, ListReactors,
        LogHeads, Page, PageReply, RoomEventsAfter, RoomHeads, Target, Window,
    },
};
use natter_store::{Store, StoreError};
use tokio::{sync::Semaphore, time::timeout};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use compose::{cut, present};
pub use floors::{Floors, FloorsError};
pub use tail::{Portion, Tail};

use super::Failure;

/// Rows of pages in memory: 64 MiB are about 4,000 pages of 50 short messages.
const PAGES: u64 = 64 * 1024 * 1024;
/// A page whose floor has moved on is never asked for again.
const PAGE_IDLE: Duration = Duration::from_secs(30);
/// A floor may stand still for long, and stored texts be sealed with other keys meanwhile: an old key is removed only after
/// more than this.
const PAGE_LIFE: Duration = Duration::from_secs(20);
/// Tails in memory: 64 MiB are about 130,000 events.
const TAILS: u64 = 64 * 1024 * 1024;
/// A store that has not answered by then is away: what is left of a call's five seconds is the log's. A cluster says so
/// after six only, when no one waits any more.
const STORE_PATIENCE: Duration = Duration::from_secs(2);
/// Edges ask for the log's heads once a second each.
const LOG_HEADS_AGE: Duration = Duration::from_millis(250);

/// Reads history; one in a process, shared by the services that need it.
pub struct History {
    store: Arc<dyn Store>,
    log: LogReader,
    partitions: u16,
    floors: Arc<Floors>,
    /// Rows ≤ a floor: with the log above that floor applied they are right for ever.
    rows: Cache<(Page, Seq), Arc<Vec<Message>>>,
    log_heads: Cache<(), Arc<Vec<Seq>>>,
    /// Events of the log, left out of answers.
    unreadable: Unreadable,
    replays: Semaphore,
    /// Busy conversations' logs above their floors.
    tails: Cache<ConversationId, Arc<tail::CachedTail>>,
    /// By partition.
    recent: Vec<recent::Recent>,
}

impl History {
    /// Learns the floors, and keeps them current until `stop` is cancelled.
    pub async fn start(
        store: Arc<dyn Store>,
        log: LogReader,
        partitions: u16,
        tracker: &TaskTracker,
        stop: CancellationToken,
    ) -> Result<Arc<Self>, FloorsError> {
        let floors = Arc::new(Floors::learn(&log, partitions).await?);
        tracker.spawn(Arc::clone(&floors).keep(log.clone(), stop));
        let rows = Cache::builder()
            .max_capacity(PAGES)
            .weigher(|_, rows: &Arc<Vec<Message>>| page::weight(rows))
            .time_to_idle(PAGE_IDLE)
            .time_to_live(PAGE_LIFE)
            .build();
        let log_heads = Cache::builder().max_capacity(1).time_to_live(LOG_HEADS_AGE).build();
        let tails = Cache::builder()
            .max_capacity(TAILS)
            .weigher(|_, known: &Arc<tail::CachedTail>| known.weight())
            .time_to_live(tail::CACHED_LONG_FOR)
            .build();
        let unreadable = Unreadable::new("event");
        let recent = Partition::all(partitions).map(|_| recent::Recent::default()).collect();
        let replays = Semaphore::new(replay::AT_ONCE);
        Ok(Arc::new(Self {
            store,
            log,
            partitions,
            floors,
            rows,
            log_heads,
            unreadable,
            replays,
            tails,
            recent,
        }))
    }

    pub async fn serve(self: &Arc<Self>, server: &mut RpcServer) -> Result<(), ServiceError> {
        answer!(server, Arc::clone(self), {
            GetPage => page_for,
            EventsAfter => after,
            GetHead => head,
            RoomEventsAfter => room_after,
            RoomHeads => room_heads,
            LogHeads => log_heads,
            FindEvent => find,
            FindOlderEvents => find_older,
            GetMessage => message,
            GetTarget => target,
            ListReactors => reactors,
        });
        Ok(())
    }

    /// Everything of the conversation's partition up to here is in the store.
    pub fn floor(&self, conversation: ConversationId) -> Seq {
        self.floors.of(Partition::of(conversation, self.partitions))
    }

    /// By partition.
    pub fn all_floors(&self) -> Vec<Seq> {
        Partition::all(self.partitions).map(|p| self.floors.of(p)).collect()
    }

    /// What the store answers in time, where the log can answer as well.
    async fn in_time<T>(&self, read: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        let late =
            |_| Err(StoreError::Unavailable(format!("no answer within {} s", STORE_PATIENCE.as_secs())));
        timeout(STORE_PATIENCE, read).await.unwrap_or_else(late)
    }

    async fn find(&self, call: FindEvent) -> Result<Option<LogEntry>, Failure> {
        let floor = self.floor(call.conversation);
        let stored = self.in_time(self.store.find_event(call.conversation, call.event)).await;
        if let Ok(Some(found)) = stored {
            return Ok(Some(found));
        }
        let mut found = None;
        let tail = self.tail(call.conversation, floor + 1).await?;
        if tail.is_cut() {
            let mut look = |logged: &LogEntry| {
                if found.is_none() && logged.event.id == call.event {
                    found = Some(logged.clone());
                }
            };
            self.each_event(call.conversation, floor + 1, &mut look).await?;
        } else {
            found = tail.iter().find(|logged| logged.event.id == call.event).cloned();
        }
        if found.is_some() { Ok(found) } else { Ok(stored?) }
    }

    /// Asked before sends, which may be repeats: one look into an index for each, and no reading of the log while
    /// the persister keeps up.
    async fn find_older(&self, call: FindOlderEvents) -> Result<Vec<Option<LogEntry>>, Failure> {
        if call.events.len() > limits::LOOKUP_BATCH {
            return Err(Code::Malformed.into());
        }
        try_join_all(call.events.into_iter().map(|event| self.find_one_older(event))).await
    }

    async fn find_one_older(&self, find: FindEvent) -> Result<Option<LogEntry>, Failure> {
        // Asked first: what is covered now is in the store when that is asked.
        if !self.floors.cover_the_forgotten(Partition::of(find.conversation, self.partitions)) {
            return self.find(find).await;
        }
        Ok(self.store.find_event(find.conversation, find.event).await?)
    }

    async fn page_for(&self, call: GetPage) -> Result<PageReply, Failure> {
        let GetPage { user, page } = call;
        let PageReply { messages, has_more, head } = self.page(page).await?;
        let messages = messages.into_iter().map(|message| message.shown_to(user)).collect();
        let (messages, cut) = compose::fit(messages, page.window);
        Ok(PageReply { messages, has_more: has_more || cut, head })
    }

    async fn message(&self, call: GetMessage) -> Result<Option<Message>, Failure> {
        let GetMessage { user, conversation, seq } = call;
        let found = self.message_at(conversation, seq).await?;
        Ok(found.map(|message| message.known_to(user)))
    }

    async fn target(&self, call: GetTarget) -> Result<Target, Failure> {
        let GetTarget { user, conversation, seq } = call;
        let Target { message, last } = self.message_and_end(conversation, seq).await?;
        Ok(Target { message: message.map(|message| message.known_to(user)), last })
    }

    async fn message_at(&self, conversation: ConversationId, seq: Seq) -> Result<Option<Message>, Failure> {
        Ok(self.message_and_end(conversation, seq).await?.message)
    }

    /// The end is that of the tail: the message has everything up to there.
    pub async fn message_and_end(&self, conversation: ConversationId, seq: Seq) -> Result<Target, Failure> {
        let floor = self.floor(conversation);
        if seq > floor {
            return Ok(self.changed(None, conversation, (seq, seq)).await?.1);
        }
        match self.in_time(self.store.message(conversation, seq, floor)).await {
            Ok(None) => Ok(Target { message: None, last: 0 }),
            Ok(row) => Ok(self.changed(row, conversation, (seq, floor + 1)).await?.1),
            Err(away @ StoreError::Unavailable(_)) => {
                let (first, target) = self.changed(None, conversation, (seq, seq)).await?;
                if first == Some(seq) { Ok(target) } else { Err(away.into()) }
            }
            Err(e) => Err(e.into()),
        }
    }

    /// The message at `seq` after every event from `from` on, given what was known of it before; and the first seq that the
    /// log has from there.
    async fn changed(
        &self,
        row: Option<Message>,
        conversation: ConversationId,
        (seq, from): (Seq, Seq),
    ) -> Result<(Option<Seq>, Target), Failure> {
        let rows = row.into_iter().collect();
        let of_seq = |messages: Vec<Message>| messages.into_iter().find(|message| message.seq == seq);
        let tail = self.tail(conversation, from).await?;
        if !tail.is_cut() {
            let message = of_seq(compose::present(rows, &tail));
            return Ok((tail.first, Target { message, last: tail.head.unwrap_or(0) }));
        }
        let mut page = compose::PageBuilder::new(Window::After(seq.saturating_sub(1)), 1, rows);
        let newest = self.each_event(conversation, from, |logged| page.add(logged)).await?;
        let first = page.first().map(|(seq, _)| seq);
        Ok((first, Target { message: of_seq(page.finish().0), last: newest.unwrap_or(0) }))
    }
}
