//! What a hand or a disk did to the file stops its own reading and nothing else, and the log mends it.

use natter_schemas::{
    event::{Kind, LogEntry},
    id::{EventId, Seq, UserId},
    rpc::Window,
};
use natter_store::{
    ConversationStore, EventStore, MemberStore, MessageStore, StoreError,
    conformance::fixtures::{SampleLog, plain, posted},
    sqlite::SqliteStore,
};
use rusqlite::{Connection, Params};
use tempfile::TempDir;

use crate::{file, opened};

const PLACE: &str = "SELECT place FROM messages WHERE conversation = ?1 AND seq = ?2
                     UNION ALL SELECT place FROM changes WHERE conversation = ?1 AND seq = ?2";

struct DamagedStore {
    store: SqliteStore,
    sample: SampleLog,
    anna: UserId,
    db: Connection,
    _folder: TempDir,
}

impl DamagedStore {
    fn new() -> Self {
        let (store, folder) = opened();
        let anna = UserId::fresh();
        let db = Connection::open(file(&folder)).unwrap();
        Self { store, sample: SampleLog::of(&[anna]), anna, db, _folder: folder }
    }

    fn posts(&mut self) -> Seq {
        self.sample.add(self.sample.owner, posted("hi"))
    }

    fn reacts(&mut self, by: UserId, target: Seq, on: bool) -> Seq {
        self.sample.add(by, Kind::Reacted { target, emoji: "👍".to_owned(), on })
    }

    async fn persist(&self) {
        self.sample.persist(&self.store).await;
    }

    async fn refused(&self, event: LogEntry) -> String {
        match self.store.persist(self.sample.partition, &[event]).await {
            Err(StoreError::Corrupt(why)) => why,
            other => panic!("{other:?}"),
        }
    }

    fn logged(&self, seq: Seq) -> &LogEntry {
        self.sample.log.iter().find(|logged| logged.seq == seq).unwrap()
    }

    /// By hand, to this many rows.
    fn execute(&self, sql: &str, params: impl Params) -> usize {
        self.db.execute(sql, params).unwrap()
    }

    fn at(&self, sql: &str, seq: Seq) {
        assert_eq!(self.execute(sql, (self.sample.id.as_bytes(), i64::try_from(seq).unwrap())), 1, "{sql}");
    }

    fn garble(&self, seq: Seq) {
        self.at(&format!("UPDATE events SET data = x'01ff' WHERE place IN ({PLACE})"), seq);
    }

    fn lose_bytes(&self, seq: Seq) {
        self.at(&format!("DELETE FROM events WHERE place IN ({PLACE})"), seq);
    }

    fn lose_head(&self) {
        let lose = "UPDATE conversations SET head = 0 WHERE id = ?1";
        assert_eq!(self.execute(lose, [self.sample.id.as_bytes()]), 1);
    }

    fn count(&self, table: &str) -> usize {
        let count = format!("SELECT count(*) FROM {table}");
        usize::try_from(self.db.query_row(&count, [], |row| row.get::<_, i64>(0)).unwrap()).unwrap()
    }

    async fn stored(&self) -> Vec<LogEntry> {
        self.store.events_from(self.sample.id, 0, Seq::MAX, 10_000).await.unwrap()
    }

    async fn find(&self, seq: Seq) -> Result<Option<LogEntry>, StoreError> {
        self.store.find_event(self.sample.id, self.logged(seq).event.id).await
    }

    async fn assert_unreadable(&self, seq: Seq) {
        let read = self.store.events_from(self.sample.id, seq, seq, 1).await;
        assert!(matches!(read, Err(StoreError::Corrupt(_))), "{read:?}");
        let found = self.find(seq).await;
        assert!(matches!(found, Err(StoreError::Corrupt(_))), "{found:?}");
    }
}

/// Another event with the same seq.
fn stranger(logged: &LogEntry, kind: Kind) -> LogEntry {
    let mut stranger = logged.clone();
    stranger.event.id = EventId::fresh();
    stranger.event.kind = kind;
    stranger
}

#[tokio::test]
async fn what_lies_above_a_head_that_is_too_low_is_stored_already() {
    let mut fixtures = DamagedStore::new();
    let target = fixtures.posts();
    fixtures.reacts(fixtures.anna, target, true);
    fixtures.posts();
    fixtures.persist().await;
    fixtures.lose_head();
    fixtures.persist().await;
    assert_eq!(fixtures.stored().await, fixtures.sample.log);
    assert_eq!(fixtures.count("events"), fixtures.sample.log.len());
    // It goes on where the log does.
    let last = fixtures.posts();
    fixtures.persist().await;
    assert_eq!(fixtures.store.heads(&[fixtures.sample.id]).await.unwrap(), [last]);
    assert_eq!(fixtures.stored().await, fixtures.sample.log);
}

