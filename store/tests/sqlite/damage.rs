//! What a hand or a disk did to the file stops its own reading and nothing else, and the log mends it.

use natter_schemas::{
    event::{Kind, LogEntry},
    id::{EventId, Seq, UserId},
    rpc::Window,
};
use natter_store::{
    ConversationStore, EventStore, MessageStore, StoreError,
    conformance::scene::{Room, plain, posted},
    sqlite::SqliteStore,
};
use rusqlite::{Connection, Params};
use tempfile::TempDir;

use crate::{file, opened};

const PLACE: &str = "SELECT place FROM messages WHERE conversation = ?1 AND seq = ?2
                     UNION ALL SELECT place FROM changes WHERE conversation = ?1 AND seq = ?2";

struct Scene {
    store: SqliteStore,
    room: Room,
    anna: UserId,
    db: Connection,
    _folder: TempDir,
}

impl Scene {
    fn new() -> Self {
        let (store, folder) = opened();
        let anna = UserId::fresh();
        let db = Connection::open(file(&folder)).unwrap();
        Self { store, room: Room::of(&[anna]), anna, db, _folder: folder }
    }

    fn says(&mut self) -> Seq {
        self.room.add(self.room.owner, posted("hi"))
    }

    fn reacts(&mut self, by: UserId, target: Seq, on: bool) -> Seq {
        self.room.add(by, Kind::Reacted { target, emoji: "👍".to_owned(), on })
    }

    async fn persist(&self) {
        self.room.persist(&self.store).await;
    }

    async fn refused(&self, event: LogEntry) -> String {
        match self.store.persist(self.room.partition, &[event]).await {
            Err(StoreError::Corrupt(why)) => why,
            other => panic!("{other:?}"),
        }
    }

    fn logged(&self, seq: Seq) -> &LogEntry {
        self.room.log.iter().find(|logged| logged.seq == seq).unwrap()
    }

    /// By hand, to this many rows.
    fn execute(&self, sql: &str, params: impl Params) -> usize {
        self.db.execute(sql, params).unwrap()
    }

    fn at(&self, sql: &str, seq: Seq) {
        assert_eq!(self.execute(sql, (self.room.id.as_bytes(), i64::try_from(seq).unwrap())), 1, "{sql}");
    }

    fn garble(&self, seq: Seq) {
        self.at(&format!("UPDATE events SET data = x'01ff' WHERE place IN ({PLACE})"), seq);
    }

    fn lose_bytes(&self, seq: Seq) {
        self.at(&format!("DELETE FROM events WHERE place IN ({PLACE})"), seq);
    }

    fn lose_head(&self) {
        let lose = "UPDATE conversations SET head = 0 WHERE id = ?1";
        assert_eq!(self.execute(lose, [self.room.id.as_bytes()]), 1);
    }

    fn count(&self, table: &str) -> usize {
        let count = format!("SELECT count(*) FROM {table}");
        usize::try_from(self.db.query_row(&count, [], |row| row.get::<_, i64>(0)).unwrap()).unwrap()
    }

    async fn stored(&self) -> Vec<LogEntry> {
        self.store.events_from(self.room.id, 0, Seq::MAX, 10_000).await.unwrap()
    }

    async fn find(&self, seq: Seq) -> Result<Option<LogEntry>, StoreError> {
        self.store.find_event(self.room.id, self.logged(seq).event.id).await
    }

    async fn assert_unreadable(&self, seq: Seq) {
        let read = self.store.events_from(self.room.id, seq, seq, 1).await;
        assert!(matches!(read, Err(StoreError::Corrupt(_))), "{read:?}");
        let found = self.find(seq).await;
        assert!(matches!(found, Err(StoreError::Corrupt(_))), "{found:?}");
    }
}

/// Another event for its place.
fn stranger(logged: &LogEntry, kind: Kind) -> LogEntry {
    let mut stranger = logged.clone();
    stranger.event.id = EventId::fresh();
    stranger.event.kind = kind;
    stranger
}

#[tokio::test]
async fn what_lies_above_a_head_that_is_too_low_is_stored_already() {
    let mut scene = Scene::new();
    let target = scene.says();
    scene.reacts(scene.anna, target, true);
    scene.says();
    scene.persist().await;
    scene.lose_head();
    scene.persist().await;
    assert_eq!(scene.stored().await, scene.room.log);
    assert_eq!(scene.count("events"), scene.room.log.len());
    // It goes on where the log does.
    let last = scene.says();
    scene.persist().await;
    assert_eq!(scene.store.heads(&[scene.room.id]).await.unwrap(), [last]);
    assert_eq!(scene.stored().await, scene.room.log);
}

#[tokio::test]
async fn an_event_whose_place_above_the_head_is_taken_is_refused_with_both_ids() {
    let mut scene = Scene::new();
    let message = scene.says();
    let reaction = scene.reacts(scene.anna, message, true);
    scene.persist().await;
    scene.lose_head();
    let react = Kind::Reacted { target: 10, emoji: "👎".to_owned(), on: true };
    for (seq, kind) in
        [(message, posted("no")), (message, react.clone()), (reaction, posted("no")), (reaction, react)]
    {
        let known = scene.logged(seq);
        let stranger = stranger(known, kind);
        let (room, known, other) = (scene.room.id, known.event.id, stranger.event.id);
        let why = scene.refused(stranger).await;
        let words = format!("seq {seq} of conversation {room} is event {known} here and {other} in the log");
        assert_eq!(why, words);
    }
    assert_eq!(scene.stored().await, scene.room.log);
    assert_eq!((scene.count("messages"), scene.count("changes")), (1, 2));
}

