//! On a real Cassandra, with migrations made up for the purpose.

use parking_lot::Mutex;
use scylla::client::session::Session;

use super::{
    files::{COMMON, SCYLLA},
    *,
};
use crate::{
    AccountStore,
    conformance::fixtures::user,
    migration::State,
    scylla::{ScyllaStore, connect, names, options::new_keyspace},
};
use natter_schemas::rpc::User;
use natter_testkit::Cassandra;

const ONE: (&str, &str) = ("0001_ones", "CREATE TABLE IF NOT EXISTS one (a int PRIMARY KEY);");
const TWO: (&str, &str) =
    ("0002_twos", "CREATE TABLE IF NOT EXISTS two (a int PRIMARY KEY); ALTER TABLE two ADD b int;");

fn set(files: &[(&str, &str)]) -> Vec<Migration> {
    files.iter().map(|(name, text)| Migration::new(COMMON, name, text)).collect()
}

async fn applied(options: &Options, files: &[(&str, &str)]) -> Result<Vec<u32>> {
    let session = connect_for_schema(options).await?;
    let applied = run(&session, options, &set(files), &|_: &str| ()).await?;
    Ok(applied.iter().map(|applied| applied.version).collect())
}

async fn states(options: &Options, own: &[Migration]) -> Vec<State> {
    let session = connect(options).await.unwrap();
    let found = look(&session, &options.keyspace, own).await.unwrap();
    found.iter().map(|status| status.state).collect()
}

/// A keyspace in which the two are applied.
async fn migrated(server: &Cassandra) -> (Options, Session) {
    let options = new_keyspace(server);
    assert_eq!(applied(&options, &[ONE, TWO]).await.unwrap(), [1, 2]);
    let session = connect(&options).await.unwrap();
    (options, session)
}

fn sentence<T: std::fmt::Debug>(result: Result<T>) -> String {
    result.expect_err("it is refused").to_string()
}

#[tokio::test]
async fn a_new_keyspace_gets_everything_and_the_second_run_does_nothing() {
    let options = new_keyspace(Cassandra::shared().await);
    let said = Mutex::new(Vec::new());
    let first = migrate(&options, |line| said.lock().push(line.to_owned())).await.unwrap();
    assert_eq!(first.len(), files::all(false).len());
    let found = status(&options).await.unwrap();
    let all_applied = |s: &Status| s.state == State::Applied && s.applied_at.is_some_and(|at| at.0 > 0);
    assert!(found.iter().all(all_applied), "{found:?}");
    assert!(said.lock()[0].contains("made, copies in datacenter1: 1"), "{said:?}");
    check(&connect(&options).await.unwrap()).await.unwrap();

    said.lock().clear();
    assert_eq!(migrate(&options, |line| said.lock().push(line.to_owned())).await.unwrap(), []);
    assert_eq!(*said.lock(), Vec::<String>::new());
}

#[tokio::test]
async fn of_two_runners_at_once_both_succeed_and_each_migration_is_applied_by_one() {
    let options = new_keyspace(Cassandra::shared().await);
    let files = [ONE, TWO];
    let (left, right) = tokio::join!(applied(&options, &files), applied(&options, &files));
    let mut all = [left.unwrap(), right.unwrap()].concat();
    all.sort_unstable();
    assert_eq!(all, [1, 2]);
    assert_eq!(states(&options, &set(&files)).await, [State::Applied; 2]);
}

#[tokio::test]
async fn a_runner_that_died_with_the_lock_is_named_waited_for_and_replaced() {
    let (options, session) = migrated(Cassandra::shared().await).await;
    let dead = "INSERT INTO schema_lock (name, holder) VALUES ('migrate', 'elsewhere, process 7') \
                IF NOT EXISTS USING TTL 3";
    assert!(records::applied(&session, dead, ()).await.unwrap());

    let said = Mutex::new(Vec::new());
    let own = set(&[ONE, TWO, ("0003_threes", "CREATE TABLE IF NOT EXISTS three (a int PRIMARY KEY)")]);
    let patient = connect_for_schema(&options).await.unwrap();
    let done = run(&patient, &options, &own, &|line: &str| said.lock().push(line.to_owned())).await.unwrap();
    assert_eq!(done, [Applied { version: 3, name: "threes".to_owned() }]);
    assert!(said.lock()[0].starts_with("elsewhere, process 7 is migrating the keyspace"), "{said:?}");
    assert_eq!(said.lock().len(), 2, "{said:?}");
}

#[tokio::test]
async fn the_lock_is_free_after_a_run_that_failed() {
    let options = new_keyspace(Cassandra::shared().await);
    let why = sentence(applied(&options, &[ONE, ("0002_bad", "CREATE NONSENSE n")]).await);
    assert!(why.contains("migration 0002_bad, statement 1 (CREATE NONSENSE n)"), "{why}");
    let session = connect(&options).await.unwrap();
    let held = session.query_unpaged("SELECT holder FROM schema_lock", ()).await.unwrap();
    assert_eq!(held.into_rows_result().unwrap().rows_num(), 0);
}

