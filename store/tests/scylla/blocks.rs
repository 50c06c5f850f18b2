use natter_schemas::{event::Timestamp, id::UserId};
use natter_store::{BlockStore, scylla};
use uuid::Uuid;

use super::fixtures::{keyspace, open};

/// What workers of the version before the bound execute.
struct Before {
    session: ::scylla::client::session::Session,
    user: Uuid,
}

impl Before {
    async fn block(&self, other: UserId) {
        let add = "INSERT INTO blocks (user, other, since) VALUES (?, ?, 1) IF NOT EXISTS";
        self.session.query_unpaged(add, (self.user, raw(other))).await.unwrap();
    }

    async fn unblock(&self, other: UserId) {
        let delete = "DELETE FROM blocks WHERE user = ? AND other = ? IF EXISTS";
        self.session.query_unpaged(delete, (self.user, raw(other))).await.unwrap();
    }

    /// They cannot read a row without a user.
    async fn blocks(&self, existing: &[UserId]) -> usize {
        let list = "SELECT other FROM blocks WHERE user = ?";
        let rows = self.session.query_unpaged(list, (self.user,)).await.unwrap().into_rows_result().unwrap();
        let others: Vec<Uuid> = rows.rows::<(Uuid,)>().unwrap().map(|row| row.unwrap().0).collect();
        others.iter().filter(|other| existing.iter().any(|user| raw(*user) == **other)).count()
    }
}

fn raw(user: UserId) -> Uuid {
    Uuid::from_bytes(*user.as_bytes())
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_of_before_and_these_read_each_others_blocks() {
    let store = open().await;
    let (anna, others) = (UserId::fresh(), [0; 4].map(|_| UserId::fresh()));
    let before = Before { session: scylla::connect(keyspace().await).await.unwrap(), user: raw(anna) };
    assert!(store.block(anna, others[0], Timestamp(2), 3).await.unwrap());
    before.block(others[1]).await;
    assert!(store.block(anna, others[1], Timestamp(2), 3).await.unwrap());
    assert!(store.block(anna, others[2], Timestamp(3), 3).await.unwrap());
    assert!(!store.block(anna, others[3], Timestamp(4), 3).await.unwrap());
    assert_eq!(store.blocks_of(anna).await.unwrap(), [others[1], others[0], others[2]]);
    assert_eq!(before.blocks(&others).await, 3);
    // Past the bound, which they do not know.
    before.block(others[3]).await;
    assert!(!store.block(anna, UserId::fresh(), Timestamp(5), 3).await.unwrap());
    for other in others {
        before.unblock(other).await;
    }
    assert_eq!((before.blocks(&others).await, store.blocks_of(anna).await.unwrap().len()), (0, 0));
    assert!(store.block(anna, others[3], Timestamp(6), 3).await.unwrap());
}
