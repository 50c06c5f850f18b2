//! What an edge asks the services, answered from memory and from the log.
#![expect(clippy::unused_async, reason = "the handlers of all calls have one form")]

use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use futures_util::future::{BoxFuture, ready};
use natter_nats::{
    async_nats::Client,
    log::LogReader,
    publisher::Publisher,
    service::{AccessCheck, RpcServer},
    subject,
};
use natter_runtime::lifecycle::Lifecycle;
use natter_schemas::{
    code::Code,
    codec,
    event::{Body, Event, Kind, LogEntry, Message, Role, Shape, Timestamp},
    id::{ConversationId, Partition, Seq, SessionId, UserId},
    rpc::{
        Conversation, ConversationIdPage, EventsAfter, FindEvent, FindOlderEvents, FindSharingUsers,
        GetConversation, GetHead, GetMembership, GetMessage, GetPage, GetTarget, ListBlockedConversations,
        LogHeads, LogIn, MarkRead, Membership, MembershipPage, Memberships, OpenedSession, PageReply,
        Participant, ReadMarkHead, ReadMarkPage, ReadMarksAfter, ReadState, RefreshSession, RegisterUser,
        Replay, ReplayPart, RoomEventsAfter, RoomHeads, RpcError, Service, Target, User, UserRead, Window,
    },
    trace_context::TraceContext,
};
use parking_lot::Mutex;
use tokio::sync::watch;

use super::marks::LostMarks;

/// Of every account.
pub const PASSWORD: &str = "correct horse";

pub struct Services {
    log: LogReader,
    memberships: Mutex<HashMap<UserId, Vec<Membership>>>,
    /// Events that history has and the log did not republish.
    extra: Mutex<HashMap<ConversationId, BTreeMap<Seq, LogEntry>>>,
    publisher: Publisher,
    /// Stored one by one behind what a change is decided on.
    overtaking: Mutex<VecDeque<Event>>,
    /// Every mark the inbox service was asked for.
    marks: Mutex<Vec<MarkRead>>,
    /// What those calls belonged to.
    traces: Mutex<Vec<Option<TraceContext>>>,
    /// Direct conversations that one side has blocked.
    blocked: Mutex<HashSet<ConversationId>>,
    /// While true no call learns the head of a conversation.
    stalled: watch::Sender<bool>,
    /// So many calls that ask for heads are refused.
    heads_refused: AtomicUsize,
    pub lost_marks: LostMarks,
    /// Calls that looked for older events.
    lookups: AtomicUsize,
    /// While true none of them is answered.
    lookups_stalled: watch::Sender<bool>,
}

/// Serves one call by a method of [`Services`].
macro_rules! serve {
    ($server:ident, $services:ident, $($call:ty => $method:ident),* $(,)?) => {$(
        let services = $services.clone();
        $server
            .serve(move |call: $call| {
                let services = services.clone();
                async move { services.$method(call).await }
            })
            .await
            .expect("served");
    )*};
}

impl Services {
    pub async fn start(client: &Client, log: LogReader, lifecycle: &Lifecycle) -> Arc<Self> {
        let services = Arc::new(Self {
            log,
            memberships: Mutex::default(),
            extra: Mutex::default(),
            publisher: Publisher::new(client.clone()),
            overtaking: Mutex::default(),
            marks: Mutex::default(),
            traces: Mutex::default(),
            blocked: Mutex::default(),
            stalled: watch::Sender::new(false),
            heads_refused: AtomicUsize::new(0),
            lost_marks: LostMarks::default(),
            lookups: AtomicUsize::new(0),
            lookups_stalled: watch::Sender::new(false),
        });
        let offer = |service| {
            let access = Arc::clone(&services) as Arc<dyn AccessCheck>;
            RpcServer::start(client.clone(), service, access, lifecycle.tracker(), lifecycle.stop().clone())
        };
        let mut conversations = offer(Service::Conversations).await.expect("offered");
        serve!(conversations, services, Memberships => memberships, GetMembership => access, ListBlockedConversations => blocked,
            GetConversation => conversation, FindSharingUsers => sharing);
        let mut history = offer(Service::History).await.expect("offered");
        serve!(history, services, GetHead => head, RoomHeads => heads, LogHeads => log_heads,
            EventsAfter => events_after, RoomEventsAfter => room_events_after,
            FindEvent => find, FindOlderEvents => find_older, GetMessage => message, GetTarget => target, GetPage => page);
        let mut inbox = offer(Service::Inbox).await.expect("offered");
        serve!(inbox, services, MarkRead => mark, ReadMarkHead => mark_head, ReadMarksAfter => marks_after);
        let mut accounts = offer(Service::Accounts).await.expect("offered");
        serve!(accounts, services, LogIn => log_in, RegisterUser => register, RefreshSession => renew);
        services
    }

