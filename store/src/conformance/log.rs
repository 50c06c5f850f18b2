use natter_schemas::{
    event::{Body, Kind, LogEntry, Role},
    id::{ConversationId, EventId, UserId},
    rpc::Window,
};

use super::{
    Arc,
    fixtures::{SampleLog, partition, plain, posted},
};
use crate::{Store, StoreError};

pub async fn persisting_twice_is_persisting_once(store: Arc<dyn Store>) {
    let anna = UserId::fresh();
    let mut sample = SampleLog::of(&[anna]);
    let target = sample.add(anna, posted("hi"));
    sample.add(anna, Kind::Reacted { target, emoji: "👍".to_owned(), on: true });
    sample.persist(&*store).await;
    let before = store.conversation(sample.id).await.unwrap();
    let messages = store.messages(sample.id, Window::Newest, u64::MAX, 10).await.unwrap();
    let twice: Vec<LogEntry> = sample.log.iter().chain(&sample.log).cloned().collect();
    store.persist(sample.partition, &twice).await.unwrap();
    assert_eq!(store.conversation(sample.id).await.unwrap(), before);
    assert_eq!(store.messages(sample.id, Window::Newest, u64::MAX, 10).await.unwrap(), messages);
    assert_eq!(store.events_from(sample.id, 0, u64::MAX, 10).await.unwrap(), sample.log);
}

pub async fn heads_are_answered_in_the_order_asked(store: Arc<dyn Store>) {
    let (mut a, b) = (SampleLog::of(&[]), SampleLog::of(&[]));
    let head = a.add(a.owner, posted("hi"));
    a.persist(&*store).await;
    b.persist(&*store).await;
    let unknown = ConversationId::fresh();
    assert_eq!(store.heads(&[b.id, unknown, a.id, b.id]).await.unwrap(), [10, 0, head, 10]);
    assert!(store.heads(&[]).await.unwrap().is_empty());
    let many: Vec<_> = (0..3_000).map(|_| ConversationId::fresh()).chain([a.id]).collect();
    assert_eq!(store.heads(&many).await.unwrap().last(), Some(&head));
}

pub async fn highest_is_by_partition_and_never_falls(store: Arc<dyn Store>) {
    let mut sample = SampleLog::of(&[]);
    assert_eq!(store.highest(sample.partition).await.unwrap(), 0);
    let last = sample.add(sample.owner, posted("hi"));
    store.persist(sample.partition, &sample.log[1..]).await.unwrap();
    assert_eq!(store.highest(sample.partition).await.unwrap(), last);
    store.persist(sample.partition, &sample.log[..1]).await.unwrap();
    assert_eq!(store.highest(sample.partition).await.unwrap(), last);
    assert_eq!(store.highest(partition()).await.unwrap(), 0);
}

pub async fn events_are_replayed_as_they_were_logged(store: Arc<dyn Store>) {
    let anna = UserId::fresh();
    let mut sample = SampleLog::of(&[]);
    let target = sample.add(sample.owner, posted("hi"));
    for kind in [
        Kind::Posted { body: plain("a reply"), reply_to: Some(target) },
        Kind::Edited {
            target,
            body: Body::Sealed { key_version: 3, nonce: [9; 12], ciphertext: vec![0, 255, 7] },
        },
        Kind::Reacted { target, emoji: "👩‍👩‍👧‍👦".to_owned(), on: true },
        Kind::MemberAdded { user: anna, role: Role::Admin },
        Kind::RoleChanged { user: anna, role: Role::Owner },
        Kind::MemberRemoved { user: anna },
        Kind::Renamed { name: "n".to_owned() },
        Kind::Deleted { target },
    ] {
        sample.add(sample.owner, kind);
    }
    sample.persist(&*store).await;
    let last = sample.log.last().unwrap().seq;
    assert_eq!(store.events_from(sample.id, 0, last, 100).await.unwrap(), sample.log);
    // The event at `after` itself is the first.
    assert_eq!(store.events_from(sample.id, target, last, 100).await.unwrap(), sample.log[1..]);
    assert_eq!(store.events_from(sample.id, target + 1, last, 2).await.unwrap(), sample.log[2..4]);
    assert_eq!(store.events_from(sample.id, 0, target, 100).await.unwrap(), sample.log[..2]);
    assert!(store.events_from(sample.id, last + 1, u64::MAX, 100).await.unwrap().is_empty());
    assert!(store.events_from(sample.id, 0, last, 0).await.unwrap().is_empty());
}

