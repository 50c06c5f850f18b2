//! What a reader is shown, whatever the persister and the store are doing.

use std::cell::{Cell, RefCell};

use crate::harness::{Harness, edited, event, posted, reacted, texts};
use futures_util::{StreamExt, stream};
use natter_schemas::{
    code::Code,
    event::Kind,
    id::{ConversationId, EventId, Seq},
    rpc::{
        EventsAfter, FindEvent, FindOlderEvents, GetHead, GetMessage, GetPage, GetTarget, LogHeads, Page,
        ReplayPart, RoomEventsAfter, RoomHeads, Window,
    },
};
use natter_workers::Job;

const SERVICES: [Job; 2] = [Job::Conversations, Job::History];

#[tokio::test]
async fn a_page_right_after_the_ack_has_the_message_before_it_is_stored() {
    let harness = Harness::with(&SERVICES).await;
    let (room, alice, _) = harness.group_of_two().await;
    for n in 1..=20 {
        let seq = harness.post(alice, room, &format!("message {n}")).await;
        let page = harness.page(room, Window::Newest, 50).await;
        assert_eq!(page.messages.last().unwrap().seq, seq);
        assert_eq!((page.head, page.messages.len(), page.has_more), (seq, n, false));
    }
}

#[tokio::test]
async fn a_page_is_the_same_out_of_the_log_and_out_of_the_store() {
    let mut harness = Harness::with(&SERVICES).await;
    let (room, alice, bob) = harness.group_of_two().await;
    let mut seqs = Vec::new();
    for n in 0..12 {
        seqs.push(harness.post(alice, room, &format!("m{n}")).await);
    }
    harness.say(alice, room, edited(seqs[3], "m3, better")).await;
    harness.say(bob, room, reacted(seqs[4], true)).await;
    harness.say(alice, room, reacted(seqs[4], true)).await;
    harness.say(bob, room, reacted(seqs[4], false)).await;
    harness.say(alice, room, Kind::Deleted { target: seqs[5] }).await;
    harness.say(alice, room, edited(seqs[5], "too late")).await;

    let windows = [
        Window::Newest,
        Window::Before(seqs[6]),
        Window::Before(seqs[0]),
        Window::After(seqs[2]),
        Window::After(seqs[11]),
        Window::After(0),
    ];
    let mut before = Vec::new();
    for window in windows {
        for limit in [1, 4, 12, 100] {
            before.push(harness.page(room, window, limit).await);
        }
    }
    harness.settle(&SERVICES).await;
    let mut pages = before.into_iter();
    for window in windows {
        for limit in [1, 4, 12, 100] {
            let page = harness.page(room, window, limit).await;
            assert_eq!(page, pages.next().unwrap(), "{window:?} {limit}");
        }
    }
    let page = harness.page(room, Window::After(seqs[2]), 3).await;
    assert_eq!(texts(&page), ["m3, better", "m4", "(deleted)"]);
    assert!(page.has_more);
    assert_eq!(page.messages[1].reactions[0].users, [alice]);
}

#[tokio::test]
async fn events_above_the_floor_change_the_rows_below_it() {
    let mut harness = Harness::with(&SERVICES).await;
    let (room, alice, bob) = harness.group_of_two().await;
    let first = harness.post(alice, room, "first").await;
    let second = harness.post(alice, room, "second").await;
    let third = harness.post(bob, room, "third").await;
    harness.settle(&SERVICES).await;
    assert_eq!(texts(&harness.page(room, Window::Newest, 10).await), ["first", "second", "third"]);

    harness.say(alice, room, edited(first, "first, better")).await;
    harness.say(alice, room, Kind::Deleted { target: second }).await;
    harness.say(alice, room, reacted(third, true)).await;
    let head = harness.post(bob, room, "fourth").await;
    let page = harness.page(room, Window::Newest, 10).await;
    assert_eq!(texts(&page), ["first, better", "(deleted)", "third", "fourth"]);
    assert_eq!(page.messages[2].reactions[0].users, [alice]);
    assert_eq!(page.head, head);

    let message =
        harness.rpc.call(&GetMessage { user: alice, conversation: room, seq: first }).await.unwrap().unwrap();
    assert_eq!(message, page.messages[0]);
    let message =
        harness.rpc.call(&GetMessage { user: alice, conversation: room, seq: head }).await.unwrap().unwrap();
    assert_eq!(message, page.messages[3]);
    assert_eq!(
        harness.rpc.call(&GetMessage { user: alice, conversation: room, seq: head + 1 }).await.unwrap(),
        None
    );
}