#[tokio::test]
async fn a_run_that_ended_in_mid_file_is_gone_on_with_at_the_next_statement() {
    let options = new_keyspace(Cassandra::shared().await);
    // Without IF NOT EXISTS: were it repeated, it would fail.
    let broken = ("0001_half", "CREATE TABLE half (a int PRIMARY KEY); ALTER TABLE nothing ADD b int;");
    let mended = ("0001_half", "CREATE TABLE half (a int PRIMARY KEY); ALTER TABLE half ADD b int;");
    sentence(applied(&options, &[broken]).await);
    assert_eq!(states(&options, &set(&[mended])).await, [State::Partial]);
    let session = connect(&options).await.unwrap();
    let why = sentence(check_for(&session, &options.keyspace, &set(&[mended])).await);
    assert!(why.contains("lacks 0001_half; run 'natter migrate'"), "{why}");

    assert_eq!(applied(&options, &[mended]).await.unwrap(), [1]);
    assert_eq!(states(&options, &set(&[mended])).await, [State::Applied]);
    session.query_unpaged("SELECT b FROM half", ()).await.unwrap();
}

#[tokio::test]
async fn an_alter_that_was_done_before_the_run_died_is_not_an_error() {
    let options = new_keyspace(Cassandra::shared().await);
    let create = "CREATE TABLE IF NOT EXISTS t (a int PRIMARY KEY, b int, c int);";
    for (file, alter) in [
        ("0001_add", "ALTER TABLE t ADD d int"),
        ("0001_drop", "ALTER TABLE t DROP b"),
        ("0001_rename", "ALTER TABLE t RENAME a TO e"),
    ] {
        let options = Options { keyspace: format!("{}_{}", options.keyspace, &file[5..]), ..options.clone() };
        let broken = format!("{create} ALTER TABLE nothing ADD b int");
        sentence(applied(&options, &[(file, &broken)]).await);
        connect(&options).await.unwrap().query_unpaged(alter, ()).await.unwrap();
        assert_eq!(applied(&options, &[(file, &format!("{create} {alter}"))]).await.unwrap(), [1], "{file}");
    }
}

#[tokio::test]
async fn an_alter_that_cannot_be_is_an_error_when_no_run_died() {
    let options = new_keyspace(Cassandra::shared().await);
    let file = "CREATE TABLE IF NOT EXISTS t (a int PRIMARY KEY); ALTER TABLE t ADD a int;";
    let why = sentence(applied(&options, &[("0001_add", file)]).await);
    assert!(why.contains("statement 2 (ALTER TABLE t ADD a int)"), "{why}");
}

#[tokio::test]
async fn a_file_that_was_changed_after_it_was_applied_is_refused() {
    let (options, session) = migrated(Cassandra::shared().await).await;
    for changed in [
        "CREATE TABLE IF NOT EXISTS one (a bigint PRIMARY KEY);",
        "CREATE TABLE IF NOT EXISTS one (a int PRIMARY KEY); ALTER TABLE one ADD b int;",
        "",
    ] {
        let own = [("0001_ones", changed), TWO];
        for why in [
            sentence(applied(&options, &own).await),
            sentence(check_for(&session, &options.keyspace, &set(&own)).await),
        ] {
            assert!(why.contains("migration 0001_ones is not what was applied to keyspace 't_"), "{why}");
        }
        assert_eq!(states(&options, &set(&own)).await, [State::Changed, State::Applied]);
    }
    let commented = ("0001_ones", "-- The first.\nCREATE TABLE IF NOT EXISTS one\n  (a int PRIMARY KEY);\n");
    assert_eq!(applied(&options, &[commented, TWO]).await.unwrap(), Vec::<u32>::new());
}

#[tokio::test]
async fn a_keyspace_that_a_newer_program_has_changed_is_refused() {
    let (options, session) = migrated(Cassandra::shared().await).await;
    for why in [
        sentence(applied(&options, &[ONE]).await),
        sentence(check_for(&session, &options.keyspace, &set(&[ONE])).await),
    ] {
        assert!(why.contains("a newer version of this program has changed keyspace 't_"), "{why}");
        assert!(why.contains("0002_twos"), "{why}");
    }
    assert_eq!(states(&options, &set(&[ONE])).await, [State::Applied, State::Unknown]);
}

#[tokio::test]
async fn a_program_works_on_a_keyspace_whose_newer_migrations_say_so() {
    let options = new_keyspace(Cassandra::shared().await);
    let two = ("0002_twos_since_0001", TWO.1);
    applied(&options, &[ONE, two]).await.unwrap();
    let session = connect(&options).await.unwrap();
    assert_eq!(
        applied(&options, &[ONE]).await.unwrap(),
        Vec::<u32>::new(),
        "nothing to do, and no reason to refuse"
    );
    check_for(&session, &options.keyspace, &set(&[ONE])).await.unwrap();
    assert_eq!(states(&options, &set(&[ONE])).await, [State::Applied, State::Unknown]);
}

