//! What many requests at once, through two workers, may not pass together.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::NATTER;
use natter_testkit::{Answer, Cassandra, Cluster, Room, User};

/// Conversations of one user.
const MOST: usize = 8;
/// Users blocked by one.
const BLOCKS: usize = 4;
/// Sessions of one user.
const SESSIONS: usize = 3;
/// Requests at the same moment.
const AT_ONCE: usize = 12;

async fn people(cluster: &Cluster, name: &str) -> Vec<User> {
    join_all((0..AT_ONCE).map(|n| async move { cluster.user(n % 2, &format!("{name}-{n}")).await })).await
}

async fn joined(user: &User) -> usize {
    user.get("/api/conversations?limit=100").await.ok(200)["items"].as_array().unwrap().len()
}

fn successes(answers: &[Answer], refusal: (u16, &str)) -> usize {
    let refused = answers.iter().filter(|answer| answer.status >= 400);
    refused.clone().for_each(|answer| assert_eq!(answer.code(), refusal, "{answer:?}"));
    answers.len() - refused.count()
}

fn opening(shape: &str, with: &User) -> Value {
    json!({"type": shape, "participantIds": [with.id]})
}

async fn no_user_is_in_more_conversations(cluster: &Cluster) {
    let others = people(cluster, "other").await;
    let creator = cluster.user(0, "creator").await;
    for other in &others[..MOST - 3] {
        creator.group(&[other]).await;
    }
    let created = others.iter().enumerate().map(|(n, other)| {
        let (creator, shape) = (creator.at(n % 2), if n % 3 == 0 { "direct" } else { "group" });
        async move { creator.post("/api/conversations", &opening(shape, other)).await }
    });
    let created = join_all(created).await;
    assert_eq!(successes(&created, (409, "conflict")), 3);
    assert_eq!(joined(&creator).await, MOST);

    let added = cluster.user(1, "added").await;
    let pairs = others.iter().zip(others.iter().cycle().skip(1));
    let rooms = join_all(pairs.map(|(other, next)| async move { other.group(&[next]).await })).await;
    for other in &others[..MOST - 3] {
        other.group(&[&added]).await;
    }
    let additions = others.iter().zip(&rooms).enumerate().map(|(n, (other, room))| {
        let body = json!({"userIds": [added.id]});
        let added = &added;
        async move {
            match n % 3 {
                0 => other.post("/api/conversations", &opening("direct", added)).await,
                1 => other.post("/api/conversations", &opening("group", added)).await,
                _ => other.post(&room.path("/participants"), &body).await,
            }
        }
    });
    let additions = join_all(additions).await;
    assert_eq!(successes(&additions, (403, "forbidden")), 3);
    assert_eq!(joined(&added).await, MOST);
    // Nothing is kept from one who has made room.
    let list = added.get("/api/conversations?limit=100").await.ok(200);
    let mut items = list["items"].as_array().unwrap().iter();
    let first = Room::of(items.find(|item| item["type"] == "group").unwrap());
    added.delete(&first.path(&format!("/participants/{}", added.id))).await.ok(204);
    others[0].post("/api/conversations", &opening("group", &added)).await.ok(201);
    assert_eq!(joined(&added).await, MOST);
}

async fn no_user_blocks_more(cluster: &Cluster) {
    let others = people(cluster, "blocked").await;
    let user = cluster.user(0, "blocks").await;
    let path = |other: &User| format!("/api/blocks/{}", other.id);
    let calls = others.iter().enumerate().map(|(n, other)| {
        let (user, path) = (user.at(n % 2), path(other));
        async move { user.put(&path).await }
    });
    let answers = join_all(calls).await;
    assert_eq!(successes(&answers, (409, "conflict")), BLOCKS);
    let listed = user.get("/api/blocks?limit=100").await.ok(200);
    assert_eq!(listed["items"].as_array().unwrap().len(), BLOCKS);
    // Who is blocked stays so, however often it is asked for; who was refused is not blocked.
    let (mut blocked, mut free) = (Vec::new(), Vec::new());
    for (other, answer) in others.iter().zip(&answers) {
        if answer.status == 204 { blocked.push(other) } else { free.push(other) }
    }
    user.at(1).put(&path(blocked[0])).await.ok(204);
    free[0].direct(&user).await;
    user.delete(&path(blocked[0])).await.ok(204);
    user.put(&path(free[0])).await.ok(204);
    assert_eq!(user.put(&path(blocked[0])).await.code(), (409, "conflict"));
}

async fn a_log_in_beyond_the_bound_ends_the_session_used_least_recently(cluster: &Cluster) {
    let first = cluster.user(0, "everywhere").await;
    let (socket, mut second) = (first.device("first").await, first.at(1).log_in().await);
    let third = first.log_in().await;
    second.refresh().await;
    let mut sessions = vec![first, second.clone(), third];
    let renewed = async |session: &User| {
        let answer = session.post("/api/auth/refresh", &json!({"refreshToken": session.refresh_token})).await;
        assert!(answer.status == 200 || answer.code() == (401, "unauthenticated"), "{answer:?}");
        answer.status == 200
    };
    let fourth = second.log_in().await;
    assert_eq!(socket.closed().await, 4500);
    assert!(!renewed(&sessions[0]).await);
    let at_once = join_all((0..2).map(|n| {
        let user = second.at(n);
        async move { user.log_in().await }
    }))
    .await;
    sessions.extend([fourth].into_iter().chain(at_once));
    let mut open = 0;
    for session in &sessions {
        open += usize::from(renewed(session).await);
    }
    assert_eq!(open, SESSIONS);
}

async fn no_user_passes_a_bound(settings: &[(&'static str, &str)]) {
    let bounds = [MOST, BLOCKS, SESSIONS].map(|most| most.to_string());
    let names = ["LIMIT_MEMBERSHIPS", "LIMIT_BLOCKS", "LIMIT_SESSIONS"];
    let mut all: Vec<_> = names.into_iter().zip(bounds.iter().map(String::as_str)).collect();
    all.extend(settings);
    let cluster = Cluster::start_with_settings(NATTER, &all).await;
    no_user_is_in_more_conversations(&cluster).await;
    no_user_blocks_more(&cluster).await;
    a_log_in_beyond_the_bound_ends_the_session_used_least_recently(&cluster).await;
}

#[tokio::test]
async fn users_stay_within_their_bounds_in_sqlite() {
    no_user_passes_a_bound(&[]).await;
}

#[tokio::test]
async fn users_stay_within_their_bounds_in_cql() {
    let url = Cassandra::shared().await.new_keyspace();
    no_user_passes_a_bound(&[("DATABASE_URL", &url)]).await;
}
