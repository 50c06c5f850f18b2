use natter_schemas::{
    event::{Kind, Role},
    id::{Seq, UserId},
};

use super::{
    Arc,
    fixtures::{SampleLog, at, plain, posted},
};
use crate::{ListedRow, ReadPosition, Store, UnreadMark};

fn read_to(read: Seq) -> ReadPosition {
    ReadPosition { read, ..ReadPosition::default() }
}

pub async fn a_read_mark_only_moves_forward(store: Arc<dyn Store>) {
    let anna = UserId::fresh();
    let sample = SampleLog::of(&[anna]);
    sample.persist(&*store).await;
    assert_eq!(store.read_mark(sample.id, anna).await.unwrap(), 0);
    for (asked, now) in [(20, 20), (10, 20), (20, 20), (25, 25), (0, 25)] {
        assert_eq!(store.advance_read(sample.id, anna, asked, at(asked)).await.unwrap(), now);
        assert_eq!(store.read_mark(sample.id, anna).await.unwrap(), now);
    }
    assert_eq!(store.read_mark(sample.id, sample.owner).await.unwrap(), 0);
    let members = store.members(sample.id).await.unwrap();
    let read = |user| members.iter().find(|m| m.member.user == user).unwrap().read;
    assert_eq!((read(anna), read(sample.owner)), (25, 0));
}

pub async fn the_newest_mark_as_unread_counts_until_it_is_ended(store: Arc<dyn Store>) {
    let anna = UserId::fresh();
    let sample = SampleLog::of(&[anna]);
    sample.persist(&*store).await;
    assert_eq!(store.read_position(sample.id, anna).await.unwrap(), ReadPosition::default());
    let mark = |version, position| UnreadMark { version, position, over: 25 };
    // Before anything is read, and again after it.
    store.mark_unread(sample.id, anna, mark(1, 3)).await.unwrap();
    store.advance_read(sample.id, anna, 25, at(25)).await.unwrap();
    for (version, position) in [(2, 7), (1, 20), (2, 7)] {
        store.mark_unread(sample.id, anna, mark(version, position)).await.unwrap();
    }
    let expected = ReadPosition { read: 25, unread: mark(2, 7), ended: 0 };
    assert_eq!(store.read_position(sample.id, anna).await.unwrap(), expected);
    for ended in [1, 2, 1] {
        store.end_unread(sample.id, anna, ended).await.unwrap();
    }
    let expected = ReadPosition { ended: 2, ..expected };
    assert_eq!(store.read_position(sample.id, anna).await.unwrap(), expected);
    assert_eq!(store.list_conversations(anna, None, 1).await.unwrap()[0].read, expected);
    assert_eq!(store.read_mark(sample.id, anna).await.unwrap(), 25);
    assert_eq!(store.read_position(sample.id, sample.owner).await.unwrap(), ReadPosition::default());
}

pub async fn of_marks_as_unread_of_one_version_the_furthest_counts(store: Arc<dyn Store>) {
    let anna = UserId::fresh();
    let sample = SampleLog::of(&[anna]);
    sample.persist(&*store).await;
    for position in [5, 300, 9] {
        let mark = UnreadMark { version: 1, position, over: 1_000 };
        store.mark_unread(sample.id, anna, mark).await.unwrap();
    }
    assert_eq!(store.read_position(sample.id, anna).await.unwrap().unread.position, 300);
}

pub async fn posting_reads_up_to_the_own_message(store: Arc<dyn Store>) {
    let anna = UserId::fresh();
    let mut sample = SampleLog::of(&[anna]);
    let first = sample.add(anna, posted("one"));
    let second = sample.add(anna, posted("two"));
    sample.add(anna, Kind::Edited { target: first, body: plain("uno") });
    store.persist(sample.partition, &sample.log[2..]).await.unwrap();
    store.persist(sample.partition, &sample.log[..2]).await.unwrap();
    assert_eq!(store.read_mark(sample.id, anna).await.unwrap(), second);
    assert_eq!(store.read_mark(sample.id, sample.owner).await.unwrap(), 0);
}

