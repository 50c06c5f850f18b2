use natter_schemas::rpc::User;
use natter_store::{
    AccountStore, AddUser,
    conformance::fixtures::{unique_name, user},
    scylla,
};
use uuid::Uuid;

use natter_testkit::until;

use super::fixtures::{keyspace, open};

/// What a registration leaves that dies after its first step.
async fn half_registered(user: &User, ttl: i32) {
    let session = scylla::connect(keyspace().await).await.unwrap();
    let reserve = "INSERT INTO usernames (folded, user) VALUES (?, ?) IF NOT EXISTS USING TTL ?";
    let reserve = session.prepare(reserve).await.unwrap();
    let id = Uuid::from_bytes(*user.id.as_bytes());
    session.execute_unpaged(&reserve, (user.username.as_bytes(), id, ttl)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registration_that_died_half_way_is_completed_by_the_same_call() {
    let store = open().await;
    let anna = user(&unique_name());
    half_registered(&anna, 60).await;
    let rival = User { email: format!("{}@example.org", unique_name()), ..user(&anna.username) };
    assert_eq!(store.add_user(&rival, "h").await.unwrap(), AddUser::UsernameTaken);
    assert!(store.credentials(&anna.username).await.unwrap().is_none());
    assert_eq!(store.add_user(&anna, "h").await.unwrap(), AddUser::Added);
    assert_eq!(store.credentials(&anna.username).await.unwrap().unwrap().user, anna);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_a_dead_registration_held_is_free_again() {
    let store = open().await;
    let name = unique_name();
    half_registered(&user(&name), 2).await;
    let anna = user(&name);
    until("the name is free", async || store.add_user(&anna, "h").await.unwrap() == AddUser::Added).await;
    assert_eq!(store.credentials(&name).await.unwrap().unwrap().user, anna);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_is_kept_for_good_and_a_repeated_registration_undoes_nothing() {
    let store = open().await;
    let anna = user(&unique_name());
    assert_eq!(store.add_user(&anna, "old").await.unwrap(), AddUser::Added);
    store.set_password_hash(anna.id, "new", None).await.unwrap();
    let renamed = store.set_display_name(anna.id, "Änne").await.unwrap().unwrap();
    assert_eq!(store.add_user(&anna, "old").await.unwrap(), AddUser::Added);
    let found = store.credentials(&anna.email).await.unwrap().unwrap();
    assert_eq!((found.user, found.password_hash.as_str()), (renamed, "new"));

    let session = scylla::connect(keyspace().await).await.unwrap();
    for (table, name) in [("usernames", &anna.username), ("emails", &anna.email)] {
        let ttl = format!("SELECT ttl(user) FROM {table} WHERE folded = ?");
        let rows = session.query_unpaged(ttl, (name.as_bytes(),)).await.unwrap().into_rows_result().unwrap();
        assert_eq!(rows.single_row::<(Option<i32>,)>().unwrap(), (None,), "{table}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_user_is_found_by_a_display_name_of_before() {
    let store = open().await;
    let (old, new) = (unique_name(), unique_name());
    let anna = User { display_name: format!("{old} Ä"), ..user(&unique_name()) };
    assert_eq!(store.add_user(&anna, "h").await.unwrap(), AddUser::Added);
    let now = store.set_display_name(anna.id, &format!("{new} Ä")).await.unwrap().unwrap();
    assert!(store.search_users(&old, 10).await.unwrap().is_empty());
    assert_eq!(store.search_users(&new, 10).await.unwrap(), std::slice::from_ref(&now));
    // Only its case changes: the fold is the same row.
    let upper = store.set_display_name(anna.id, &now.display_name.to_uppercase()).await.unwrap().unwrap();
    assert_eq!(store.search_users(&new, 10).await.unwrap(), [upper]);
    assert!(store.search_users("", 10).await.unwrap().is_empty());
}
