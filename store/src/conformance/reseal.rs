//! Texts sealed otherwise than the log has them.

use natter_schemas::{
    event::{Body, Kind, LogEntry, Message},
    id::{Seq, UserId},
    rpc::Window,
};

use super::{
    Arc,
    fixtures::{SampleLog, plain, posted},
};
use crate::Store;

fn sealed(epoch: u32) -> Body {
    Body::Sealed {
        key_version: epoch,
        nonce: [9; 12],
        ciphertext: vec![u8::try_from(epoch).unwrap(), 255, 7],
    }
}

/// The events at these seqs, sealed with keys of this epoch.
fn with_key(sample: &SampleLog, seqs: &[Seq], epoch: u32) -> Vec<LogEntry> {
    let entries = sample.log.iter().filter(|entry| seqs.contains(&entry.seq));
    let seal = |entry: &LogEntry| {
        let mut entry = entry.clone();
        *entry.event.body_mut().unwrap() = sealed(epoch);
        entry
    };
    entries.map(seal).collect()
}

/// The log with these in place of its own.
fn replaced(sample: &SampleLog, by: &[LogEntry]) -> Vec<LogEntry> {
    let other = |entry: &LogEntry| by.iter().find(|by| by.seq == entry.seq).unwrap_or(entry).clone();
    sample.log.iter().map(other).collect()
}

async fn page(store: &dyn Store, sample: &SampleLog) -> Vec<Message> {
    store.messages(sample.id, Window::Newest, Seq::MAX, 10).await.unwrap()
}

async fn bodies(store: &dyn Store, sample: &SampleLog) -> Vec<Option<Body>> {
    page(store, sample).await.into_iter().map(|message| message.body).collect()
}

pub async fn texts_sealed_again_stay_so_when_the_log_is_replayed(store: Arc<dyn Store>) {
    let mut sample = SampleLog::of(&[]);
    let first = sample.add(sample.owner, posted("first"));
    let second = sample.add(sample.owner, posted("second"));
    let third = sample.add(sample.owner, posted("third"));
    let edit = sample.add(sample.owner, Kind::Edited { target: second, body: plain("edited") });
    sample.add(sample.owner, Kind::Reacted { target: second, emoji: "👍".to_owned(), on: true });
    sample.persist(&*store).await;
    let before = page(&*store, &sample).await;

    let again = with_key(&sample, &[first, edit], 1);
    store.reseal(sample.id, &again).await.unwrap();
    for _ in 0..2 {
        let expected = replaced(&sample, &again);
        assert_eq!(store.events_from(sample.id, 0, Seq::MAX, 10).await.unwrap(), expected);
        for entry in &expected {
            let found = store.find_event(sample.id, entry.event.id).await.unwrap();
            assert_eq!(found.as_ref(), Some(entry));
        }
        let mut messages = before.clone();
        messages[0].body = Some(sealed(1));
        messages[1].body = Some(sealed(1));
        assert_eq!(page(&*store, &sample).await, messages);
        let one = store.message(sample.id, second, Seq::MAX).await.unwrap();
        assert_eq!(one.as_ref(), Some(&messages[1]));
        assert_eq!(store.message(sample.id, third, Seq::MAX).await.unwrap(), Some(messages[2].clone()));
        sample.persist(&*store).await;
    }
    store.forget_replaced(false).await.unwrap();
    store.forget_replaced(true).await.unwrap();
}

pub async fn a_text_sealed_with_a_later_key_stays(store: Arc<dyn Store>) {
    let mut sample = SampleLog::of(&[]);
    let seq = sample.add(sample.owner, posted("hi"));
    let edited = sample.add(sample.owner, posted("hi"));
    let edit = sample.add(sample.owner, Kind::Edited { target: edited, body: sealed(1) });
    sample.persist(&*store).await;
    for (epoch, stored) in [(2, 2), (1, 2), (300, 300), (299, 300)] {
        let body = |epoch| {
            let mut entries = with_key(&sample, &[seq, edit], 1);
            for entry in &mut entries {
                let body = Body::Sealed { key_version: epoch, nonce: [1; 12], ciphertext: vec![1] };
                *entry.event.body_mut().unwrap() = body;
            }
            entries
        };
        store.reseal(sample.id, &body(epoch)).await.unwrap();
        let expected = body(stored).into_iter().map(|entry| entry.event.body().cloned());
        assert_eq!(bodies(&*store, &sample).await, expected.collect::<Vec<_>>(), "{epoch}");
    }
}

pub async fn a_newer_edit_is_shown_after_an_older_one_was_sealed_again(store: Arc<dyn Store>) {
    let anna = UserId::fresh();
    let mut sample = SampleLog::of(&[anna]);
    let target = sample.add(anna, posted("hi"));
    let edits: Vec<Seq> = (1..=3)
        .map(|n| sample.add(anna, Kind::Edited { target, body: plain(&format!("edit {n}")) }))
        .collect();
    // The second edit is the newest that has come.
    let known: Vec<LogEntry> = sample.log[..sample.log.len() - 1].to_vec();
    let (late, known): (Vec<_>, Vec<_>) = known.into_iter().partition(|entry| entry.seq == edits[0]);
    store.persist(sample.partition, &known).await.unwrap();
    store.reseal(sample.id, &with_key(&sample, &[target, edits[1]], 4)).await.unwrap();
    assert_eq!(bodies(&*store, &sample).await, [Some(sealed(4))]);
    store.persist(sample.partition, &late).await.unwrap();
    store.reseal(sample.id, &with_key(&sample, &[edits[0]], 5)).await.unwrap();
    assert_eq!(bodies(&*store, &sample).await, [Some(sealed(4))], "an older one is not shown");
    sample.persist(&*store).await;
    assert_eq!(bodies(&*store, &sample).await, [Some(plain("edit 3"))]);
}

pub async fn sealing_again_brings_no_deleted_message_back(store: Arc<dyn Store>) {
    let mut sample = SampleLog::of(&[]);
    let target = sample.add(sample.owner, posted("hi"));
    let edit = sample.add(sample.owner, Kind::Edited { target, body: plain("edited") });
    sample.add(sample.owner, Kind::Deleted { target });
    sample.persist(&*store).await;
    let before = page(&*store, &sample).await;
    assert_eq!((before[0].body.clone(), before[0].deleted_at.is_some()), (None, true));
    store.reseal(sample.id, &with_key(&sample, &[target, edit], 1)).await.unwrap();
    assert_eq!(page(&*store, &sample).await, before);
    sample.persist(&*store).await;
    assert_eq!(page(&*store, &sample).await, before);
}