#[tokio::test]
async fn a_target_is_as_it_stands_at_the_end_that_comes_with_it() {
    let mut harness = Harness::with(&SERVICES).await;
    let (room, alice, bob) = harness.group_of_two().await;
    let first = harness.post(alice, room, "first").await;
    harness.post(bob, room, "second").await;
    harness.settle(&SERVICES).await;
    let target =
        async |seq| harness.rpc.call(&GetTarget { user: alice, conversation: room, seq }).await.unwrap();
    let stored = target(first).await;
    assert_eq!((stored.message.unwrap().version, stored.last), (first, first + 1));
    let deleted = harness.say(alice, room, Kind::Deleted { target: first }).await;
    let below = target(first).await;
    assert_eq!((below.message.unwrap().version, below.last), (deleted, deleted));
    let third = harness.post(bob, room, "third").await;
    let above = target(third).await;
    assert_eq!((above.message.unwrap().seq, above.last), (third, third));
    assert_eq!(target(first).await.last, third);
    assert_eq!(target(deleted).await.message, None);
}

#[tokio::test]
async fn while_the_store_is_away_the_log_answers_what_it_can_and_nothing_is_made_up() {
    let mut harness = Harness::with(&SERVICES).await;
    let (room, alice, _) = harness.group_of_two().await;
    let mut seqs = Vec::new();
    for n in 0..10 {
        seqs.push(harness.post(alice, room, &format!("m{n}")).await);
    }
    harness.settle(&SERVICES).await;
    seqs.push(harness.post(alice, room, "m10").await);
    harness.store.set_away(true);

    assert_eq!(texts(&harness.page(room, Window::Newest, 3).await), ["m8", "m9", "m10"]);
    assert_eq!(texts(&harness.page(room, Window::After(seqs[7]), 2).await), ["m8", "m9"]);
    assert_eq!(texts(&harness.page(room, Window::Before(seqs[2]), 5).await), ["m0", "m1"]);
    let message =
        harness.rpc.call(&GetMessage { user: alice, conversation: room, seq: seqs[1] }).await.unwrap();
    assert_eq!(message.unwrap().seq, seqs[1]);
    let part = ReplayPart { conversation: room, after: seqs[8], limit: 500, scanned: 0 };
    let replay = harness.rpc.call(&EventsAfter { user: alice, part }).await.unwrap();
    assert_eq!(replay.events.iter().map(|e| e.seq).collect::<Vec<_>>(), [seqs[9], seqs[10]]);
    assert!(replay.anchored && !replay.more);

    // A position that is no event: the log cannot prove what lies between.
    let page = Page { conversation: ConversationId::fresh(), window: Window::Newest, limit: 3 };
    let elsewhere = GetPage { user: alice, page };
    assert_eq!(harness.rpc.call(&elsewhere).await.unwrap_err().code, Code::Unavailable);
    let unknown = FindEvent { user: alice, conversation: room, event: EventId::fresh() };
    assert_eq!(harness.rpc.call(&unknown).await.unwrap_err().code, Code::Unavailable);
}

#[tokio::test]
async fn a_store_that_does_not_answer_is_not_waited_for() {
    let mut harness = Harness::with(&SERVICES).await;
    let (room, alice, _) = harness.group_of_two().await;
    let mut seqs = Vec::new();
    for n in 0..10 {
        seqs.push(harness.post(alice, room, &format!("m{n}")).await);
    }
    harness.settle(&SERVICES).await;
    let last = harness.say(alice, room, posted("m10")).await;
    harness.store.set_gone(true);

    assert_eq!(texts(&harness.page(room, Window::Newest, 3).await), ["m8", "m9", "m10"]);
    assert_eq!(texts(&harness.page(room, Window::Before(seqs[2]), 5).await), ["m0", "m1"]);
    let message =
        harness.rpc.call(&GetMessage { user: alice, conversation: room, seq: seqs[1] }).await.unwrap();
    assert_eq!(message.unwrap().seq, seqs[1]);
    let part = ReplayPart { conversation: room, after: seqs[9], limit: 500, scanned: 0 };
    let event = harness.rpc.call(&EventsAfter { user: alice, part }).await.unwrap().events.pop().unwrap();
    assert_eq!(event.seq, last);
    let find = FindEvent { user: alice, conversation: room, event: event.event.id };
    assert_eq!(harness.rpc.call(&find).await.unwrap().unwrap().seq, last);
}

