//! The order of the list is the store's, except for conversations with events above the floor: these are
//! looked at one by one and put where those events put them, so that persisting moves nothing.

use std::{collections::HashMap, pin::pin};

use futures_util::{Stream, StreamExt, TryStreamExt, stream};
use natter_schemas::{
    code::Code,
    event::{Shape, Timestamp},
    id::{ConversationId, Partition, Seq, UserId},
    limits,
    rpc::{
        Conversation, ConversationList, Inbox, InboxItem, JsonSize, ListConversations, ListCursor, ListInbox,
        Membership,
    },
};
use natter_store::ListedRow;
use tracing::error;

use super::{
    Conversations,
    view::{Snapshot, activity},
};
use crate::services::{Failure, history::Tail, read_marks};

/// The floors of one answer, by partition, taken before the log is looked at.
struct FloorSnapshot {
    by_partition: Vec<Seq>,
    partitions: u16,
}

/// The user's conversations that have events above the floor.
struct Unpersisted {
    snapshots: Vec<Snapshot>,
    /// The newest event of each, also of those that the user is no longer in.
    heads: HashMap<ConversationId, Seq>,
    floors: FloorSnapshot,
}

impl FloorSnapshot {
    fn of(&self, conversation: ConversationId) -> Seq {
        let p = Partition::of(conversation, self.partitions);
        self.by_partition.get(usize::from(p.0)).copied().unwrap_or(0)
    }
}

impl Conversations {
    pub(super) async fn list(&self, call: ListConversations) -> Result<ConversationList, Failure> {
        let ListConversations { user, after, limit } = call;
        let limit = limit.clamp(*limits::PAGE.start(), *limits::PAGE.end());
        let mut items = self.newest(user, after, limit + 1).await?;
        let more = items.len() > limit;
        items.truncate(limit);
        let views = stream::iter(items).map(|snapshot| async move {
            let key = key(&snapshot);
            Ok::<_, Failure>((key, readable(key.conversation, self.listed(user, snapshot).await)?))
        });
        let Fitting { views, last, cut } = fitting(views.buffered(super::CONCURRENCY)).await?;
        Ok(ConversationList { items: views, next: last.filter(|_| more || cut) })
    }

    /// A direct conversation has no name: it is listed with its two people, so that clients can show one.
    async fn listed(&self, user: UserId, snapshot: Snapshot) -> Result<Conversation, Failure> {
        let view = self.view(user, snapshot).await?;
        if view.shape == Shape::Group {
            return Ok(view);
        }
        let mut members = self.store.members(view.id).await?;
        self.hide_read_mark(user, view.id, &mut members).await?;
        let participants = self.participants(&members).await?;
        Ok(Conversation { participants: Some(participants), ..view })
    }

    /// What is unread, of all conversations; how much it is costs a count that stops at its limit.
    pub(super) async fn inbox(&self, call: ListInbox) -> Result<Inbox, Failure> {
        let ListInbox { user, after } = call;
        let Unpersisted { snapshots, heads, floors } = self.unpersisted(user).await?;
        let counted = stream::iter(snapshots).map(|snapshot| async move {
            let unread = readable(snapshot.row.conversation.id, self.unread(user, &snapshot).await)?;
            Ok::<_, Failure>((snapshot, unread.unwrap_or(0)))
        });
        let mut all: Vec<(Snapshot, usize)> = counted.buffered(super::CONCURRENCY).try_collect().await?;
        let rows = self.store.unread(user, limits::UNREAD).await?.into_iter();
        let persisted = rows.filter(|(row, _)| !heads.contains_key(&row.conversation.id));
        all.extend(persisted.map(|(row, unread)| (snapshot_of_row(row, &floors), unread)));
        all.retain(|(_, unread)| *unread > 0);
        let total = all.iter().map(|(_, unread)| unread).sum();
        all.retain(|(snapshot, _)| after.is_none_or(|cursor| is_after(key(snapshot), cursor)));
        all.sort_by_key(|(snapshot, _)| std::cmp::Reverse(rank(snapshot)));
        let more = all.len() > limits::INBOX;
        all.truncate(limits::INBOX);
        let views = stream::iter(all).map(|(snapshot, unread)| async move {
            let key = key(&snapshot);
            let view = readable(key.conversation, self.view(user, snapshot).await)?;
            Ok::<_, Failure>((key, view.map(|view| inbox_item(view, unread))))
        });
        let Fitting { views, last, cut } = fitting(views.buffered(super::CONCURRENCY)).await?;
        Ok(Inbox { total, items: views, next: last.filter(|_| more || cut) })
    }

    async fn unread(&self, user: UserId, snapshot: &Snapshot) -> Result<usize, Failure> {
        let read = read_marks::read_through(user, snapshot.row.read, &snapshot.tail).own().seq;
        let place = (snapshot.row.conversation.id, user);
        Ok(read_marks::unread(&*self.store, place, read, snapshot.floor, &snapshot.tail).await?)
    }