#[tokio::test]
async fn an_event_whose_place_above_the_head_is_taken_is_refused_with_both_ids() {
    let mut fixtures = DamagedStore::new();
    let message = fixtures.posts();
    let reaction = fixtures.reacts(fixtures.anna, message, true);
    fixtures.persist().await;
    fixtures.lose_head();
    let react = Kind::Reacted { target: 10, emoji: "👎".to_owned(), on: true };
    for (seq, kind) in
        [(message, posted("no")), (message, react.clone()), (reaction, posted("no")), (reaction, react)]
    {
        let known = fixtures.logged(seq);
        let stranger = stranger(known, kind);
        let (sample, known, other) = (fixtures.sample.id, known.event.id, stranger.event.id);
        let why = fixtures.refused(stranger).await;
        let words =
            format!("seq {seq} of conversation {sample} is event {known} here and {other} in the log");
        assert_eq!(why, words);
    }
    assert_eq!(fixtures.stored().await, fixtures.sample.log);
    assert_eq!((fixtures.count("messages"), fixtures.count("changes")), (1, 2));
}

#[tokio::test]
async fn an_unreadable_row_stops_no_other_event_of_its_conversation() {
    let mut fixtures = DamagedStore::new();
    let before: Vec<Seq> = (0..100).map(|_| fixtures.posts()).collect();
    fixtures.persist().await;
    let (garbled, lost) = (before[20], before[40]);
    fixtures.garble(garbled);
    fixtures.lose_bytes(lost);
    assert_eq!(fixtures.find(before[99]).await.unwrap().as_ref(), Some(fixtures.logged(before[99])));
    assert_eq!(fixtures.store.find_event(fixtures.sample.id, EventId::fresh()).await.unwrap(), None);

    // Past the moment when ids are entered in their tree.
    for _ in 0..10 {
        let from = fixtures.sample.log.len();
        for _ in 0..100 {
            fixtures.posts();
        }
        fixtures.store.persist(fixtures.sample.partition, &fixtures.sample.log[from..]).await.unwrap();
    }
    for logged in &fixtures.sample.log {
        if [garbled, lost].contains(&logged.seq) {
            fixtures.assert_unreadable(logged.seq).await;
        } else {
            assert_eq!(fixtures.find(logged.seq).await.unwrap().as_ref(), Some(logged));
        }
    }
}

#[tokio::test]
async fn late_reactions_are_put_in_order_around_an_unreadable_one() {
    let mut fixtures = DamagedStore::new();
    let message = fixtures.posts();
    let owner = fixtures.sample.owner;
    let unreadable = fixtures.reacts(fixtures.anna, message, true);
    let late = fixtures.sample.log.len();
    fixtures.reacts(owner, message, true);
    fixtures.reacts(owner, message, false);
    let after = fixtures.sample.log.split_off(late + 1);
    let late = fixtures.sample.log.split_off(late);
    fixtures.persist().await;
    fixtures.store.persist(fixtures.sample.partition, &after).await.unwrap();
    fixtures.garble(unreadable);
    fixtures.store.persist(fixtures.sample.partition, &late).await.unwrap();

    fixtures.sample.log.extend(late);
    fixtures.sample.log.extend(after);
    fixtures.at("DELETE FROM changes WHERE conversation = ?1 AND seq = ?2", unreadable);
    fixtures.persist().await;
    let page = fixtures.store.messages(fixtures.sample.id, Window::Newest, Seq::MAX, 10).await.unwrap();
    assert_eq!(page[0].reactions.iter().map(|r| &r.users[..]).collect::<Vec<_>>(), [[fixtures.anna]]);
}

#[tokio::test]
async fn an_event_with_damaged_bytes_keeps_its_place() {
    let mut fixtures = DamagedStore::new();
    let (garbled, lost) = (fixtures.posts(), fixtures.posts());
    fixtures.persist().await;
    fixtures.garble(garbled);
    fixtures.lose_bytes(lost);
    for seq in [garbled, lost] {
        let known = fixtures.logged(seq).clone();
        fixtures.store.persist(fixtures.sample.partition, std::slice::from_ref(&known)).await.unwrap();
        fixtures.assert_unreadable(seq).await;
        let stranger = stranger(&known, posted("no"));
        let ids = [known.event.id.to_string(), stranger.event.id.to_string()];
        let why = fixtures.refused(stranger).await;
        assert!(ids.iter().all(|id| why.contains(id)), "{why}");
    }
    assert_eq!(fixtures.count("events"), 2);
}

