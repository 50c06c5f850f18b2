//! Answers keep their bounds, whatever the log and the store hold.

use std::collections::HashSet;

use crate::harness::{Harness, edited, event, posted, reacted, texts};
use futures_util::{StreamExt, stream};
use natter_schemas::{
    code::Code,
    event::Kind,
    id::{Seq, UserId},
    limits,
    rpc::{
        AddMembers, FindEvent, GetConversation, GetMessage, JsonSize, ListConversations, ListInbox,
        ListParticipants, ListReactors, MarkRead, Window,
    },
};
use natter_workers::Job;

const SERVICES: [Job; 3] = [Job::Conversations, Job::History, Job::Inbox];

#[tokio::test]
async fn what_an_old_log_holds_of_reactions_is_shown_in_part_and_paged() {
    let mut harness = Harness::with(&SERVICES).await;
    let (room, alice, bob) = harness.group_of_two().await;
    let target = harness.post(alice, room, "react").await;
    let reacted = |emoji: &str, on| Kind::Reacted { target, emoji: emoji.to_owned(), on };
    let crowd: Vec<UserId> = (0..30).map(|_| UserId::fresh()).collect();
    for user in &crowd {
        harness.say(*user, room, reacted("❤", true)).await;
    }
    harness.say(alice, room, reacted("❤️", true)).await;
    // Any text was taken once.
    let texts: Vec<_> = (0..400)
        .map(|n| event(bob, room, reacted(&format!("☕{}", "\u{301}".repeat(n % 20) + &n.to_string()), true)))
        .collect();
    for text in &texts {
        harness.publish(text).await;
    }
    harness.say(crowd[0], room, reacted("❤️", false)).await;
    for persisted in [false, true] {
        if persisted {
            harness.settle(&SERVICES).await;
        }
        let ask = GetMessage { user: alice, conversation: room, seq: target };
        let message = harness.rpc.call(&ask).await.unwrap().unwrap();
        assert_eq!(message.reactions.len(), limits::REACTIONS_HELD);
        let page = harness.page(room, Window::Newest, 1).await;
        assert_eq!(page.messages[0].reactions.len(), limits::REACTIONS);
        let first = &message.reactions[0];
        assert_eq!((first.emoji.as_str(), first.count, first.me), ("❤️", 30, true));
        assert_eq!(first.users, crowd[1..=limits::REACTORS]);
        assert!(!message.reactions[1].me);
        let (mut users, mut after) = (Vec::new(), None);
        loop {
            let ask = ListReactors {
                user: bob,
                conversation: room,
                seq: target,
                emoji: "❤".to_owned(),
                after,
                limit: 7,
            };
            let page = harness.rpc.call(&ask).await.unwrap();
            assert_eq!((page.reaction.count, page.reaction.me), (30, false));
            users.extend(page.reaction.users);
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!((users.len(), users[29]), (30, alice), "persisted: {persisted}");
        assert_eq!(users[..29], crowd[1..]);
    }
}

#[tokio::test]
async fn any_number_of_events_above_the_floor_is_read() {
    let harness = Harness::with(&SERVICES).await;
    let (room, alice, bob) = harness.group_of_two().await;
    let (first, second) =
        (harness.post(alice, room, "first").await, harness.post(alice, room, "second").await);
    let early = event(bob, room, posted("early"));
    let third = harness.publish(&early).await;
    let many = (0..15_000).map(|n| {
        let kind = if n % 2 == 0 { posted("more") } else { reacted(second, n % 4 == 1) };
        event(bob, room, kind)
    });
    let many: Vec<_> = many.collect();
    stream::iter(&many).map(|event| harness.publish(event)).buffer_unordered(400).count().await;
    harness.say(alice, room, edited(first, "first, better")).await;
    harness.say(alice, room, Kind::Deleted { target: second }).await;
    let head = harness.post(bob, room, "last").await;

    let page = harness.page(room, Window::Newest, 2).await;
    assert_eq!((texts(&page), page.has_more, page.head), (vec!["more".into(), "last".into()], true, head));
    let page = harness.page(room, Window::Before(third + 1), 2).await;
    assert_eq!((texts(&page), page.has_more), (vec!["(deleted)".into(), "early".into()], true));
    let page = harness.page(room, Window::After(0), 3).await;
    assert_eq!(texts(&page), ["first, better", "(deleted)", "early"]);
    let message = harness
        .rpc
        .call(&GetMessage { user: alice, conversation: room, seq: second })
        .await
        .unwrap()
        .unwrap();
    assert!(message.deleted_at.is_some());
    let found =
        harness.rpc.call(&FindEvent { user: bob, conversation: room, event: early.id }).await.unwrap();
    assert_eq!(found.unwrap().seq, third);
    let read = harness
        .rpc
        .call(&MarkRead { user: alice, conversation: room, seq: third, private: false, unread: false })
        .await
        .unwrap();
    assert_eq!((read.seq, read.unread), (third, 100));
    let list = ListConversations { user: alice, limit: 10, after: None };
    let list = harness.rpc.call(&list).await.unwrap();
    assert_eq!((list.items.len(), list.items[0].unread), (1, 100));
    assert_eq!(list.items[0].last_message.as_ref().unwrap().seq, head);
    let inbox = harness.rpc.call(&ListInbox { user: alice, after: None }).await.unwrap();
    assert_eq!(inbox.items[0].last_message.as_ref().unwrap().seq, head);
    let view = harness.rpc.call(&GetConversation { user: bob, conversation: room }).await.unwrap();
    assert_eq!((view.head, view.read, view.unread, view.participant_count), (head, head, 0, 2));
}

/// A message of the longest JSON: each of its bytes is escaped.
fn worst() -> Kind {
    posted(&"\u{1}".repeat(limits::CONTENT))
}

#[tokio::test]
async fn pages_and_lists_of_the_longest_messages_are_cut_and_paged_to_their_end() {
    const ROOMS: usize = 40;
    let harness = Harness::with(&SERVICES).await;
    let (alice, bob) = (harness.person("alice").await, harness.person("bob").await);
    let mut rooms = Vec::new();
    for _ in 0..ROOMS {
        let room = harness.group(alice, &[bob]).await;
        harness.say(bob, room, worst()).await;
        rooms.push(room);
    }
    rooms.reverse();
    let (mut listed, mut after) = (Vec::new(), None);
    loop {
        let page = harness.rpc.call(&ListConversations { user: alice, limit: 100, after }).await.unwrap();
        assert!(page.items.iter().map(JsonSize::json_size).sum::<usize>() <= limits::ANSWER);
        listed.extend(page.items.into_iter().map(|item| item.id));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(listed, rooms);
    let (mut listed, mut after) = (Vec::new(), None);
    loop {
        let page = harness.rpc.call(&ListInbox { user: alice, after }).await.unwrap();
        assert!(page.items.iter().map(JsonSize::json_size).sum::<usize>() <= limits::ANSWER);
        assert_eq!(page.total, ROOMS);
        listed.extend(page.items.into_iter().map(|item| item.conversation));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(listed, rooms);

    let room = rooms[0];
    for _ in 0..60 {
        harness.say(bob, room, worst()).await;
    }
    let (mut seqs, mut window) = (Vec::<Seq>::new(), Window::Newest);
    loop {
        let page = harness.page(room, window, 100).await;
        assert!(page.messages.iter().map(JsonSize::json_size).sum::<usize>() <= limits::ANSWER);
        seqs.extend(page.messages.iter().rev().map(|message| message.seq));
        window = Window::Before(*seqs.last().unwrap());
        if !page.has_more {
            break;
        }
    }
    assert_eq!(seqs.len(), 61);
    assert!(seqs.is_sorted_by(|a, b| a > b));
}

#[tokio::test]
async fn the_members_of_a_large_group_are_shown_in_part_and_paged() {
    const MEMBERS: usize = limits::PARTICIPANTS_SHOWN + 50;
    let harness = Harness::with(&SERVICES).await;
    let names: Vec<String> = (0..MEMBERS).map(|n| format!("user-{n}")).collect();
    let people: Vec<UserId> =
        stream::iter(&names).map(|name| harness.person(name)).buffered(64).collect().await;
    let room = harness.group(people[0], &people[1..400]).await;
    for part in people[400..].chunks(400) {
        let add = AddMembers { by: people[0], conversation: room, users: part.to_vec(), traceparent: None };
        harness.rpc.call(&add).await.unwrap();
    }
    let view = harness.rpc.call(&GetConversation { user: people[1], conversation: room }).await.unwrap();
    assert_eq!(view.participant_count, MEMBERS);
    assert_eq!(view.participants.unwrap().len(), limits::PARTICIPANTS_SHOWN);
    let (mut listed, mut after) = (HashSet::new(), None);
    loop {
        let ask = ListParticipants { user: people[1], conversation: room, after, limit: 100 };
        let page = harness.rpc.call(&ask).await.unwrap();
        assert!(page.items.len() <= 100);
        listed.extend(page.items.into_iter().map(|participant| participant.user));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(listed, people.iter().copied().collect());
    let stranger = ListParticipants { user: UserId::fresh(), conversation: room, after: None, limit: 1 };
    assert_eq!(harness.rpc.call(&stranger).await.unwrap_err().code, Code::NotFound);
}
