//! The log brings a lost store back.

use std::fs;

use rusqlite::{Connection, Row, types::Value as Cell};
use serde_json::json;

use natter_testkit::{Room, User, seq, until};

use crate::deployment::{OperatorCluster, id, partition};

/// What follows from the log alone, row by row.
fn derived(store: &Connection) -> Vec<(&'static str, Vec<String>)> {
    // Bytes and entries that belong to nothing count too; where bytes lie follows from how they came.
    let events = "(SELECT conversation, seq, id, kind, target, author, data FROM events FULL JOIN
                       (SELECT conversation, seq, id, 1 AS kind, NULL AS target, author, place FROM messages
                        UNION ALL SELECT conversation, seq, id, kind, target, NULL, place FROM changes)
                   USING (place))";
    let tables = [events, "ids", "conversations", "members", "reactions", "reactors", "partitions"];
    let rows = |table: &str| {
        let mut query = store.prepare(&format!("SELECT * FROM {table}")).unwrap();
        let columns = query.column_count();
        let row = |row: &Row| (0..columns).map(|n| row.get(n)).collect::<Result<Vec<Cell>, _>>();
        let rows = query.query_map([], row).unwrap();
        let mut rows: Vec<String> = rows.map(|row| format!("{:?}", row.unwrap())).collect();
        rows.sort();
        rows
    };
    tables.map(|table| (table, rows(table))).to_vec()
}

/// Rooms in which everything happens that can.
async fn lively(deployment: &OperatorCluster) -> (User, User, Vec<Room>) {
    let (alice, bob) = deployment.two().await;
    let mut rooms = vec![alice.direct(&bob).await];
    for _ in 0..3 {
        rooms.push(alice.group(&[&bob]).await);
    }
    for room in &rooms {
        for n in 0..10 {
            let output = alice.post_message(room, &format!("message {n}")).await;
            let edit = room.path(&format!("/messages/{output}"));
            alice.patch(&edit, &json!({"content": "better"})).await.ok(200);
            bob.put(&room.path(&format!("/messages/{output}/reactions/%F0%9F%91%8D"))).await;
            if n % 3 == 0 {
                assert!(alice.delete(&edit).await.status < 300);
            }
        }
    }
    let leaves = rooms[1].path(&format!("/participants/{}", bob.id));
    assert!(bob.delete(&leaves).await.status < 300);
    (alice, bob, rooms)
}

#[tokio::test]
async fn a_store_that_was_lost_is_rebuilt_from_the_log_row_by_row() {
    let mut deployment = OperatorCluster::start().await;
    let (_, _, rooms) = lively(&deployment).await;
    let poison = deployment.publish(partition(&rooms[0]), id(&rooms[0]), b"\xffnoise".to_vec()).await;
    deployment.settled().await;
    deployment.parked(1).await;
    deployment.assert_equal();
    let before = derived(&deployment.store());

    deployment.kill_workers();
    let database = deployment.cluster.database();
    for suffix in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(format!("{}{suffix}", database.display()));
    }
    assert!(!database.exists());
    deployment.natter(&["migrate"]).ok();
    let (code, lost) = deployment.verified();
    assert_eq!(code, Some(1));
    let events = |key: &str| lost.iter().map(|p| p[key].as_u64().unwrap()).sum::<u64>();
    // Every event is missing, and the head of every room is behind.
    assert_eq!(events("differences"), events("events") + 4, "{lost:#?}");
    assert_eq!(events("unreadable"), 1, "{lost:#?}");

    let output = deployment.natter(&["replay", "--from", "1"]);
    assert!(output.err.contains("replayed: "), "it says how far it is: {}", output.err);
    let output = output.ok();
    assert!(output.contains(&format!("seq {poison} unreadable: ")), "{output}");
    deployment.assert_equal();
    let after = derived(&deployment.store());
    for ((table, before), (_, after)) in before.iter().zip(&after) {
        assert!(before == after, "{table}: {before:#?}\n{after:#?}");
    }
    // What is there already changes nothing.
    deployment.natter(&["replay", "--from", "1"]).ok();
    assert!(derived(&deployment.store()) == after);
}

#[tokio::test]
async fn a_replay_beside_workers_doubles_nothing_and_loses_nothing() {
    let deployment = OperatorCluster::start().await;
    let (alice, bob) = deployment.two().await;
    let room = alice.group(&[&bob]).await;
    let mut output = Vec::new();
    for round in 0..5 {
        for n in 0..10 {
            output.push(alice.post_message(&room, &format!("{round}.{n}")).await);
        }
        deployment.natter(&["replay", "--from", "1"]).ok();
    }
    deployment.settled().await;
    deployment.assert_equal();
    let history: Vec<u64> = bob.history(&room).await.iter().map(seq).collect();
    assert_eq!(history, output);
    assert_eq!(bob.conversation(&room).await["unreadCount"], 50);
}

#[tokio::test]
async fn a_part_of_one_partition_is_replayed_and_flags_that_do_not_fit_are_refused() {
    let mut deployment = OperatorCluster::start().await;
    let (alice, bob) = deployment.two().await;
    let room = alice.group(&[&bob]).await;
    let mut output = Vec::new();
    for n in 0..6 {
        output.push(alice.post_message(&room, &n.to_string()).await);
    }
    deployment.settled().await;
    deployment.kill_workers();
    let store = deployment.store();
    store.execute_batch("DELETE FROM messages").unwrap();
    drop(store);
    let p = partition(&room).to_string();
    let (from, to) = (output[2].to_string(), output[4].to_string());
    let part = deployment.natter(&["replay", "--partition", &p, "--from", &from, "--to", &to]).ok();
    assert!(part.contains(&format!("3 events of seq {from} to {to} are stored")), "{part}");
    let (_, verdict) = deployment.verified();
    let missing = &verdict[usize::from(partition(&room).0)];
    let seqs: Vec<_> = missing["first"].as_array().unwrap().iter().map(|one| one["seq"].clone()).collect();
    assert_eq!(seqs, [output[0], output[1], output[5]], "{missing:#}");

    let alone = deployment.natter(&["replay", "--from", "5"]);
    assert!(alone.code == Some(1) && alone.err.contains("--partition"), "{}", alone.err);
    let beyond = deployment.natter(&["replay", "--partition", "4", "--from", "1"]);
    assert!(beyond.code == Some(1) && beyond.err.contains("they are 0 to 3"), "{}", beyond.err);
    assert_eq!(deployment.natter(&["replay"]).code, Some(2));
    assert_eq!(deployment.natter(&["parked", "replay"]).code, Some(2));
    // A worker that starts now finds everything acked, and goes on with what comes.
    deployment.natter(&["replay", "--from", "1"]).ok();
    deployment.start_worker();
    until("it answers", async || alice.get(&room.path("")).await.status == 200).await;
    alice.post_message(&room, "and on").await;
    deployment.settled().await;
    deployment.assert_equal();
}

#[test]
fn help_names_units_limits_and_exit_statuses() {
    for command in [
        &["parked", "list"][..],
        &["parked", "show"],
        &["parked", "replay"],
        &["parked", "drop"],
        &["replay"],
        &["verify"],
    ] {
        let mut program = std::process::Command::new(env!("CARGO_BIN_EXE_natter"));
        let output = program.args(command).arg("--help").output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        // Wherever the lines break.
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(text.contains("Exit status") && text.contains("NATS_URL"), "{command:?}: {text}");
    }
}