#[tokio::test]
async fn what_is_pending_is_named_and_a_migration_may_come_late() {
    let options = new_keyspace(Cassandra::shared().await);
    applied(&options, &[TWO]).await.unwrap();
    let session = connect(&options).await.unwrap();
    let why = sentence(check_for(&session, &options.keyspace, &set(&[ONE, TWO])).await);
    assert!(why.contains("lacks 0001_ones; run 'natter migrate'"), "{why}");
    assert_eq!(applied(&options, &[ONE, TWO]).await.unwrap(), [1]);
    check_for(&session, &options.keyspace, &set(&[ONE, TWO])).await.unwrap();
}

#[tokio::test]
async fn a_keyspace_that_is_missing_is_made_only_when_copies_are_said() {
    let options = Options { replication: None, ..new_keyspace(Cassandra::shared().await) };
    let why = sentence(applied(&options, &[ONE]).await);
    assert!(why.contains("there is no keyspace 't_") && why.contains("?replication=3"), "{why}");
    assert_eq!(status(&options).await.unwrap(), state::compare(&files::all(false), &[]));
    let why = sentence(connect(&options).await.map(drop));
    assert!(why.contains("there is no keyspace 't_") && why.contains("run 'natter migrate'"), "{why}");
}

#[tokio::test]
async fn of_two_runners_that_believe_to_be_alone_one_is_stopped() {
    let (_, session) = migrated(Cassandra::shared().await).await;
    let migration = &set(&[("0003_long", "SELECT 1; SELECT 2; SELECT 3")])[0];
    assert!(records::begin(&session, migration).await.unwrap());
    assert!(!records::begin(&session, migration).await.unwrap());
    assert!(records::step(&session, migration, 0).await.unwrap());
    assert!(!records::step(&session, migration, 0).await.unwrap());
    assert!(!records::end(&session, migration).await.unwrap());
}

#[tokio::test]
async fn an_overlay_is_applied_to_scylladb_alone_and_recorded() {
    let options = new_keyspace(Cassandra::shared().await);
    let session = connect_for_schema(&options).await.unwrap();
    assert!(!keyspace::on_scylla(&session).await.unwrap());
    let own = [
        Migration::new(COMMON, ONE.0, ONE.1),
        Migration::new(SCYLLA, "0001_more", "ALTER TABLE one WITH comment = 'more'"),
    ];
    let done = run(&session, &options, &own, &|_: &str| ()).await.unwrap();
    let names: Vec<_> = done.iter().map(|applied| applied.name.as_str()).collect();
    assert_eq!(names, ["ones", "more (ScyllaDB)"]);
    assert_eq!(states(&options, &own).await, [State::Applied; 2]);
}

#[tokio::test]
async fn users_of_before_are_listed_by_every_word_of_their_names() {
    let options = new_keyspace(Cassandra::shared().await);
    let session = connect_for_schema(&options).await.unwrap();
    let mut older = files::all(false);
    older.retain(|migration| migration.version < 4);
    run(&session, &options, &older, &|_: &str| ()).await.unwrap();
    let zoe = User { display_name: "Zoë Smith-Jones".to_owned(), ..user("zsj") };
    let id = uuid::Uuid::from_bytes(*zoe.id.as_bytes());
    let insert = "INSERT INTO users (id, username, email, display_name, password_hash, created_at)
                  VALUES (?, ?, ?, ?, 'h', ?)";
    let created_at = scylla::value::CqlTimestamp(zoe.created_at.0);
    let row = (id, &zoe.username, &zoe.email, &zoe.display_name, created_at);
    session.query_unpaged(insert, row).await.unwrap();
    let list = "INSERT INTO names (initial, shard, kind, folded, user, username) VALUES (?, ?, ?, ?, ?, ?)";
    let shard = names::shard(zoe.id);
    for (kind, folded) in [(1_i8, "zsj"), (2, "zoë smith-jones")] {
        session.query_unpaged(list, ("z", shard, kind, folded.as_bytes(), id, "zsj")).await.unwrap();
    }

    migrate(&options, |_| ()).await.unwrap();
    let store = Box::pin(ScyllaStore::open(&options)).await.unwrap();
    for query in ["zoe", "smith", "JON", "zsj"] {
        assert_eq!(store.search_users(query, 5).await.unwrap(), std::slice::from_ref(&zoe), "{query}");
    }
    let rows = session.query_unpaged("SELECT kind FROM names", ()).await.unwrap().into_rows_result().unwrap();
    let kinds: Vec<i8> = rows.rows::<(i8,)>().unwrap().map(|row| row.unwrap().0).collect();
    assert_eq!(kinds, [3; 4], "those of before are gone");
}