#[tokio::test]
async fn a_row_that_nobody_can_read_stops_no_other_event_of_its_conversation() {
    let mut scene = Scene::new();
    let before: Vec<Seq> = (0..100).map(|_| scene.says()).collect();
    scene.persist().await;
    let (garbled, lost) = (before[20], before[40]);
    scene.garble(garbled);
    scene.lose_bytes(lost);
    assert_eq!(scene.find(before[99]).await.unwrap().as_ref(), Some(scene.logged(before[99])));
    assert_eq!(scene.store.find_event(scene.room.id, EventId::fresh()).await.unwrap(), None);

    // Past the moment when ids are entered in their tree.
    for _ in 0..10 {
        let from = scene.room.log.len();
        for _ in 0..100 {
            scene.says();
        }
        scene.store.persist(scene.room.partition, &scene.room.log[from..]).await.unwrap();
    }
    for logged in &scene.room.log {
        if [garbled, lost].contains(&logged.seq) {
            scene.assert_unreadable(logged.seq).await;
        } else {
            assert_eq!(scene.find(logged.seq).await.unwrap().as_ref(), Some(logged));
        }
    }
}

#[tokio::test]
async fn reactions_that_come_late_are_put_in_order_around_one_that_nobody_can_read() {
    let mut scene = Scene::new();
    let message = scene.says();
    let owner = scene.room.owner;
    let unreadable = scene.reacts(scene.anna, message, true);
    let late = scene.room.log.len();
    scene.reacts(owner, message, true);
    scene.reacts(owner, message, false);
    let after = scene.room.log.split_off(late + 1);
    let late = scene.room.log.split_off(late);
    scene.persist().await;
    scene.store.persist(scene.room.partition, &after).await.unwrap();
    scene.garble(unreadable);
    scene.store.persist(scene.room.partition, &late).await.unwrap();

    scene.room.log.extend(late);
    scene.room.log.extend(after);
    scene.at("DELETE FROM changes WHERE conversation = ?1 AND seq = ?2", unreadable);
    scene.persist().await;
    let page = scene.store.messages(scene.room.id, Window::Newest, Seq::MAX, 10).await.unwrap();
    assert_eq!(page[0].reactions.iter().map(|r| &r.users[..]).collect::<Vec<_>>(), [[scene.anna]]);
}

#[tokio::test]
async fn an_event_whose_bytes_are_garbled_or_lost_is_stored_already_and_leaves_its_place_to_no_other() {
    let mut scene = Scene::new();
    let (garbled, lost) = (scene.says(), scene.says());
    scene.persist().await;
    scene.garble(garbled);
    scene.lose_bytes(lost);
    for seq in [garbled, lost] {
        let known = scene.logged(seq).clone();
        scene.store.persist(scene.room.partition, std::slice::from_ref(&known)).await.unwrap();
        scene.assert_unreadable(seq).await;
        let stranger = stranger(&known, posted("no"));
        let ids = [known.event.id.to_string(), stranger.event.id.to_string()];
        let why = scene.refused(stranger).await;
        assert!(ids.iter().all(|id| why.contains(id)), "{why}");
    }
    assert_eq!(scene.count("events"), 2);
}

#[tokio::test]
async fn deleting_an_events_row_deletes_all_of_it_and_the_log_brings_it_back() {
    let mut scene = Scene::new();
    let (garbled, lost) = (scene.says(), scene.says());
    let edit = scene.room.add(scene.room.owner, Kind::Edited { target: garbled, body: plain("better") });
    // Their ids are entered in the tree, and those of the last ones are not.
    for _ in 0..300 {
        scene.says();
    }
    scene.persist().await;
    let last = scene.says();
    scene.persist().await;
    let entered = scene.count("ids");
    scene.garble(garbled);
    scene.garble(edit);
    scene.lose_bytes(lost);
    for (table, seq) in [("messages", garbled), ("messages", lost), ("changes", edit), ("messages", last)] {
        scene.at(&format!("DELETE FROM {table} WHERE conversation = ?1 AND seq = ?2"), seq);
        assert_eq!(scene.find(seq).await.unwrap(), None);
    }
    assert_eq!(scene.count("events"), scene.room.log.len() - 4);
    assert_eq!(scene.count("ids"), entered - 3);

    scene.persist().await;
    assert_eq!(scene.stored().await, scene.room.log);
    assert_eq!((scene.count("events"), scene.count("ids")), (scene.room.log.len(), entered));
    for seq in [garbled, lost, edit, last] {
        assert_eq!(scene.find(seq).await.unwrap().as_ref(), Some(scene.logged(seq)));
    }
    let message = scene.store.message(scene.room.id, garbled, Seq::MAX).await.unwrap().unwrap();
    assert_eq!(message.body, Some(plain("better")));
}

#[tokio::test]
async fn where_bytes_were_lost_no_other_events_bytes_are_put() {
    let mut scene = Scene::new();
    let lost = scene.says();
    scene.persist().await;
    // The newest of all: the next event would lie where it lay.
    scene.lose_bytes(lost);
    let next = scene.says();
    scene.persist().await;
    scene.assert_unreadable(lost).await;
    scene.at("DELETE FROM messages WHERE conversation = ?1 AND seq = ?2", lost);
    assert_eq!(scene.find(next).await.unwrap().as_ref(), Some(scene.logged(next)));
    scene.persist().await;
    assert_eq!(scene.stored().await, scene.room.log);
}
