use natter_schemas::{event::Timestamp, id::UserId};
use natter_store::{
    AccountStore, BlockStore, Store,
    conformance::fixtures::{added, unique_name},
    scylla::ScyllaStore,
};
use natter_testkit::{Cassandra, until};

use super::fixtures::migrated_keyspace;

/// Seconds.
const AHEAD: i64 = 300;

/// The name and the password that are stored, and by which of the names the user is found.
async fn present(store: &dyn Store, user: UserId, names: &[String]) -> (String, String, Vec<String>) {
    let stored = store.credentials_of(user).await.unwrap().unwrap();
    let mut found_by = Vec::new();
    for name in names {
        if !store.search_users(name, 5).await.unwrap().is_empty() {
            found_by.push(name.clone());
        }
    }
    (stored.user.display_name, stored.password_hash, found_by)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_users_change_later_counts_whatever_the_clocks_show() {
    let cassandra = Cassandra::start_with_clock(AHEAD).await;
    let options = migrated_keyspace(&cassandra).await;
    let store = Box::pin(ScyllaStore::open(&options)).await.unwrap();
    let (anna, ben) = (added(&store, &unique_name()).await.id, UserId::fresh());
    let names = [unique_name(), unique_name()];
    store.set_display_name(anna, &names[0]).await.unwrap();
    store.set_password_hash(anna, "first", None).await.unwrap();
    assert!(store.block(anna, ben, Timestamp(1), 10).await.unwrap());

    // From now on as by a node whose clock is ten minutes behind that of the one before. A process lets its own write times
    // never fall, so another one has to go on.
    cassandra.kill();
    cassandra.set_clock(-AHEAD);
    cassandra.restart().await;
    until("it answers", async || store.ready().await.is_ok()).await;
    for (name, password) in [(&names[1], "second"), (&names[0], "third")] {
        store.set_display_name(anna, name).await.unwrap();
        store.set_password_hash(anna, password, None).await.unwrap();
        let expected = (name.clone(), password.to_owned(), vec![name.clone()]);
        assert_eq!(present(&store, anna, &names).await, expected);
    }
    store.unblock(anna, ben).await.unwrap();
    assert_eq!(store.blocks_of(anna).await.unwrap(), []);
    assert_eq!(store.blockers(ben, None, 10).await.unwrap(), []);
}