    pub fn add_membership(&self, user: UserId, membership: Membership) {
        self.memberships.lock().entry(user).or_default().push(membership);
    }

    pub fn end_memberships(&self, user: UserId) {
        self.memberships.lock().remove(&user);
    }

    pub fn set_blocked(&self, conversation: ConversationId, blocked: bool) {
        let mut all = self.blocked.lock();
        if blocked {
            all.insert(conversation)
        } else {
            all.remove(&conversation)
        };
    }

    pub fn add_to_history(&self, entry: LogEntry) {
        self.extra.lock().entry(entry.event.conversation).or_default().insert(entry.seq, entry);
    }

    pub fn traces(&self) -> Vec<Option<TraceContext>> {
        self.traces.lock().clone()
    }

    pub fn marks(&self) -> Vec<MarkRead> {
        self.marks.lock().clone()
    }

    /// The contents of a conversation's messages in the log.
    pub async fn stored(&self, conversation: ConversationId) -> Vec<String> {
        let content = |entry: LogEntry| match entry.event.kind {
            Kind::Posted { body: Body::Plain(content), .. } => content,
            other => panic!("not a message: {other:?}"),
        };
        self.history(conversation).await.expect("the log answers").into_iter().map(content).collect()
    }

    /// Each is stored, as by another edge, behind the end that the next change is decided on.
    pub fn overtake(&self, events: impl IntoIterator<Item = Event>) {
        self.overtaking.lock().extend(events);
    }

    /// What a conversation's log has.
    pub async fn logged(&self, conversation: ConversationId) -> Vec<LogEntry> {
        self.history(conversation).await.expect("the log answers")
    }

    /// From here no call learns the head of a conversation.
    pub fn stall(&self) {
        self.stalled.send_replace(true);
    }

    /// The next calls that ask for heads are refused.
    pub fn refuse_heads(&self, calls: usize) {
        self.heads_refused.store(calls, Ordering::SeqCst);
    }

    /// How many calls looked for older events.
    pub fn lookups(&self) -> usize {
        self.lookups.load(Ordering::SeqCst)
    }

    /// Whether calls that look for older events are answered.
    pub fn stall_lookups(&self, stalled: bool) {
        self.lookups_stalled.send_replace(stalled);
    }

    /// Two in an answer.
    async fn memberships(&self, call: Memberships) -> Result<MembershipPage, RpcError> {
        let mut items = self.of(call.user);
        items.sort_by_key(|membership| membership.conversation);
        items.retain(|membership| call.after.is_none_or(|after| membership.conversation > after));
        let has_more = items.len() > 2;
        items.truncate(2);
        Ok(MembershipPage { items, has_more })
    }

    fn of(&self, user: UserId) -> Vec<Membership> {
        self.memberships.lock().get(&user).cloned().unwrap_or_default()
    }

    async fn access(&self, call: GetMembership) -> Result<Option<Membership>, RpcError> {
        Ok(self.of(call.user).into_iter().find(|m| m.conversation == call.conversation))
    }

    async fn blocked(&self, _: ListBlockedConversations) -> Result<ConversationIdPage, RpcError> {
        Ok(ConversationIdPage { items: self.blocked.lock().iter().copied().collect(), has_more: false })
    }

    async fn sharing(&self, call: FindSharingUsers) -> Result<Vec<UserId>, RpcError> {
        let mine = self.of(call.user);
        let shared = |other: &UserId| {
            self.of(*other).iter().any(|theirs| mine.iter().any(|m| m.conversation == theirs.conversation))
        };
        Ok(call.others.into_iter().filter(shared).collect())
    }

