//! The faults of a Cassandra that other tests count on.
#![allow(clippy::unwrap_used)]

use natter_store::{
    Database,
    scylla::{connect, migrate::migrate},
};
use natter_testkit::{Cassandra, until};

#[tokio::test]
async fn a_cassandra_that_is_paused_or_killed_keeps_what_it_acked() {
    let server = Cassandra::start().await;
    let Ok(Database::Scylla(options)) = server.new_keyspace().parse() else { panic!("not a keyspace") };
    migrate(&options, |_| ()).await.unwrap();
    let session = connect(&options).await.unwrap();
    session.query_unpaged("CREATE TABLE kept (a int PRIMARY KEY)", ()).await.unwrap();
    let count = "SELECT a FROM kept";

    server.pause();
    assert!(session.query_unpaged(count, ()).await.is_err(), "it answered");
    server.resume();
    until("it answers again", async || session.query_unpaged(count, ()).await.is_ok()).await;

    for a in 0..100 {
        session.query_unpaged("INSERT INTO kept (a) VALUES (?)", (a,)).await.unwrap();
    }
    server.restart().await;
    let session = connect(&options).await.unwrap();
    let rows = session.query_unpaged(count, ()).await.unwrap();
    assert_eq!(rows.into_rows_result().unwrap().rows_num(), 100);

    server.kill();
    assert!(connect(&options).await.is_err());
}
