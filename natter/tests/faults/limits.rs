//! What a deployment allows one user, as its settings say.

use natter_testkit::{DevServer, User};
use serde_json::json;

use crate::NATTER;

#[tokio::test]
async fn groups_a_day_conversations_and_additions_are_limited_by_settings() {
    let settings = [("RATE_LIMITS", "groups=2/day"), ("LIMIT_MEMBERSHIPS", "3"), ("ADD_BY", "shared")];
    let natter = DevServer::start(NATTER, &settings).await;
    let register = async |name: &str| User::register_as(&natter.http, name).await;
    let (alice, bob, carol) = (register("alice").await, register("bob").await, register("carol").await);
    let group = |user: &User| json!({"type": "group", "participantIds": [user.id]});
    let stranger = carol.post("/api/conversations", &group(&bob)).await;
    assert_eq!(stranger.code(), (403, "forbidden"), "they share nothing");
    alice.direct(&bob).await;
    alice.group(&[&bob]).await;
    alice.group(&[&bob]).await;
    let limited = alice.post("/api/conversations", &group(&bob)).await;
    assert_eq!(limited.code(), (429, "rate_limited"));
    let wait: u64 = limited.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((40_000..=43_200).contains(&wait), "half a day until the next: {wait} s");
    let body = json!({"type": "direct", "participantIds": [carol.id]});
    assert_eq!(bob.post("/api/conversations", &body).await.code(), (409, "conflict"), "he is in three");
}