#[tokio::test]
async fn a_replay_begins_where_the_client_was_or_reports_that_it_cannot() {
    let mut harness = Harness::with(&SERVICES).await;
    let (room, alice, _) = harness.group_of_two().await;
    let mut seqs = Vec::new();
    for n in 0..6 {
        seqs.push(harness.post(alice, room, &format!("m{n}")).await);
    }
    let part = |after, limit| ReplayPart { conversation: room, after, limit, scanned: 0 };
    let ask = |after, limit| EventsAfter { user: alice, part: part(after, limit) };
    for persisted in [false, true] {
        if persisted {
            harness.settle(&SERVICES).await;
        }
        let replay = harness.rpc.call(&ask(seqs[1], 2)).await.unwrap();
        assert_eq!(replay.events.iter().map(|e| e.seq).collect::<Vec<_>>(), seqs[2..4]);
        assert!(replay.more && replay.anchored);
        assert_eq!(replay.head, seqs[5]);

        let replay = harness.rpc.call(&ask(seqs[3], 2)).await.unwrap();
        assert_eq!(replay.events.iter().map(|e| e.seq).collect::<Vec<_>>(), seqs[4..]);
        assert!(!replay.more && replay.anchored);

        let replay = harness.rpc.call(&ask(seqs[5], 500)).await.unwrap();
        assert!(replay.events.is_empty() && !replay.more && replay.anchored);
        assert_eq!(replay.head, seqs[5]);

        // From nothing: the opening event and all messages.
        let replay = harness.rpc.call(&ask(0, 500)).await.unwrap();
        assert_eq!(replay.events.len(), 7);
        assert!(!replay.more && !replay.anchored);
        assert_eq!(harness.rpc.call(&RoomEventsAfter { part: part(0, 500) }).await.unwrap(), replay);

        // Ahead of the log, as after a rebuilt one.
        let replay = harness.rpc.call(&ask(seqs[5] + 1_000, 500)).await.unwrap();
        assert!(replay.events.is_empty() && !replay.anchored);
        assert_eq!(replay.head, seqs[5]);
    }
}

#[tokio::test]
async fn a_replay_from_far_back_is_the_same_out_of_the_store_and_without_it() {
    let mut harness = Harness::with(&SERVICES).await;
    let (room, alice, _) = harness.group_of_two().await;
    let mut seqs = Vec::new();
    for n in 0..12 {
        seqs.push(harness.post(alice, room, &format!("m{n}")).await);
    }
    let busy = std::iter::repeat_with(ConversationId::fresh)
        .find(|busy| crate::harness::partition(*busy) == crate::harness::partition(room))
        .unwrap();
    let noise = (0..20_100).map(|_| event(alice, busy, posted("noise"))).collect::<Vec<_>>();
    stream::iter(&noise).map(|event| harness.publish(event)).buffer_unordered(400).count().await;
    harness.settle(&SERVICES).await;
    seqs.push(harness.post(alice, room, "m12").await);

    let part = |after, limit| ReplayPart { conversation: room, after, limit, scanned: 0 };
    let ask = |after, limit| EventsAfter { user: alice, part: part(after, limit) };
    for away in [false, true] {
        harness.store.set_away(away);
        let replay = harness.rpc.call(&ask(seqs[1], 500)).await.unwrap();
        assert_eq!(replay.events.iter().map(|e| e.seq).collect::<Vec<_>>(), seqs[2..]);
        assert!(replay.anchored && !replay.more);
        let replay = harness.rpc.call(&ask(seqs[1], 3)).await.unwrap();
        assert_eq!(replay.events.iter().map(|e| e.seq).collect::<Vec<_>>(), seqs[2..5]);
        assert!(replay.anchored && replay.more);
        assert_eq!(replay.head, seqs[12]);
        let replay = harness.rpc.call(&ask(0, 500)).await.unwrap();
        assert_eq!(replay.events.len(), 14);
        assert!(!replay.anchored && !replay.more);
    }
}

