use natter_schemas::{event::Message, id::Seq, rpc::Window};
use natter_store::{
    ConversationStore, EventStore, MessageStore, ReadMarkStore, Store,
    conformance::fixtures::{SampleLog, posted},
};

use super::fixtures::{border, fold, long, open};

async fn newest_first(store: &dyn Store, sample: &SampleLog, page: usize) -> Vec<Message> {
    let mut all: Vec<Message> = Vec::new();
    let mut window = Window::Newest;
    loop {
        let mut messages = store.messages(sample.id, window, Seq::MAX, page).await.unwrap();
        assert!(messages.len() <= page);
        let Some(first) = messages.first() else { return all };
        window = Window::Before(first.seq);
        messages.extend(all);
        all = messages;
    }
}

async fn oldest_first(store: &dyn Store, sample: &SampleLog, page: usize) -> Vec<Message> {
    let mut all: Vec<Message> = Vec::new();
    loop {
        let after = all.last().map_or(0, |last| last.seq);
        let messages = store.messages(sample.id, Window::After(after), Seq::MAX, page).await.unwrap();
        assert!(messages.len() <= page);
        if messages.is_empty() {
            return all;
        }
        all.extend(messages);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn five_thousand_events_over_bucket_borders_read_back_whole_in_pages() {
    let store = open().await;
    let sample = long(10, 500);
    // The later half first, in batches as workers have them.
    let (early, late) = sample.log.split_at(sample.log.len() / 2);
    for batch in late.chunks(512).chain(early.chunks(512)) {
        store.persist(sample.partition, batch).await.unwrap();
    }
    let messages = fold(&sample.log);
    assert!(newest_first(&store, &sample, 100).await == messages);
    assert!(oldest_first(&store, &sample, 70).await == messages);

    let mut events = Vec::new();
    while let Some(next) =
        Some(events.last().map_or(0, |last: &natter_schemas::event::LogEntry| last.seq + 1))
    {
        let more = store.events_from(sample.id, next, Seq::MAX, 300).await.unwrap();
        if more.is_empty() {
            break;
        }
        events.extend(more);
    }
    assert!(events == sample.log);

    let stranger = natter_schemas::id::UserId::fresh();
    let countable: Vec<Seq> = messages.iter().filter(|m| m.deleted_at.is_none()).map(|m| m.seq).collect();
    let after = border(3);
    let above: Vec<Seq> = countable.iter().copied().filter(|seq| *seq > after).take(1_000).collect();
    assert_eq!(store.countable(sample.id, stranger, after, Seq::MAX, 1_000).await.unwrap(), above);
    let head = sample.log.last().unwrap().seq;
    assert_eq!(store.heads(&[sample.id]).await.unwrap(), [head]);
    assert_eq!(store.highest(sample.partition).await.unwrap(), head);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quiet_conversation_has_its_page_from_as_many_buckets_as_it_takes() {
    let store = open().await;
    let mut sample = SampleLog::of(&[]);
    let mut seqs = Vec::new();
    for n in 1..=120 {
        // Alone in its bucket, and many buckets without anything in between; at its ends and in its middle.
        sample.skip_to(border(n * 7) + [0, 1 << 19, (1 << 20) - 1][usize::try_from(n % 3).unwrap()]);
        seqs.push(sample.add(sample.owner, posted("a rare word")));
    }
    sample.persist(&store).await;
    let of = |messages: &[Message]| messages.iter().map(|m| m.seq).collect::<Vec<_>>();
    let newest = store.messages(sample.id, Window::Newest, Seq::MAX, 50).await.unwrap();
    assert_eq!(of(&newest), seqs[70..]);
    let before = store.messages(sample.id, Window::Before(seqs[100]), seqs[90], 50).await.unwrap();
    assert_eq!(of(&before), seqs[41..=90]);
    let after = store.messages(sample.id, Window::After(seqs[3]), Seq::MAX, 50).await.unwrap();
    assert_eq!(of(&after), seqs[4..54]);
    assert_eq!(of(&oldest_first(&store, &sample, 7).await), seqs);
    assert_eq!(store.events_from(sample.id, seqs[5], seqs[99], 100).await.unwrap(), sample.log[6..101]);
}
