//! Another address for an account: who can have it changed, to what, and what no one learns by it.

use natter_testkit::{Answer, PASSWORD, User, until};
use serde_json::{Value, json};

use crate::recovery::{Deployment, address};

const REQUEST: &str = "/api/me/email";
const CONFIRM: &str = "/api/auth/email-change/confirm";

async fn request(user: &User, email: &str, password: &str) -> Answer {
    user.post(REQUEST, &json!({"email": email, "password": password})).await
}

async fn confirm(user: &User, token: &str) -> Answer {
    user.post(CONFIRM, &json!({"token": token, "language": "de"})).await
}

/// What the link in the one mail to this address has behind its `#`.
async fn token(deployment: &Deployment, to: &str) -> String {
    let mail_to = |mail: &String| mail.contains(&format!("To: {to}"));
    until("the link is sent", async || deployment.mails().iter().any(mail_to)).await;
    let mail = deployment.mails().into_iter().find(mail_to).unwrap();
    let unfolded = mail.replace("=\r\n", "").replace("=\n", "").replace("=3D", "=");
    let (_, rest) = unfolded.split_once("/confirm-email#").expect("a link");
    rest.split_whitespace().next().unwrap().to_owned()
}

async fn log_in(user: &User, login: &str) -> u16 {
    user.post("/api/auth/login", &json!({"login": login, "password": PASSWORD})).await.status
}

async fn email_of(user: &User) -> Value {
    user.get("/api/me").await.ok(200)["email"].clone()
}

#[tokio::test]
async fn an_address_is_changed_by_a_link_to_the_new_one() {
    let deployment = Deployment::start().await;
    let (alice, bob) = (deployment.user("alice").await, deployment.user("bob").await);
    let (before, wanted) = (address("alice"), "Alice@elsewhere.example");
    assert_eq!(request(&alice, wanted, "not it").await.code(), (401, "bad_credentials"));
    assert_eq!(request(&alice, "no address", PASSWORD).await.code(), (422, "invalid"));
    assert_eq!(request(&alice, wanted, PASSWORD).await.ok(202), Value::Null);
    let token = token(&deployment, wanted).await;
    assert_eq!(email_of(&alice).await, json!(before), "until the link is opened");
    // Neither another address nor another user's account by the same secret.
    let (rest, _) = token.rsplit_once('.').unwrap();
    let (_, secret) = token.split_once('.').unwrap();
    let forged = [
        format!("{rest}.bWFsbG9yeUBlbHNld2hlcmUuZXhhbXBsZQ"),
        format!("{}.{secret}", bob.id),
        rest.to_owned(),
        format!("{token}A"),
    ];
    for forged in forged {
        assert_eq!(confirm(&bob, &forged).await.code(), (400, "link_invalid"), "{forged}");
    }
    confirm(&bob, &token).await.ok(204);
    assert_eq!(email_of(&alice).await, json!(wanted));
    assert_eq!((log_in(&alice, &before).await, log_in(&alice, wanted).await), (401, 200));
    assert_eq!(confirm(&alice, &token).await.code(), (400, "link_invalid"), "it was good once");
    let notice = |mail: &String| mail.contains(&format!("To: {before}")) && mail.contains("Hallo alice");
    until("the address before gets a mail", async || deployment.mails().iter().any(notice)).await;
    // Whoever wants the address that was given up can have it.
    let next = json!({"username": "alicia", "email": before, "password": PASSWORD});
    assert_eq!(bob.post("/api/auth/register", &next).await.status, 201);
    assert!(!deployment.natter.log().contains(secret));
}

#[tokio::test]
async fn no_answer_shows_whether_the_wanted_address_is_taken() {
    let deployment = Deployment::start().await;
    let (alice, _bob) = (deployment.user("alice").await, deployment.user("bob").await);
    let [taken, free] = [address("BOB"), "free@elsewhere.example".to_owned()];
    let [a, b] = [request(&alice, &taken, PASSWORD).await, request(&alice, &free, PASSWORD).await];
    assert_eq!((a.status, a.body), (b.status, b.body));
    assert_eq!(b.status, 202);
    let token = token(&deployment, &free).await;
    assert_eq!(deployment.mails().len(), 1, "none to the address of another");
    // Taken while the link was under way.
    let rival = json!({"username": "carol", "email": free, "password": PASSWORD});
    assert_eq!(alice.post("/api/auth/register", &rival).await.status, 201);
    assert_eq!(confirm(&alice, &token).await.code(), (409, "email_taken"));
    assert_eq!(email_of(&alice).await, json!(address("alice")));
}

#[tokio::test]
async fn a_new_address_ends_links_that_were_sent_to_the_old_one() {
    let deployment = Deployment::start().await;
    let alice = deployment.user("alice").await;
    alice.post("/api/auth/password-reset", &json!({"email": address("alice")})).await.ok(202);
    let mail = deployment.mail(1).await.replace("=\r\n", "").replace("=3D", "=");
    let reset = mail.split_once("/reset-password#").unwrap().1.split_whitespace().next().unwrap().to_owned();
    request(&alice, "a@elsewhere.example", PASSWORD).await.ok(202);
    let link = token(&deployment, "a@elsewhere.example").await;
    confirm(&alice, &link).await.ok(204);
    let late = alice
        .post("/api/auth/password-reset/confirm", &json!({"token": reset, "next": "staple battery"}))
        .await;
    assert_eq!(late.code(), (400, "link_invalid"));
    assert_eq!(alice.get("/api/me").await.status, 200, "sessions stay");
}
