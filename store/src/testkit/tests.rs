use super::*;
use crate::scylla::connect;

#[tokio::test]
async fn a_server_is_held_still_and_killed_and_keeps_what_it_acked() {
    let server = Cassandra::start().await;
    let options = server.fresh_keyspace().await;
    let session = connect(&options).await.unwrap();
    session.query_unpaged("CREATE TABLE kept (a int PRIMARY KEY)", ()).await.unwrap();
    let count = "SELECT a FROM kept";

    server.pause();
    assert!(session.query_unpaged(count, ()).await.is_err(), "it answered");
    server.unpause();
    let deadline = Instant::now() + READY;
    while session.query_unpaged(count, ()).await.is_err() {
        assert!(Instant::now() < deadline, "it does not go on");
    }

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