#[tokio::test]
async fn heads_and_events_are_found_before_and_after_persisting() {
    let mut harness = Harness::with(&SERVICES).await;
    let (room, alice, bob) = harness.group_of_two().await;
    let (silent, other) = (ConversationId::fresh(), harness.group(alice, &[bob]).await);
    let find = |conversation, event| FindEvent { user: alice, conversation, event };
    let sent = event(alice, room, posted("where am I"));
    let head = harness.publish(&sent).await;
    for persisted in [false, true] {
        if persisted {
            harness.settle(&SERVICES).await;
        }
        let heads = RoomHeads { conversations: vec![silent, room] };
        assert_eq!(harness.rpc.call(&heads).await.unwrap(), [0, head]);
        let of_one = GetHead { user: alice, conversation: room };
        assert_eq!(harness.rpc.call(&of_one).await.unwrap(), head);
        let found = harness.rpc.call(&find(room, sent.id)).await.unwrap().unwrap();
        assert_eq!((found.seq, &found.event), (head, &sent));
        if persisted {
            let events = vec![find(room, EventId::fresh()), find(room, sent.id)];
            let older = FindOlderEvents { events };
            assert_eq!(harness.rpc.call(&older).await.unwrap(), [None, Some(found)]);
        }
        assert_eq!(harness.rpc.call(&find(other, sent.id)).await.unwrap(), None);
        let log_heads = harness.rpc.call(&LogHeads).await.unwrap();
        assert_eq!(log_heads[usize::from(crate::harness::partition(room).0)], head);
    }
}

#[tokio::test]
async fn many_readers_of_one_page_at_once_all_see_it() {
    let mut harness = Harness::with(&SERVICES).await;
    let (room, alice, _) = harness.group_of_two().await;
    for n in 0..5 {
        harness.post(alice, room, &format!("m{n}")).await;
    }
    harness.settle(&SERVICES).await;
    let pages = (0..64).map(|_| harness.page(room, Window::Newest, 50));
    for page in futures_util::future::join_all(pages).await {
        assert_eq!(texts(&page), ["m0", "m1", "m2", "m3", "m4"]);
    }
}

#[tokio::test]
async fn a_reader_never_sees_a_hole_while_the_store_comes_and_goes() {
    let harness = Harness::with(&[Job::Conversations, Job::History, Job::Persist]).await;
    harness.start(&[Job::Persist]).await;
    let (room, alice, bob) = harness.group_of_two().await;
    let (acked, done) = (RefCell::new(Vec::new()), Cell::new(false));
    let write = async {
        for n in 0..400 {
            harness.store.set_away(n % 100 >= 60);
            let seq = harness.post(if n % 3 == 0 { bob } else { alice }, room, &n.to_string()).await;
            acked.borrow_mut().push(seq);
        }
        harness.store.set_away(false);
        done.set(true);
    };
    let read = async {
        let mut pages = Vec::new();
        while !done.get() {
            let known = acked.borrow().len();
            pages.push((known, harness.page(room, Window::Newest, 50).await));
        }
        pages
    };
    let ((), pages) = tokio::join!(write, read);
    let acked = acked.into_inner();
    assert!(pages.len() > 10);
    for (known, page) in pages {
        let seqs: Vec<Seq> = page.messages.iter().map(|message| message.seq).collect();
        let Some(last) = seqs.last() else {
            assert_eq!(known, 0);
            continue;
        };
        let end = acked.iter().position(|seq| seq == last).unwrap() + 1;
        assert!(end >= known, "what was acked before the question is in the answer");
        assert_eq!(seqs, acked[end.saturating_sub(50)..end], "no hole");
        assert_eq!((page.head, page.has_more), (*last, end > 50));
    }
}