    async fn conversation(&self, call: GetConversation) -> Result<Conversation, RpcError> {
        let messages = messages(&self.history(call.conversation).await?);
        let members = self.memberships.lock();
        let members =
            members.iter().filter(|(_, all)| all.iter().any(|m| m.conversation == call.conversation));
        let participants: Vec<_> = members.map(|(user, _)| participant(*user)).collect();
        Ok(Conversation {
            id: call.conversation,
            shape: Shape::Group,
            name: None,
            role: Role::Member,
            created_at: Timestamp(0),
            head: messages.last().map_or(0, |message| message.seq),
            read: 0,
            unread: messages.len(),
            last_activity_at: Timestamp(0),
            last_message: messages.last().cloned(),
            participant_count: participants.len(),
            participants: Some(participants),
        })
    }

    async fn head(&self, call: GetHead) -> Result<Seq, RpcError> {
        Ok(self.history(call.conversation).await?.last().map_or(0, |entry| entry.seq))
    }

    async fn heads(&self, call: RoomHeads) -> Result<Vec<Seq>, RpcError> {
        let mut stalled = self.stalled.subscribe();
        stalled.wait_for(|stalled| !stalled).await.map_err(|_| Code::Unavailable)?;
        let one_less = |left: usize| left.checked_sub(1);
        if self.heads_refused.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less).is_ok() {
            return Err(Code::Unavailable.into());
        }
        let mut heads = Vec::new();
        for conversation in call.conversations {
            heads.push(self.history(conversation).await?.last().map_or(0, |entry| entry.seq));
        }
        Ok(heads)
    }

    async fn mark_head(&self, _: ReadMarkHead) -> Result<Seq, RpcError> {
        Ok(self.lost_marks.head())
    }

    async fn marks_after(&self, call: ReadMarksAfter) -> Result<ReadMarkPage, RpcError> {
        self.lost_marks.after(call.after)
    }

    async fn log_heads(&self, _: LogHeads) -> Result<Vec<Seq>, RpcError> {
        let extent = self.log.extent(Partition(0)).await.map_err(|_| Code::Unavailable)?;
        Ok(vec![extent.last])
    }

    async fn events_after(&self, call: EventsAfter) -> Result<Replay, RpcError> {
        self.replay(call.part).await
    }

    async fn room_events_after(&self, call: RoomEventsAfter) -> Result<Replay, RpcError> {
        self.replay(call.part).await
    }

    async fn replay(&self, call: ReplayPart) -> Result<Replay, RpcError> {
        let all = self.history(call.conversation).await?;
        let head = all.last().map_or(0, |entry| entry.seq);
        let anchored = all.iter().any(|entry| entry.seq == call.after);
        let mut events: Vec<_> = all.into_iter().filter(|entry| entry.seq > call.after).collect();
        let more = events.len() > call.limit;
        events.truncate(call.limit);
        Ok(Replay { events, deleted: Vec::new(), more, cut: false, anchored, head })
    }

    async fn find(&self, call: FindEvent) -> Result<Option<LogEntry>, RpcError> {
        Ok(self.history(call.conversation).await?.into_iter().find(|entry| entry.event.id == call.event))
    }

    async fn find_older(&self, call: FindOlderEvents) -> Result<Vec<Option<LogEntry>>, RpcError> {
        self.lookups.fetch_add(1, Ordering::SeqCst);
        let mut stalled = self.lookups_stalled.subscribe();
        stalled.wait_for(|stalled| !stalled).await.map_err(|_| Code::Unavailable)?;
        futures_util::future::try_join_all(call.events.into_iter().map(|event| self.find(event))).await
    }

    async fn message(&self, call: GetMessage) -> Result<Option<Message>, RpcError> {
        let all = self.history(call.conversation).await?;
        let entry = all.into_iter().find(|entry| entry.seq == call.seq);
        Ok(entry.and_then(|entry| Message::posted(entry.seq, &entry.event)))
    }

    async fn page(&self, GetPage { page: call, .. }: GetPage) -> Result<PageReply, RpcError> {
        let mut messages = messages(&self.history(call.conversation).await?);
        let head = messages.last().map_or(0, |message| message.seq);
        match call.window {
            Window::Newest => {}
            Window::Before(edge) => messages.retain(|message| message.seq < edge),
            Window::After(edge) => messages.retain(|message| message.seq > edge),
        }
        let surplus = messages.len().saturating_sub(call.limit);
        let messages = messages.split_off(surplus);
        Ok(PageReply { messages, has_more: surplus > 0, head })
    }

    async fn target(&self, call: GetTarget) -> Result<Target, RpcError> {
        let all = self.history(call.conversation).await?;
        let mut message = None;
        for LogEntry { seq, event } in &all {
            match &mut message {
                None if *seq == call.seq => message = Message::posted(*seq, event),
                None => {}
                Some(message) => message.apply(*seq, event),
            }
        }
        let overtaking = self.overtaking.lock().pop_front();
        if let Some(event) = overtaking {
            let subject = subject::conv(Partition(0), event.conversation);
            let (id, payload) = (event.id.to_string(), codec::encode(&event).into());
            self.publisher.publish(subject, &id, payload).await.map_err(|_| Code::Unavailable)?;
        }
        Ok(Target { message, last: all.last().map_or(0, |entry| entry.seq) })
    }

    async fn mark(&self, call: MarkRead) -> Result<ReadState, RpcError> {
        self.marks.lock().push(call);
        self.traces.lock().push(natter_spans::current().map(|position| position.context));
        Ok(ReadState { seq: call.seq, unread: 0 })
    }

    async fn log_in(&self, call: LogIn) -> Result<OpenedSession, RpcError> {
        if call.password == PASSWORD {
            Ok(opened(SessionId::fresh()))
        } else {
            Err(Code::BadCredentials.into())
        }
    }

    async fn register(&self, call: RegisterUser) -> Result<OpenedSession, RpcError> {
        let mut opened = opened(SessionId::fresh());
        (opened.user.username, opened.user.email) = (call.username, call.email);
        Ok(opened)
    }

    /// Refresh tokens here are the session's id, and stay the same.
    async fn renew(&self, call: RefreshSession) -> Result<OpenedSession, RpcError> {
        call.refresh_token.parse().map(opened).map_err(|_| Code::Unauthenticated.into())
    }

    async fn history(&self, conversation: ConversationId) -> Result<Vec<LogEntry>, RpcError> {
        let logged = self.log.from(conversation, 0, 1_000).await.map_err(|_| Code::Unavailable)?;
        let logged = logged.iter().map(|event| event.decode().expect("an event"));
        let mut all = self.extra.lock().get(&conversation).cloned().unwrap_or_default();
        all.extend(logged.map(|entry| (entry.seq, entry)));
        Ok(all.into_values().collect())
    }
}

/// An edge that names another user than the one it serves is refused here too.
impl AccessCheck for Services {
    fn check<'a>(&'a self, _: &'static str, reads: &'a [UserRead]) -> BoxFuture<'a, Result<(), RpcError>> {
        let member = |read: &UserRead| self.of(read.user).iter().any(|m| m.conversation == read.conversation);
        let all = reads.iter().all(member);
        Box::pin(ready(if all { Ok(()) } else { Err(Code::NotFound.into()) }))
    }
}

fn messages(entries: &[LogEntry]) -> Vec<Message> {
    entries.iter().filter_map(|entry| Message::posted(entry.seq, &entry.event)).collect()
}

fn opened(session: SessionId) -> OpenedSession {
    let (id, name) = (UserId::fresh(), "alice".to_owned());
    let email = format!("{name}@example.org");
    let user = User { id, username: name.clone(), email, display_name: name, created_at: Timestamp(0) };
    OpenedSession { user, session, refresh_token: session.to_string() }
}

fn participant(user: UserId) -> Participant {
    Participant {
        user,
        username: user.to_string(),
        display_name: String::new(),
        role: Role::Member,
        joined_at: Timestamp(0),
        read: 0,
    }
}