    /// The user's conversations after the cursor, newest activity first.
    async fn newest(
        &self,
        user: UserId,
        after: Option<ListCursor>,
        limit: usize,
    ) -> Result<Vec<Snapshot>, Failure> {
        let Unpersisted { snapshots: mut items, heads, floors } = self.unpersisted(user).await?;
        items.retain(|snapshot| after.is_none_or(|cursor| is_after(key(snapshot), cursor)));
        // Those with a tail in the store's order are left out: room for the others in their stead.
        let rows = self.store.list_conversations(user, after, limit + heads.len()).await?;
        let persisted = rows.into_iter().filter(|row| !heads.contains_key(&row.conversation.id));
        items.extend(persisted.map(|row| snapshot_of_row(row, &floors)));
        items.sort_by_key(|snapshot| std::cmp::Reverse(rank(snapshot)));
        items.truncate(limit);
        Ok(items)
    }

    async fn unpersisted(&self, user: UserId) -> Result<Unpersisted, Failure> {
        let memberships = self.store.memberships(user).await?;
        let ids: Vec<ConversationId> = memberships.iter().map(|m| m.conversation).collect();
        let floors = FloorSnapshot { by_partition: self.history.all_floors(), partitions: self.partitions };
        let heads = self.history.heads_above(&ids, &floors.by_partition).await?;
        let with_tail = memberships.into_iter().filter(|m| heads.contains_key(&m.conversation));
        let snapshots = self.with_tail(user, with_tail.collect(), &floors).await?;
        Ok(Unpersisted { snapshots, heads, floors })
    }

    async fn with_tail(
        &self,
        user: UserId,
        memberships: Vec<Membership>,
        floors: &FloorSnapshot,
    ) -> Result<Vec<Snapshot>, Failure> {
        let snapshot: Vec<Option<Snapshot>> = stream::iter(memberships)
            .map(|membership| async move {
                let id = membership.conversation;
                let snapshot = self.snapshot_with_tail(user, membership, floors.of(id)).await;
                Ok::<_, Failure>(readable(id, snapshot)?.flatten())
            })
            .buffer_unordered(super::CONCURRENCY)
            .try_collect()
            .await?;
        Ok(snapshot.into_iter().flatten().collect())
    }

    async fn snapshot_with_tail(
        &self,
        user: UserId,
        membership: Membership,
        floor: Seq,
    ) -> Result<Option<Snapshot>, Failure> {
        let Membership { conversation, role: Some(role), .. } = membership else { return Ok(None) };
        let (tail, head) = self.history.tail_and_head(conversation, floor).await?;
        let Some(row) = self.store.conversation(conversation).await? else { return Ok(None) };
        let read = self.store.read_position(conversation, user).await?;
        Ok(Some(Snapshot { row: ListedRow { conversation: row, role, read }, floor, tail, head }))
    }
}

fn inbox_item(view: Conversation, unread: usize) -> InboxItem {
    let Conversation { id, head, read, last_message, .. } = view;
    InboxItem { conversation: id, unread, head, read, last_message }
}

/// What of a list fits one answer.
struct Fitting<T> {
    views: Vec<T>,
    /// The place of the last item.
    last: Option<ListCursor>,
    /// One more did not fit.
    cut: bool,
}

/// Takes items until one no longer fits: then the page ends before it.
async fn fitting<T: JsonSize>(
    views: impl Stream<Item = Result<(ListCursor, Option<T>), Failure>>,
) -> Result<Fitting<T>, Failure> {
    let mut views = pin!(views);
    let (mut fitting, mut bytes) = (Fitting { views: Vec::new(), last: None, cut: false }, 0);
    while let Some((key, view)) = views.try_next().await? {
        if let Some(view) = view {
            bytes += view.json_size();
            if bytes > limits::ANSWER && !fitting.views.is_empty() {
                return Ok(Fitting { cut: true, ..fitting });
            }
            fitting.views.push(view);
        }
        fitting.last = Some(key);
    }
    Ok(fitting)
}

/// One conversation that cannot be read is left out of its members' lists, counted and logged; what is only away fails
/// the answer.
fn readable<T>(conversation: ConversationId, read: Result<T, Failure>) -> Result<Option<T>, Failure> {
    match read {
        Ok(read) => Ok(Some(read)),
        Err(error) if error.code() == Code::Internal => {
            metrics::counter!("natter_unreadable_conversations_total").increment(1);
            error!(%conversation, %error, "conversation cannot be read; left out of a list");
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Of a conversation without events above the floor.
fn snapshot_of_row(row: ListedRow, floors: &FloorSnapshot) -> Snapshot {
    let floor = floors.of(row.conversation.id);
    // What came since the log was read arrives live, not here.
    let head = row.conversation.head.min(floor);
    Snapshot { row, floor, tail: Tail::default(), head }
}

fn key(snapshot: &Snapshot) -> ListCursor {
    let row = &snapshot.row.conversation;
    ListCursor { last_activity_at: activity(row.last_activity_at, &snapshot.tail), conversation: row.id }
}

fn rank(snapshot: &Snapshot) -> (Timestamp, ConversationId) {
    let ListCursor { last_activity_at, conversation } = key(snapshot);
    (last_activity_at, conversation)
}

fn is_after(item: ListCursor, cursor: ListCursor) -> bool {
    (item.last_activity_at, item.conversation) < (cursor.last_activity_at, cursor.conversation)
}