#[tokio::test]
async fn a_message_that_cannot_be_read_is_a_placeholder_in_its_place() {
    let mut fixtures = DamagedStore::new();
    let seqs: Vec<Seq> = (0..6).map(|_| fixtures.posts()).collect();
    let owner = fixtures.sample.owner;
    let edit = fixtures.sample.add(owner, Kind::Edited { target: seqs[2], body: plain("better") });
    let deletion = fixtures.sample.add(owner, Kind::Deleted { target: seqs[3] });
    fixtures.reacts(owner, seqs[4], true);
    let reaction = fixtures.reacts(fixtures.anna, seqs[4], true);
    fixtures.sample.add(owner, Kind::Deleted { target: seqs[1] });
    fixtures.persist().await;
    for seq in [seqs[0], seqs[1], edit, deletion, reaction, seqs[5]] {
        fixtures.garble(seq);
    }
    let id = fixtures.sample.id;
    for window in [Window::Newest, Window::After(0), Window::Before(Seq::MAX)] {
        let page = fixtures.store.messages(id, window, Seq::MAX, 10).await.unwrap();
        assert_eq!(page.iter().map(|message| message.seq).collect::<Vec<_>>(), seqs);
        let unreadable: Vec<bool> = page.iter().map(|message| message.unreadable).collect();
        assert_eq!(unreadable, [true, false, true, true, false, true]);
        assert!(page.iter().all(|message| message.body.is_none() || message.seq == seqs[4]));
        assert!(page[1].deleted_at.is_some(), "what is deleted has nothing to be read");
        let known = &fixtures.logged(seqs[0]).event;
        assert_eq!((page[0].id, page[0].author), (known.id, owner));
    }
    let newest = fixtures.store.message(id, seqs[5], Seq::MAX).await.unwrap().unwrap();
    assert!(newest.unreadable);
    // Paging goes past it.
    let below = fixtures.store.messages(id, Window::Before(seqs[5]), Seq::MAX, 1).await.unwrap();
    assert_eq!(below[0].seq, seqs[4]);
}

#[tokio::test]
async fn a_conversation_that_cannot_be_read_is_missing_from_lists_alone() {
    let mut fixtures = DamagedStore::new();
    fixtures.posts();
    fixtures.persist().await;
    let anna = fixtures.anna;
    let other = SampleLog::of(&[anna]);
    other.persist(&fixtures.store).await;
    let damage = "UPDATE conversations SET shape = 9 WHERE id = ?1";
    assert_eq!(fixtures.execute(damage, [fixtures.sample.id.as_bytes()]), 1);
    let listed = fixtures.store.list_conversations(anna, None, 10).await.unwrap();
    assert_eq!(listed.iter().map(|row| row.conversation.id).collect::<Vec<_>>(), [other.id]);
    let memberships = fixtures.store.memberships(anna).await.unwrap();
    assert_eq!(memberships.iter().map(|m| m.conversation).collect::<Vec<_>>(), [other.id]);
}

#[tokio::test]
async fn deleting_an_events_row_deletes_all_of_it_and_the_log_brings_it_back() {
    let mut fixtures = DamagedStore::new();
    let (garbled, lost) = (fixtures.posts(), fixtures.posts());
    let edit =
        fixtures.sample.add(fixtures.sample.owner, Kind::Edited { target: garbled, body: plain("better") });
    // Their ids are entered in the tree, and those of the last ones are not.
    for _ in 0..300 {
        fixtures.posts();
    }
    fixtures.persist().await;
    let last = fixtures.posts();
    fixtures.persist().await;
    let entered = fixtures.count("ids");
    fixtures.garble(garbled);
    fixtures.garble(edit);
    fixtures.lose_bytes(lost);
    for (table, seq) in [("messages", garbled), ("messages", lost), ("changes", edit), ("messages", last)] {
        fixtures.at(&format!("DELETE FROM {table} WHERE conversation = ?1 AND seq = ?2"), seq);
        assert_eq!(fixtures.find(seq).await.unwrap(), None);
    }
    assert_eq!(fixtures.count("events"), fixtures.sample.log.len() - 4);
    assert_eq!(fixtures.count("ids"), entered - 3);

    fixtures.persist().await;
    assert_eq!(fixtures.stored().await, fixtures.sample.log);
    assert_eq!((fixtures.count("events"), fixtures.count("ids")), (fixtures.sample.log.len(), entered));
    for seq in [garbled, lost, edit, last] {
        assert_eq!(fixtures.find(seq).await.unwrap().as_ref(), Some(fixtures.logged(seq)));
    }
    let message = fixtures.store.message(fixtures.sample.id, garbled, Seq::MAX).await.unwrap().unwrap();
    assert_eq!(message.body, Some(plain("better")));
}

#[tokio::test]
async fn where_bytes_were_lost_no_other_events_bytes_are_put() {
    let mut fixtures = DamagedStore::new();
    let lost = fixtures.posts();
    fixtures.persist().await;
    // The newest of all: the next event would lie where it lay.
    fixtures.lose_bytes(lost);
    let next = fixtures.posts();
    fixtures.persist().await;
    fixtures.assert_unreadable(lost).await;
    fixtures.at("DELETE FROM messages WHERE conversation = ?1 AND seq = ?2", lost);
    assert_eq!(fixtures.find(next).await.unwrap().as_ref(), Some(fixtures.logged(next)));
    fixtures.persist().await;
    assert_eq!(fixtures.stored().await, fixtures.sample.log);
}
