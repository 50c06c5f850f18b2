use natter_schemas::{
    event::{Kind, Reaction},
    id::{Seq, UserId},
    rpc::Window,
};

use super::{
    Arc,
    fixtures::{SampleLog, at, plain, posted},
};
use crate::Store;

/// A conversation with `n` messages among other events, and their seqs.
async fn with_messages(store: &dyn Store, n: usize) -> (SampleLog, Vec<Seq>) {
    let mut sample = SampleLog::of(&[]);
    let mut seqs = Vec::new();
    for i in 0..n {
        let seq = sample.add(sample.owner, posted(&format!("message {i}")));
        seqs.push(seq);
        sample.add(sample.owner, Kind::Reacted { target: seq, emoji: "👍".to_owned(), on: true });
        sample.add(sample.owner, Kind::Edited { target: seq, body: plain("edited") });
    }
    sample.persist(store).await;
    (sample, seqs)
}

async fn page(store: &dyn Store, sample: &SampleLog, window: Window, up_to: Seq, limit: usize) -> Vec<Seq> {
    let messages = store.messages(sample.id, window, up_to, limit).await.unwrap();
    messages.iter().map(|message| message.seq).collect()
}

pub async fn the_newest_page_ends_at_the_head(store: Arc<dyn Store>) {
    let (sample, seqs) = with_messages(&*store, 10).await;
    assert_eq!(page(&*store, &sample, Window::Newest, Seq::MAX, 3).await, seqs[7..]);
    assert_eq!(page(&*store, &sample, Window::Newest, Seq::MAX, 100).await, seqs);
    assert!(page(&*store, &sample, Window::Newest, Seq::MAX, 0).await.is_empty());
    assert!(page(&*store, &SampleLog::of(&[]), Window::Newest, Seq::MAX, 9).await.is_empty());
}

pub async fn pages_before_and_after_a_seq_touch_it_but_do_not_contain_it(store: Arc<dyn Store>) {
    let (sample, seqs) = with_messages(&*store, 10).await;
    assert_eq!(page(&*store, &sample, Window::Before(seqs[5]), Seq::MAX, 3).await, seqs[2..5]);
    assert_eq!(page(&*store, &sample, Window::After(seqs[5]), Seq::MAX, 3).await, seqs[6..9]);
    // Between messages, where an edit is.
    assert_eq!(page(&*store, &sample, Window::Before(seqs[5] + 1), Seq::MAX, 2).await, seqs[4..6]);
    assert_eq!(page(&*store, &sample, Window::After(seqs[5] - 1), Seq::MAX, 2).await, seqs[5..7]);
    assert_eq!(page(&*store, &sample, Window::After(0), Seq::MAX, 100).await, seqs);
    assert!(page(&*store, &sample, Window::Before(seqs[0]), Seq::MAX, 5).await.is_empty());
    assert!(page(&*store, &sample, Window::After(seqs[9]), Seq::MAX, 5).await.is_empty());
}

pub async fn no_page_goes_beyond_its_ceiling(store: Arc<dyn Store>) {
    let (sample, seqs) = with_messages(&*store, 10).await;
    let ceiling = seqs[6];
    assert_eq!(page(&*store, &sample, Window::Newest, ceiling, 2).await, seqs[5..7]);
    assert_eq!(page(&*store, &sample, Window::Newest, ceiling - 1, 2).await, seqs[4..6]);
    assert_eq!(page(&*store, &sample, Window::After(seqs[4]), ceiling, 9).await, seqs[5..7]);
    assert_eq!(page(&*store, &sample, Window::Before(seqs[9]), ceiling, 2).await, seqs[5..7]);
    assert!(page(&*store, &sample, Window::Newest, 0, 9).await.is_empty());
}

pub async fn a_message_shows_its_newest_edit(store: Arc<dyn Store>) {
    let mut sample = SampleLog::of(&[]);
    let seq = sample.add(sample.owner, posted("one"));
    let second = sample.add(sample.owner, Kind::Edited { target: seq, body: plain("two") });
    let third = sample.add(sample.owner, Kind::Edited { target: seq, body: plain("three") });
    // The older edit comes last.
    for at in [0, 1, 3, 2] {
        store.persist(sample.partition, &sample.log[at..=at]).await.unwrap();
    }
    let message = store.message(sample.id, seq, Seq::MAX).await.unwrap().unwrap();
    assert_eq!((message.body, message.edited_at), (Some(plain("three")), Some(at(third))));
    assert_eq!((message.version, message.body_event), (third, sample.log[3].event.id));
    assert_eq!(message.created_at, at(seq));
    // Only messages are messages.
    assert_eq!(store.message(sample.id, second, Seq::MAX).await.unwrap(), None);
    assert_eq!(store.message(sample.id, seq + 1, Seq::MAX).await.unwrap(), None);
}

