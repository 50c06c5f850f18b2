//! A repeat of the log finds its room. One lock per partition: a partition's events arrive on one task, so the
//! lock is contended only by sockets that come and go.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Instant,
};

use natter_nats::{live::LiveEvent, service::RpcClient};
use natter_runtime::lifecycle::Lifecycle;
use natter_schemas::id::{ConversationId, Partition, Seq, UserId};
use parking_lot::Mutex;

use super::{
    gap,
    room::{Room, Then},
};
use crate::sockets::Socket;

pub struct Hub {
    pub(super) rpc: RpcClient,
    pub(super) partitions: u16,
    shards: Vec<Mutex<Shard>>,
    lifecycle: Lifecycle,
    /// For tasks that outlive the call that starts them.
    me: std::sync::Weak<Self>,
}

#[derive(Default)]
struct Shard {
    rooms: HashMap<ConversationId, Room>,
    /// Seq of the newest event of the partition seen here, wherever it went; 0 until one or a head is known.
    seen: Seq,
    /// Rooms in which somebody types.
    typing: HashSet<ConversationId>,
}

impl Hub {
    pub fn new(partitions: u16, rpc: RpcClient, lifecycle: Lifecycle) -> Arc<Self> {
        Arc::new_cyclic(|me| Self {
            rpc,
            partitions,
            shards: (0..partitions).map(|_| Mutex::default()).collect(),
            lifecycle,
            me: me.clone(),
        })
    }

    /// A live event. Within a partition seqs rise by one: a jump means that events were lost on the way here.
    pub fn arrive(&self, event: LiveEvent) {
        let (partition, conversation) = (event.partition, event.conversation);
        let Some(shard) = self.shards.get(usize::from(partition.0)) else { return };
        let mut shard = shard.lock();
        let jumped = shard.seen != 0 && event.seq > shard.seen + 1;
        shard.seen = shard.seen.max(event.seq);
        let then = shard.rooms.get_mut(&conversation).map(|room| room.arrive(event));
        drop(shard);
        if then == Some(Then::Repair) {
            self.repair(conversation);
        }
        if jumped {
            metrics::counter!("natter_live_jumps_total").increment(1);
            self.check(partition);
        }
    }

    /// Puts the socket into the rooms. Rooms whose head is not known yet are answered: until
    /// [`Self::begin`] they hold their events back.
    pub fn join(&self, socket: &Arc<Socket>, conversations: &[ConversationId]) -> Vec<ConversationId> {
        let joined = conversations.iter().filter(|conversation| {
            let mut shard = self.shard(**conversation).lock();
            let room = shard.rooms.entry(**conversation).or_insert_with(|| Room::new(**conversation));
            room.join(socket);
            socket.rooms.lock().insert(**conversation);
            room.last().is_none()
        });
        joined.copied().collect()
    }

    /// The head of a conversation, read after a socket joined it: from here its events flow.
    pub fn begin(&self, conversation: ConversationId, head: Seq) {
        self.news(conversation, |room| if room.last().is_none() { room.head(head) } else { Then::Nothing });
    }

    /// Takes the socket out of a room; says whether it was there.
    pub fn leave(&self, socket: &Arc<Socket>, conversation: ConversationId) -> bool {
        let mut shard = self.shard(conversation).lock();
        if shard.rooms.get_mut(&conversation).is_some_and(|room| room.leave(socket)) {
            shard.rooms.remove(&conversation);
        }
        socket.joined.lock().remove(&conversation);
        socket.rooms.lock().remove(&conversation)
    }

    pub fn leave_all(&self, socket: &Arc<Socket>) {
        let rooms: Vec<_> = socket.rooms.lock().iter().copied().collect();
        for conversation in rooms {
            self.leave(socket, conversation);
        }
    }

    /// Somebody types in a conversation, or stops.
    pub(super) fn typing(&self, conversation: ConversationId, user: UserId, on: bool) {
        let mut shard = self.shard(conversation).lock();
        let Shard { rooms, typing, .. } = &mut *shard;
        let Some(room) = rooms.get_mut(&conversation) else { return };
        if room.typing(user, on, Instant::now()) {
            typing.insert(conversation);
        }
    }

    /// Ends typing that was not said again.
    pub(super) fn expire_typing(&self) {
        let now = Instant::now();
        for shard in &self.shards {
            let mut shard = shard.lock();
            let Shard { rooms, typing, .. } = &mut *shard;
            typing.retain(|conversation| rooms.get_mut(conversation).is_some_and(|r| r.expire_typing(now)));
        }
    }

    /// The sockets that joined any of the conversations, each once.
    pub(super) fn joined(&self, conversations: &[ConversationId]) -> Vec<Arc<Socket>> {
        let mut all: Vec<Arc<Socket>> = Vec::new();
        for conversation in conversations {
            let joined = self.with_room(*conversation, |room| room.joined().to_vec());
            all.extend(joined.unwrap_or_default());
        }
        all.sort_unstable_by_key(|socket| Arc::as_ptr(socket).addr());
        all.dedup_by(|a, b| Arc::ptr_eq(a, b));
        all
    }

    /// Everybody whose presence some socket was told.
    pub(super) fn people(&self) -> HashSet<UserId> {
        let mut people = HashSet::new();
        for shard in &self.shards {
            // One partition at a time: live traffic waits for none of the others.
            let rooms: Vec<_> = shard.lock().rooms.values().filter_map(Room::people).collect();
            people.extend(rooms.iter().flat_map(|room| room.iter().copied()));
        }
        people
    }

    /// Who was added to rooms in which somebody here watches; each is answered once.
    pub(super) fn take_newcomers(&self) -> Vec<(ConversationId, UserId)> {
        let mut newcomers = Vec::new();
        for shard in &self.shards {
            for (conversation, room) in &mut shard.lock().rooms {
                newcomers.extend(room.take_newcomers().into_iter().map(|user| (*conversation, user)));
            }
        }
        newcomers
    }

    /// Hands news to a room, if it is here, and starts the repair it asks for.
    pub(super) fn news(&self, conversation: ConversationId, tell: impl FnOnce(&mut Room) -> Then) {
        if self.with_room(conversation, tell) == Some(Then::Repair) {
            self.repair(conversation);
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

    /// The newest seq seen of a partition; the first head heard of counts as seen.
    pub(super) fn seen(&self, partition: Partition, head: Seq) -> Seq {
        self.shards.get(usize::from(partition.0)).map_or(head, |shard| {
            let mut shard = shard.lock();
            if shard.seen == 0 {
                shard.seen = head;
            }
            shard.seen
        })
    }

    /// Every room of the partition was compared with its head: nothing up to `head` is missed any more.
    pub(super) fn checked(&self, partition: Partition, head: Seq) {
        if let Some(shard) = self.shards.get(usize::from(partition.0)) {
            let mut shard = shard.lock();
            shard.seen = shard.seen.max(head);
        }
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

    fn repair(&self, conversation: ConversationId) {
        if let Some(hub) = self.me.upgrade() {
            self.lifecycle.tracker().spawn(gap::repair(hub, conversation));
        }
    }

    fn check(&self, partition: Partition) {
        if let Some(hub) = self.me.upgrade() {
            self.lifecycle.tracker().spawn(async move { gap::check(&hub, partition).await });
        }
    }
}
