//! A conversation as a member sees it: its row, and what the log above the floor adds to it.

use std::collections::HashMap;

use natter_schemas::{
    code::Code,
    event::{Kind, LogEntry, Member, Message, Timestamp},
    id::{ConversationId, Seq, UserId},
    limits,
    rpc::{
        Conversation, GetConversation, ListParticipants, Page, Participant, ParticipantPage, User, Window,
    },
};
use natter_store::{ListedRow, MemberRow};

use super::Conversations;
use crate::services::{Failure, history::Tail, person_pages, read_marks};

/// A row, and the log above the floor it was read over.
pub struct Snapshot {
    pub row: ListedRow,
    pub floor: Seq,
    pub tail: Tail,
    pub head: Seq,
}

impl Conversations {
    pub(super) async fn get(&self, call: GetConversation) -> Result<Conversation, Failure> {
        let GetConversation { user, conversation } = call;
        let floor = self.history.floor(conversation);
        let (tail, head) = self.history.tail_and_head(conversation, floor).await?;
        let rows = self.store.members(conversation).await?;
        let mut members = members(rows, &tail);
        let own = members.iter().find(|row| row.member.user == user).ok_or(Code::NotFound)?;
        let role = own.member.role;
        let read = self.store.read_position(conversation, user).await?;
        let row = self.store.conversation(conversation).await?.ok_or(Code::NotFound)?;
        let snapshot = Snapshot { row: ListedRow { conversation: row, role, read }, floor, tail, head };
        let view = self.view(user, snapshot).await?;
        self.hide_read_mark(user, conversation, &mut members).await?;
        let shown = members.len().min(limits::PARTICIPANTS_SHOWN);
        let participants = self.participants(&members[..shown]).await?;
        Ok(Conversation { participant_count: members.len(), participants: Some(participants), ..view })
    }

    pub(super) async fn list_participants(&self, call: ListParticipants) -> Result<ParticipantPage, Failure> {
        let ListParticipants { user, conversation, after, limit } = call;
        let floor = self.history.floor(conversation);
        let (tail, _) = self.history.tail_and_head(conversation, floor).await?;
        let mut members = members(self.store.members(conversation).await?, &tail);
        self.hide_read_mark(user, conversation, &mut members).await?;
        let people: Vec<UserId> = members.iter().map(|row| row.member.user).collect();
        if !people.contains(&user) {
            return Err(Code::NotFound.into());
        }
        let shown = person_pages::range(&people, after, limit);
        let next = person_pages::next(&people, &shown);
        Ok(ParticipantPage { items: self.participants(&members[shown]).await?, next })
    }

    /// Without the participants.
    pub(super) async fn view(&self, user: UserId, snapshot: Snapshot) -> Result<Conversation, Failure> {
        let Snapshot { row, floor, tail, head } = snapshot;
        let id = row.conversation.id;
        let read = read_marks::read_through(user, row.read, &tail).own().seq;
        let unread = read_marks::unread(&*self.store, (id, user), read, floor, &tail).await?;
        let last_message = self.preview(id, floor, &tail, head).await?;
        Ok(Conversation {
            id,
            shape: row.conversation.shape,
            name: name(&tail).or(row.conversation.name),
            role: role(user, &tail).unwrap_or(row.role),
            created_at: row.conversation.created_at,
            head,
            read,
            unread,
            last_activity_at: activity(row.conversation.last_activity_at, &tail),
            last_message: last_message.map(|message| message.shown_to(user)),
            participant_count: self.member_count(id, row.conversation.members, &tail).await?,
            participants: None,
        })
    }

    /// Most newest messages are not deleted: only behind one that is more are read.
    async fn preview(
        &self,
        conversation: ConversationId,
        floor: Seq,
        tail: &Tail,
        head: Seq,
    ) -> Result<Option<Message>, Failure> {
        let newest = |limit| Page { conversation, window: Window::Newest, limit };
        let page = self.history.page_over(newest(1), floor, tail, head).await?;
        if page.messages.iter().all(|message| message.deleted_at.is_none()) {
            return Ok(page.preview());
        }
        Ok(self.history.page_over(newest(limits::PREVIEW), floor, tail, head).await?.preview())
    }