pub async fn a_deletion_is_final_and_keeps_the_position(store: Arc<dyn Store>) {
    let mut sample = SampleLog::of(&[]);
    let seq = sample.add(sample.owner, posted("one"));
    sample.add(sample.owner, Kind::Reacted { target: seq, emoji: "👍".to_owned(), on: true });
    let deleted = sample.add(sample.owner, Kind::Deleted { target: seq });
    sample.add(sample.owner, Kind::Edited { target: seq, body: plain("risen") });
    sample.add(sample.owner, Kind::Reacted { target: seq, emoji: "👻".to_owned(), on: true });
    sample.add(sample.owner, Kind::Deleted { target: seq });
    sample.persist(&*store).await;
    let messages = store.messages(sample.id, Window::Newest, Seq::MAX, 5).await.unwrap();
    assert_eq!(messages.len(), 1);
    assert_eq!((messages[0].body.as_ref(), messages[0].deleted_at), (None, Some(at(deleted))));
    assert_eq!((messages[0].edited_at, messages[0].version), (None, deleted));
    assert!(messages[0].reactions.is_empty());
}

pub async fn reactions_keep_the_order_in_which_they_came(store: Arc<dyn Store>) {
    let (anna, ben) = (UserId::fresh(), UserId::fresh());
    let mut sample = SampleLog::of(&[anna, ben]);
    let target = sample.add(sample.owner, posted("one"));
    let mut react = |user, emoji: &str, on| {
        sample.add(user, Kind::Reacted { target, emoji: emoji.to_owned(), on });
    };
    react(anna, "👍", true);
    react(ben, "🎉", true);
    react(ben, "👍", true);
    react(anna, "👍", true); // again: she keeps her position
    react(anna, "🙈", true);
    react(anna, "🙈", false);
    react(anna, "👍", false);
    react(anna, "👍", true); // again: she comes after Ben, the emoji keeps its position
    for logged in sample.log.iter().rev() {
        store.persist(sample.partition, std::slice::from_ref(logged)).await.unwrap();
    }
    let message = store.message(sample.id, target, Seq::MAX).await.unwrap().unwrap();
    let reaction = |emoji: &str, users: &[UserId]| Reaction::of(emoji, users.to_vec());
    assert_eq!(message.reactions, [reaction("👍", &[ben, anna]), reaction("🎉", &[ben])]);
}

pub async fn reactions_persisted_ahead_of_others_wait_for_them(store: Arc<dyn Store>) {
    let (anna, ben) = (UserId::fresh(), UserId::fresh());
    let mut sample = SampleLog::of(&[anna, ben]);
    let target = sample.add(sample.owner, posted("one"));
    let mut react = |user, on| sample.add(user, Kind::Reacted { target, emoji: "👍".to_owned(), on });
    let (bens, annas, taken_back) = (react(ben, true), react(anna, true), react(ben, false));
    let at = |seq| sample.log.iter().position(|logged| logged.seq == seq).unwrap();
    // Ben's own comes last.
    let order = sample.log.iter().filter(|logged| logged.seq != bens).chain([&sample.log[at(bens)]]);
    let order: Vec<Vec<_>> = order.map(|logged| vec![logged.clone()]).collect();
    let (last, before) = order.split_last().unwrap();
    for logged in before {
        store.persist(sample.partition, logged).await.unwrap();
    }
    let users = async |up_to| {
        let page = store.messages(sample.id, Window::Newest, up_to, 5).await.unwrap();
        let message = store.message(sample.id, target, up_to).await.unwrap().unwrap();
        assert_eq!(page, std::slice::from_ref(&message));
        message.reactions.into_iter().flat_map(|reaction| reaction.users).collect::<Vec<_>>()
    };
    assert_eq!(users(target).await, []);
    store.persist(sample.partition, last).await.unwrap();
    assert_eq!(users(target).await, []);
    assert_eq!(users(bens).await, [ben]);
    assert_eq!(users(annas).await, [ben, anna]);
    assert_eq!(users(taken_back).await, [anna]);
}