pub async fn an_event_is_found_by_its_id_in_its_conversation_only(store: Arc<dyn Store>) {
    let mut sample = SampleLog::of(&[]);
    sample.add(sample.owner, posted("hi"));
    // The same id once more, as after a retry that outlived the log's memory: the first one counts.
    let mut again = sample.log[1].clone();
    again.seq += 100;
    sample.log.push(again);
    let other = SampleLog::of(&[]);
    sample.persist(&*store).await;
    other.persist(&*store).await;
    let id = sample.log[1].event.id;
    assert_eq!(store.find_event(sample.id, id).await.unwrap(), Some(sample.log[1].clone()));
    assert_eq!(store.find_event(other.id, id).await.unwrap(), None);
    assert_eq!(store.find_event(sample.id, EventId::fresh()).await.unwrap(), None);
    assert_eq!(store.events_from(sample.id, 0, u64::MAX, 10).await.unwrap().len(), 3);
}

pub async fn another_event_at_a_known_seq_is_refused(store: Arc<dyn Store>) {
    let mut sample = SampleLog::of(&[]);
    sample.add(sample.owner, posted("hi"));
    sample.persist(&*store).await;
    // Whatever lies there, a message or a change.
    for known in &sample.log {
        for kind in [posted("another"), Kind::Renamed { name: "another".to_owned() }] {
            let mut stranger = known.clone();
            stranger.event.id = EventId::fresh();
            stranger.event.kind = kind;
            let refused = store.persist(sample.partition, &[stranger]).await;
            assert!(matches!(refused, Err(StoreError::Corrupt(_))), "{refused:?}");
        }
    }
    assert_eq!(store.events_from(sample.id, 0, u64::MAX, 10).await.unwrap(), sample.log);
}

pub async fn hostile_content_comes_back_as_it_was(store: Arc<dyn Store>) {
    let mut sample = SampleLog::of(&[]);
    let long = "é".repeat(4 * 1024);
    for nasty in ["'; DROP TABLE events; --", "a\0b\0", "👍🏽\u{202e}\u{FFFD}", "\"\\\r\n\t", long.as_str()]
    {
        let target = sample.add(sample.owner, posted(nasty));
        let last = sample.log.last_mut().unwrap();
        nasty.clone_into(&mut last.event.device);
        last.event.client_id = Some(nasty.to_owned());
        last.event.traceparent = Some(nasty.to_owned());
        sample.add(sample.owner, Kind::Reacted { target, emoji: nasty.to_owned(), on: true });
        sample.add(sample.owner, Kind::Renamed { name: nasty.to_owned() });
    }
    sample.persist(&*store).await;
    assert_eq!(store.events_from(sample.id, 0, u64::MAX, 100).await.unwrap(), sample.log);
    assert_eq!(store.conversation(sample.id).await.unwrap().unwrap().name, Some(long.clone()));
    for message in store.messages(sample.id, Window::Newest, u64::MAX, 100).await.unwrap() {
        let Some(Body::Plain(text)) = message.body else { panic!("{message:?}") };
        assert_eq!(message.client_id, Some(text.clone()));
        assert_eq!(message.reactions[0].emoji, text);
    }
}

pub async fn seqs_beyond_every_log_are_harmless(store: Arc<dyn Store>) {
    let mut sample = SampleLog::of(&[]);
    let seq = sample.add(sample.owner, posted("hi"));
    for target in [0, u64::MAX, u64::MAX - 1, 1 << 63] {
        sample.add(sample.owner, Kind::Edited { target, body: plain("x") });
        sample.add(sample.owner, Kind::Deleted { target });
        sample.add(sample.owner, Kind::Reacted { target, emoji: "👍".to_owned(), on: true });
    }
    sample.persist(&*store).await;
    let all = store.messages(sample.id, Window::Before(u64::MAX), u64::MAX, usize::MAX).await.unwrap();
    assert_eq!(all.iter().map(|m| (m.seq, m.version)).collect::<Vec<_>>(), [(seq, seq)]);
    assert!(store.messages(sample.id, Window::After(u64::MAX), u64::MAX, 5).await.unwrap().is_empty());
    assert!(store.messages(sample.id, Window::Before(0), u64::MAX, 5).await.unwrap().is_empty());
    assert_eq!(store.message(sample.id, u64::MAX, u64::MAX).await.unwrap(), None);
    assert!(store.events_from(sample.id, u64::MAX, u64::MAX, usize::MAX).await.unwrap().is_empty());
    assert!(store.countable(sample.id, UserId::fresh(), u64::MAX, 0, 5).await.unwrap().is_empty());
}

pub async fn an_empty_batch_is_fine(store: Arc<dyn Store>) {
    let partition = partition();
    store.persist(partition, &[]).await.unwrap();
    assert_eq!(store.highest(partition).await.unwrap(), 0);
    assert_eq!(store.read_mark(ConversationId::fresh(), UserId::fresh()).await.unwrap(), 0);
    store.ready().await.unwrap();
}