    async fn member_count(&self, id: ConversationId, stored: usize, tail: &Tail) -> Result<usize, Failure> {
        if !tail.iter().any(|logged| changes_members(&logged.event.kind)) {
            return Ok(stored);
        }
        // The row may count some of the tail's changes already: the people are counted instead.
        Ok(members(self.store.members(id).await?, tail).len())
    }

    pub(super) async fn participants(&self, members: &[MemberRow]) -> Result<Vec<Participant>, Failure> {
        let ids: Vec<UserId> = members.iter().map(|row| row.member.user).collect();
        let users = self.profiles.users(&ids).await?;
        let users: HashMap<UserId, User> = users.into_iter().map(|user| (user.id, user)).collect();
        let named = |row: &MemberRow| {
            let user = users.get(&row.member.user)?;
            Some(Participant {
                user: user.id,
                username: user.username.clone(),
                display_name: user.display_name.clone(),
                role: row.member.role,
                joined_at: row.joined_at,
                read: row.read,
            })
        };
        Ok(members.iter().filter_map(named).collect())
    }
}

fn changes_members(kind: &Kind) -> bool {
    matches!(kind, Kind::Created { .. } | Kind::MemberAdded { .. } | Kind::MemberRemoved { .. })
}

/// Rows with the tail's changes; those the rows reflect already change nothing.
pub fn members(mut rows: Vec<MemberRow>, tail: &Tail) -> Vec<MemberRow> {
    for logged in tail.iter() {
        change_members(&mut rows, logged);
        if let Kind::Posted { .. } = logged.event.kind
            && let Some(row) = rows.iter_mut().find(|row| row.member.user == logged.event.author)
        {
            row.read = row.read.max(logged.seq);
        }
    }
    rows
}

/// What the event changes of who is in, and as what.
pub fn change_members(rows: &mut Vec<MemberRow>, logged: &LogEntry) {
    match &logged.event.kind {
        Kind::Created { members, .. } => {
            for member in members {
                place(rows, *member, logged.event.at, 0);
            }
        }
        Kind::MemberAdded { user, role } => {
            place(rows, Member { user: *user, role: *role }, logged.event.at, logged.seq);
        }
        Kind::MemberRemoved { user } => rows.retain(|row| row.member.user != *user),
        Kind::RoleChanged { user, role } => {
            rows.iter_mut().filter(|row| row.member.user == *user).for_each(|row| row.member.role = *role);
        }
        Kind::Posted { .. }
        | Kind::Edited { .. }
        | Kind::Deleted { .. }
        | Kind::Reacted { .. }
        | Kind::Renamed { .. } => {}
    }
}

/// Messages from before a member was added are not unread for that member.
fn place(rows: &mut Vec<MemberRow>, member: Member, joined_at: Timestamp, read: Seq) {
    match rows.iter_mut().find(|row| row.member.user == member.user) {
        Some(row) => {
            row.member.role = member.role;
            row.read = row.read.max(read);
        }
        None => rows.push(MemberRow { member, joined_at, read }),
    }
}

fn name(tail: &Tail) -> Option<String> {
    tail.iter().rev().find_map(|logged| match &logged.event.kind {
        Kind::Renamed { name } => Some(name.clone()),
        _ => None,
    })
}

fn role(user: UserId, tail: &Tail) -> Option<natter_schemas::event::Role> {
    tail.iter().rev().find_map(|logged| match &logged.event.kind {
        Kind::MemberAdded { user: who, role } | Kind::RoleChanged { user: who, role } if *who == user => {
            Some(*role)
        }
        _ => None,
    })
}

/// Messages, members and names are activity; edits, deletions and reactions are not.
pub fn activity(stored: Timestamp, tail: &Tail) -> Timestamp {
    let counts = |logged: &&LogEntry| {
        !matches!(logged.event.kind, Kind::Edited { .. } | Kind::Deleted { .. } | Kind::Reacted { .. })
    };
    tail.iter().filter(counts).map(|logged| logged.event.at).fold(stored, Timestamp::max)
}
