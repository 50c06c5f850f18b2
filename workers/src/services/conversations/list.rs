//! The order of the list is the store's, except for conversations with events above the floor: these are
//! looked at one by one and put where those events put them, so that persisting moves nothing.

use std::collections::HashMap;

use futures_util::{StreamExt, TryStreamExt, stream};
use natter_schemas::{
    event::Shape,
    id::{ConversationId, Partition, Seq, UserId},
    limits,
    rpc::{
        Conversation, ConversationList, Inbox, InboxItem, ListConversations, ListCursor, ListInbox,
        Membership,
    },
};
use natter_store::ListedRow;

use super::{
    Conversations,
    view::{Seen, activity},
};
use crate::services::{Failure, history::Tail, inbox};

/// The floors of one answer, by partition, taken before the log is looked at.
struct Floors {
    by_partition: Vec<Seq>,
    partitions: u16,
}

impl Floors {
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
        let next = items.last().filter(|_| more).map(key);
        let views = stream::iter(items).map(|seen| self.listed(user, seen)).buffered(super::AT_ONCE);
        Ok(ConversationList { items: views.try_collect::<Vec<Conversation>>().await?, next })
    }

    /// A direct conversation has no name: it is listed with its two people, so that clients can show one.
    async fn listed(&self, user: UserId, seen: Seen) -> Result<Conversation, Failure> {
        let view = self.view(user, seen).await?;
        if view.shape == Shape::Group {
            return Ok(view);
        }
        let participants = self.participants(&self.store.members(view.id).await?).await?;
        Ok(Conversation { participants: Some(participants), ..view })
    }

    /// What is unread, of all conversations; how much it is costs a count that stops at its limit.
    pub(super) async fn inbox(&self, call: ListInbox) -> Result<Inbox, Failure> {
        let user = call.user;
        let all = self.newest(user, None, usize::MAX / 2).await?;
        let unread: Vec<Option<Seen>> = stream::iter(all)
            .map(|seen| async move {
                let any = self.unread(user, &seen).await? > 0;
                Ok::<_, Failure>(any.then_some(seen))
            })
            .buffered(super::AT_ONCE)
            .try_collect()
            .await?;
        let views = stream::iter(unread.into_iter().flatten()).map(|seen| self.view(user, seen));
        let views: Vec<Conversation> = views.buffered(super::AT_ONCE).try_collect().await?;
        let total = views.iter().map(|view| view.unread).sum();
        let items = views.into_iter().take(limits::INBOX).map(|view| InboxItem {
            conversation: view.id,
            unread: view.unread,
            head: view.head,
            read: view.read,
            last_message: view.last_message,
        });
        Ok(Inbox { total, items: items.collect() })
    }

    async fn unread(&self, user: UserId, seen: &Seen) -> Result<usize, Failure> {
        let read = inbox::read_through(user, seen.row.read, &seen.tail);
        let place = (seen.row.conversation.id, user);
        Ok(inbox::unread(&*self.store, place, read, seen.floor, &seen.tail).await?)
    }

    /// The user's conversations after the cursor, newest activity first.
    async fn newest(
        &self,
        user: UserId,
        after: Option<ListCursor>,
        limit: usize,
    ) -> Result<Vec<Seen>, Failure> {
        let memberships = self.store.memberships(user).await?;
        let ids: Vec<ConversationId> = memberships.iter().map(|m| m.conversation).collect();
        let floors = Floors { by_partition: self.history.all_floors(), partitions: self.partitions };
        let heads = self.log.heads(&ids).await?;
        let is_lively = |id: &ConversationId| heads.get(id).is_some_and(|head| *head > floors.of(*id));

        let lively = memberships.into_iter().filter(|m| is_lively(&m.conversation));
        let mut items: Vec<Seen> = self.lively(user, lively.collect(), &floors).await?;
        items.retain(|seen| after.is_none_or(|cursor| is_after(key(seen), cursor)));
        // The lively ones in the store's order are left out: room for the others in their stead.
        let wanted = limit + ids.iter().filter(|id| is_lively(id)).count();
        let rows = self.store.list_conversations(user, after, wanted).await?;
        let quiet = rows.into_iter().filter(|row| !is_lively(&row.conversation.id));
        items.extend(quiet.map(|row| quiet_one(row, &heads, &floors)));

        items.sort_by_key(|seen| {
            let ListCursor { last_activity_at, conversation } = key(seen);
            std::cmp::Reverse((last_activity_at, conversation))
        });
        items.truncate(limit);
        Ok(items)
    }

    async fn lively(
        &self,
        user: UserId,
        memberships: Vec<Membership>,
        floors: &Floors,
    ) -> Result<Vec<Seen>, Failure> {
        let seen: Vec<Option<Seen>> = stream::iter(memberships)
            .map(|membership| self.lively_one(user, membership, floors.of(membership.conversation)))
            .buffer_unordered(super::AT_ONCE)
            .try_collect()
            .await?;
        Ok(seen.into_iter().flatten().collect())
    }

    async fn lively_one(
        &self,
        user: UserId,
        membership: Membership,
        floor: Seq,
    ) -> Result<Option<Seen>, Failure> {
        let Membership { conversation, role: Some(role), .. } = membership else { return Ok(None) };
        let (tail, head) = self.history.tail_and_head(conversation, floor).await?;
        let Some(row) = self.store.conversation(conversation).await? else { return Ok(None) };
        let read = self.store.read_mark(conversation, user).await?;
        Ok(Some(Seen { row: ListedRow { conversation: row, role, read }, floor, tail, head }))
    }
}

fn quiet_one(row: ListedRow, heads: &HashMap<ConversationId, Seq>, floors: &Floors) -> Seen {
    let id = row.conversation.id;
    let floor = floors.of(id);
    // What came since the heads were read is told live, not here.
    let head = heads.get(&id).copied().unwrap_or(row.conversation.head.min(floor));
    Seen { row, floor, tail: Tail::default(), head }
}

fn key(seen: &Seen) -> ListCursor {
    let row = &seen.row.conversation;
    ListCursor { last_activity_at: activity(row.last_activity_at, &seen.tail), conversation: row.id }
}

fn is_after(item: ListCursor, cursor: ListCursor) -> bool {
    (item.last_activity_at, item.conversation) < (cursor.last_activity_at, cursor.conversation)
}