pub async fn a_new_member_has_no_unread_messages_from_before(store: Arc<dyn Store>) {
    let (anna, ben) = (UserId::fresh(), UserId::fresh());
    let mut sample = SampleLog::of(&[anna]);
    sample.add(anna, posted("before"));
    let added = sample.add(sample.owner, Kind::MemberAdded { user: ben, role: Role::Member });
    let after = sample.add(anna, posted("after"));
    sample.persist(&*store).await;
    let mark = store.read_mark(sample.id, ben).await.unwrap();
    assert_eq!(mark, added);
    assert_eq!(store.countable(sample.id, ben, mark, Seq::MAX, 100).await.unwrap(), [after]);
}

pub async fn countable_are_others_messages_that_are_not_deleted(store: Arc<dyn Store>) {
    let anna = UserId::fresh();
    let mut sample = SampleLog::of(&[anna]);
    let own = sample.add(anna, posted("mine"));
    let seqs: Vec<Seq> = (0..5).map(|_| sample.add(sample.owner, posted("theirs"))).collect();
    sample.add(sample.owner, Kind::Edited { target: seqs[0], body: plain("still counts") });
    sample.add(sample.owner, Kind::Reacted { target: seqs[1], emoji: "👍".to_owned(), on: true });
    sample.add(sample.owner, Kind::Deleted { target: seqs[2] });
    sample.persist(&*store).await;
    let counted = async |user, after, up_to, limit| {
        store.countable(sample.id, user, after, up_to, limit).await.unwrap()
    };
    let without_deleted = [seqs[0], seqs[1], seqs[3], seqs[4]];
    assert_eq!(counted(anna, 0, Seq::MAX, 100).await, without_deleted);
    assert_eq!(counted(anna, 0, Seq::MAX, 2).await, without_deleted[..2]);
    assert_eq!(counted(anna, seqs[0], seqs[3], 100).await, [seqs[1], seqs[3]]);
    assert_eq!(counted(sample.owner, 0, Seq::MAX, 100).await, [own]);
    assert_eq!(counted(UserId::fresh(), 0, Seq::MAX, 100).await.len(), 5);
    assert!(counted(anna, seqs[4], Seq::MAX, 100).await.is_empty());
    assert!(counted(anna, 0, Seq::MAX, 0).await.is_empty());
}

pub async fn unread_conversations_are_those_with_something_countable(store: Arc<dyn Store>) {
    let anna = UserId::fresh();
    let mut logs: Vec<SampleLog> = (0..5).map(|_| SampleLog::of(&[anna])).collect();
    let [busy, read, own, deleted, left] = logs.as_mut_slice() else { unreachable!("five") };
    for _ in 0..7 {
        busy.add(busy.owner, posted("theirs"));
    }
    let first = busy.log[1].seq;
    let seen = read.add(read.owner, posted("theirs"));
    read.add(read.owner, Kind::Reacted { target: seen, emoji: "👍".to_owned(), on: true });
    own.add(anna, posted("mine"));
    let target = deleted.add(deleted.owner, posted("gone"));
    deleted.add(deleted.owner, Kind::Deleted { target });
    left.add(left.owner, posted("theirs"));
    left.add(anna, Kind::MemberRemoved { user: anna });
    for sample in &logs {
        sample.persist(&*store).await;
    }
    store.advance_read(logs[1].id, anna, seen, at(1)).await.unwrap();

    let row = store.list_conversations(anna, None, 10).await.unwrap();
    let row = row.into_iter().find(|row| row.conversation.id == logs[0].id).unwrap();
    assert_eq!(store.unread(anna, 100).await.unwrap(), [(row.clone(), 7)]);
    assert_eq!(store.unread(anna, 5).await.unwrap(), [(row.clone(), 5)]);
    store.advance_read(logs[0].id, anna, first, at(1)).await.unwrap();
    assert_eq!(store.unread(anna, 100).await.unwrap(), [(ListedRow { read: read_to(first), ..row }, 6)]);
    // What was read and is marked as unread counts again, until that is ended.
    let mark = UnreadMark { version: 1, position: seen - 1, over: seen };
    store.mark_unread(logs[1].id, anna, mark).await.unwrap();
    let unread = store.unread(anna, 100).await.unwrap();
    let (row, count) = unread.iter().find(|(row, _)| row.conversation.id == logs[1].id).unwrap();
    assert_eq!((*count, row.read.own().seq), (1, seen - 1));
    store.end_unread(logs[1].id, anna, 1).await.unwrap();
    assert_eq!(store.unread(anna, 100).await.unwrap().len(), 1);
    assert!(store.unread(UserId::fresh(), 100).await.unwrap().is_empty());
}
