//! A repeat of the log finds its room. One lock per partition: a partition's events arrive on one task, so the
//! lock is contended only by sockets that come and go.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Instant,
};

use natter_nats::{
    clock::LogClock,
    event_log::of_event,
    live::LiveEvent,
    service::RpcClient,
    subject,
    trace::{Step, TraceRing},
};
use natter_runtime::lifecycle::Lifecycle;
use natter_runtime::unreadable::Unreadable;
use natter_schemas::{
    codec,
    frame::ServerFrame,
    id::{ConversationId, Partition, Seq, UserId},
    limits,
    rpc::{RoomHeads, RpcError},
};
use natter_seal::DataKeys;
use natter_spans::Span;
use parking_lot::Mutex;

use super::{
    arrivals::Arrivals,
    gap,
    room::{Action, Room},
    sockets::Socket,
    unopened,
};

pub struct Hub {
    pub(super) rpc: RpcClient,
    pub(super) keys: DataKeys,
    pub(super) partitions: u16,
    shards: Vec<Mutex<Shard>>,
    clock: LogClock,
    lifecycle: Lifecycle,
    unreadable: Arc<Unreadable>,
    trace: TraceRing,
    /// For tasks that outlive the call that starts them.
    me: std::sync::Weak<Self>,
}

#[derive(Default)]
struct Shard {
    rooms: HashMap<ConversationId, Room>,
    arrivals: Arrivals,
    /// Rooms in which a user types.
    typing: HashSet<ConversationId>,
}

impl Hub {
    pub fn new(
        partitions: u16,
        (rpc, keys): (RpcClient, DataKeys),
        clock: LogClock,
        lifecycle: Lifecycle,
        trace: TraceRing,
    ) -> Arc<Self> {
        Arc::new_cyclic(|me| Self {
            rpc,
            keys,
            partitions,
            shards: (0..partitions).map(|_| Mutex::default()).collect(),
            clock,
            lifecycle,
            unreadable: Arc::new(Unreadable::new("event")),
            trace,
            me: me.clone(),
        })
    }

    /// A live event.
    pub fn receive(&self, event: LiveEvent) {
        let (partition, conversation) = (event.partition, event.conversation);
        let Some(shard) = self.shards.get(usize::from(partition.0)) else { return };
        let id = codec::event_id(&event.payload);
        if let Some(id) = id {
            self.trace.record(id, Some((partition, event.seq)), Step::Heard);
        }
        let span = event.origin.map(|origin| Span::linked("deliver live", std::iter::once(origin)));
        let mut shard = shard.lock();
        let is_old = shard.arrivals.is_old(event.seq);
        let missing = shard.arrivals.receive(event.seq);
        let room = shard.rooms.get_mut(&conversation).filter(|_| !is_old);
        let action = room.map(|room| room.receive(event));
        drop(shard);
        self.act(conversation, action.unwrap_or(Action::None));
        if let (Some(span), Some(id)) = (span, id) {
            span.end(None, || of_event(("deliver", "process"), subject::LIVE_TEMPLATE, (id, partition)));
        }
        if let (Some(missing), Some(hub)) = (missing, self.me.upgrade()) {
            metrics::counter!("natter_live_jumps_total").increment(1);
            self.lifecycle.tracker().spawn(async move { gap::compare(&hub, partition, missing).await });
        }
    }

    /// Puts the socket into the rooms. New rooms hold their events back until their head is known; it is asked for
    /// here, after the socket is in, so that nothing falls in between.
    pub async fn subscribe(
        &self,
        socket: &Arc<Socket>,
        conversations: &[ConversationId],
    ) -> Result<(), RpcError> {
        let unknown = self.enter(socket, conversations);
        for part in unknown.chunks(limits::RESUME_POSITIONS) {
            let heads = self.rpc.call(&RoomHeads { conversations: part.to_vec() }).await?;
            for (conversation, head) in part.iter().zip(heads) {
                self.set_head(*conversation, head);
            }
        }
        Ok(())
    }

