use natter_testkit::{PASSWORD, User, until};
use reqwest::Method;
use serde_json::{Value, json};

use super::{Browser, deployment};

#[tokio::test]
async fn who_has_no_password_is_erased_by_the_newest_log_in() {
    let (provider, natter) = deployment().await;
    let mut browser = Browser::new(&natter);
    let erase = async |user: &User, body: Value| user.call(Method::DELETE, "/api/me", Some(&body)).await;
    let older = browser.log_in(&provider, "subject-1").await.in_as(&natter).await;
    let mut newest = browser.log_in(&provider, "subject-1").await.in_as(&natter).await;
    let bob = User::register_as(&natter.http, "bob").await;
    for (user, body) in [
        (&older, json!({})),
        (&newest, json!({"password": PASSWORD})),
        (&bob, json!({})),
        (&bob, json!({"password": "not this one"})),
    ] {
        assert_eq!(erase(user, body).await.code(), (401, "bad_credentials"));
    }
    newest.refresh().await;
    assert_eq!(erase(&newest, json!({})).await.status, 202, "the session is the same");
    for session in [&older, &newest] {
        until("the session has ended", async || session.get("/api/me").await.status == 401).await;
    }
    browser.log_in(&provider, "subject-1").await.refused("login_denied");
    assert_eq!(bob.get("/api/me").await.status, 200);
}
