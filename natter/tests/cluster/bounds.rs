//! What many requests at once, through two workers, may not pass together.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::NATTER;
use natter_testkit::{Answer, Cassandra, Cluster, Room, User};

/// Conversations of one user.
const MOST: usize = 8;
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

async fn no_user_passes_the_bound(cluster: &Cluster) {
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

#[tokio::test]
async fn users_stay_within_their_conversations_in_sqlite() {
    let most = MOST.to_string();
    let cluster = Cluster::start_with_settings(NATTER, &[("LIMIT_MEMBERSHIPS", &most)]).await;
    no_user_passes_the_bound(&cluster).await;
}

#[tokio::test]
async fn users_stay_within_their_conversations_in_cql() {
    let (most, url) = (MOST.to_string(), Cassandra::shared().await.new_keyspace());
    let settings = [("LIMIT_MEMBERSHIPS", most.as_str()), ("DATABASE_URL", &url)];
    let cluster = Cluster::start_with_settings(NATTER, &settings).await;
    no_user_passes_the_bound(&cluster).await;
}