    /// Puts the socket into the rooms, unless it has left for good; returns those whose head is not known yet.
    fn enter(&self, socket: &Arc<Socket>, conversations: &[ConversationId]) -> Vec<ConversationId> {
        let mut unknown = Vec::new();
        for conversation in conversations {
            let mut shard = self.shard(*conversation).lock();
            let mut rooms = socket.rooms.lock();
            if rooms.closed {
                return Vec::new();
            }
            let room = shard.rooms.entry(*conversation);
            let room = room.or_insert_with(|| {
                let keys = self.keys.known().clone();
                let trace = self.trace.at(Partition::of(*conversation, self.partitions));
                Room::new(*conversation, self.unreadable.clone(), keys, self.clock.clone(), trace)
            });
            room.subscribe(socket);
            rooms.ids.insert(*conversation);
            if room.last().is_none() {
                unknown.push(*conversation);
            }
        }
        unknown
    }

    /// The head of a conversation, read after a socket entered its room: from here its events flow.
    fn set_head(&self, conversation: ConversationId, head: Seq) {
        self.update(conversation, |room| if room.last().is_none() { room.head(head) } else { Action::None });
    }

    /// Takes the socket out of a room; returns whether it was there.
    pub fn unsubscribe(&self, socket: &Arc<Socket>, conversation: ConversationId) -> bool {
        let mut shard = self.shard(conversation).lock();
        if shard.rooms.get_mut(&conversation).is_some_and(|room| room.unsubscribe(socket)) {
            shard.rooms.remove(&conversation);
        }
        socket.joined.lock().remove(&conversation);
        socket.rooms.lock().ids.remove(&conversation)
    }

    /// Takes the socket out of all rooms, for good.
    pub fn unsubscribe_all(&self, socket: &Arc<Socket>) {
        let rooms: Vec<_> = {
            let mut rooms = socket.rooms.lock();
            rooms.closed = true;
            rooms.ids.iter().copied().collect()
        };
        for conversation in rooms {
            self.unsubscribe(socket, conversation);
        }
    }

    /// A user types in a conversation, or stops.
    pub fn typing(&self, conversation: ConversationId, user: UserId, on: bool) {
        let mut shard = self.shard(conversation).lock();
        let Shard { rooms, typing, .. } = &mut *shard;
        let Some(room) = rooms.get_mut(&conversation) else { return };
        if room.typing(user, on, Instant::now()) {
            typing.insert(conversation);
        }
    }

    /// Ends typing that was not repeated.
    pub fn expire_typing(&self) {
        let now = Instant::now();
        for shard in &self.shards {
            let mut shard = shard.lock();
            let Shard { rooms, typing, .. } = &mut *shard;
            typing.retain(|conversation| rooms.get_mut(conversation).is_some_and(|r| r.expire_typing(now)));
        }
    }

    /// Queues a frame that is not an event for one user's sockets, and perhaps another one for the others'.
    pub fn broadcast(
        &self,
        conversation: ConversationId,
        user: UserId,
        own: &ServerFrame,
        others: Option<&ServerFrame>,
    ) {
        self.with_room(conversation, |room| room.broadcast(user, own, others));
    }

    /// The sockets that watch any of the conversations, each once.
    pub fn watchers(&self, conversations: &[ConversationId]) -> Vec<Arc<Socket>> {
        let mut all: Vec<Arc<Socket>> = Vec::new();
        for conversation in conversations {
            let watchers = self.with_room(*conversation, |room| room.watchers().to_vec());
            all.extend(watchers.unwrap_or_default());
        }
        all.sort_unstable_by_key(|socket| Arc::as_ptr(socket).addr());
        all.dedup_by(|a, b| Arc::ptr_eq(a, b));
        all
    }

    /// Every user whose presence some socket watches.
    pub fn watched_users(&self) -> HashSet<UserId> {
        let mut users = HashSet::new();
        for shard in &self.shards {
            // One partition at a time: live traffic waits for none of the others.
            let rooms: Vec<_> = shard.lock().rooms.values().filter_map(Room::watched_users).collect();
            users.extend(rooms.iter().flat_map(|room| room.iter().copied()));
        }
        users
    }

    /// The rooms in which some socket watches the presence of these users.
    pub fn rooms_watching(&self, wanted: impl Fn(UserId) -> bool) -> HashMap<UserId, Vec<ConversationId>> {
        let mut rooms: HashMap<UserId, Vec<ConversationId>> = HashMap::new();
        for shard in &self.shards {
            let watched = |(conversation, room): (&ConversationId, &Room)| {
                room.watched_users().map(|users| (*conversation, users))
            };
            let watched: Vec<_> = shard.lock().rooms.iter().filter_map(watched).collect();
            for (conversation, users) in watched {
                for user in users.iter().filter(|user| wanted(**user)) {
                    rooms.entry(*user).or_default().push(conversation);
                }
            }
        }
        rooms
    }

    /// Who was added to rooms that a socket here watches; each is returned once.
    pub fn take_new_members(&self) -> Vec<(ConversationId, UserId)> {
        let mut new_members = Vec::new();
        for shard in &self.shards {
            for (conversation, room) in &mut shard.lock().rooms {
                new_members.extend(room.take_new_members().into_iter().map(|user| (*conversation, user)));
            }
        }
        new_members
    }

    /// Changes a room, if it is here, and starts what it asks for.
    pub(super) fn update(&self, conversation: ConversationId, change: impl FnOnce(&mut Room) -> Action) {
        let action = self.with_room(conversation, change);
        self.act(conversation, action.unwrap_or(Action::None));
    }

    pub(super) fn act(&self, conversation: ConversationId, action: Action) {
        let tracker = self.lifecycle.tracker();
        match (action, self.me.upgrade()) {
            (Action::None, _) | (_, None) => {}
            (Action::Repair, Some(hub)) => drop(tracker.spawn(gap::repair(hub, conversation))),
            (Action::Open, Some(hub)) => drop(tracker.spawn(hub.open_first(conversation))),
        }
    }

    pub fn with_room<T>(&self, conversation: ConversationId, f: impl FnOnce(&mut Room) -> T) -> Option<T> {
        self.shard(conversation).lock().rooms.get_mut(&conversation).map(f)
    }

    pub fn last(&self, conversation: ConversationId) -> Option<Seq> {
        self.with_room(conversation, |room| room.last()).flatten()
    }

    pub(super) fn rooms(&self, partition: Partition) -> Vec<ConversationId> {
        self.shards.get(usize::from(partition.0)).map_or_else(Vec::new, |shard| {
            let shard = shard.lock();
            shard.rooms.keys().copied().collect()
        })
    }

    pub(super) fn arrivals<T>(&self, partition: Partition, f: impl FnOnce(&mut Arrivals) -> T) -> Option<T> {
        self.shards.get(usize::from(partition.0)).map(|shard| f(&mut shard.lock().arrivals))
    }

    pub(super) fn stopping(&self) -> bool {
        self.lifecycle.stop().is_cancelled()
    }

    pub(super) async fn stopped(&self) {
        self.lifecycle.stop().cancelled().await;
    }

    fn shard(&self, conversation: ConversationId) -> &Mutex<Shard> {
        &self.shards[usize::from(Partition::of(conversation, self.partitions).0)]
    }

    /// The first event that waits in a room is opened and sent.
    async fn open_first(self: Arc<Self>, conversation: ConversationId) {
        let first = self.with_room(conversation, |room| (room.first_waiting(), room.some_members()));
        let opened = match first {
            Some((Some(first), members)) => Some(unopened::open(first, &self.keys, &members).await),
            Some((None, _)) | None => None,
        };
        self.update(conversation, |room| room.opened(opened.as_ref()));
    }
}
