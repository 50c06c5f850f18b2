//! A new password for who has forgotten theirs: what is sent, to whom, and everything that a link must not do.

use std::{fs, path::Path};

use natter_testkit::{Answer, DevServer, PASSWORD, User, until, until_some};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::NATTER;

const NEXT: &str = "staple battery horse";
const REQUEST: &str = "/api/auth/password-reset";
const CONFIRM: &str = "/api/auth/password-reset/confirm";

/// A program that takes mail: it waits for the file `closed` to be gone, fails as often as `failures` has lines, and keeps what
/// it takes.
const POSTMAN: &str = r#"cd "$1" || exit 1
mail=$(mktemp -p .)
cat > "$mail"
while [ -e closed ]; do sleep 0.05; done
if [ -s failures ]; then
    sed -i 1d failures
    echo "the mailbox is full" >&2
    exit 75
fi
mv "$mail" "$mail.mail"
"#;

pub struct Deployment {
    pub natter: DevServer,
    mailbox: TempDir,
}

impl Deployment {
    pub async fn start() -> Self {
        Self::with(&[("RATE_LIMITS", "off")]).await
    }

    async fn with(more: &[(&'static str, &'static str)]) -> Self {
        let mailbox = tempfile::tempdir().unwrap();
        let script = mailbox.path().join("postman");
        fs::write(&script, POSTMAN).unwrap();
        let command = format!("sh {} {}", script.display(), mailbox.path().display());
        let mail = [("MAIL_COMMAND", &*command.leak()), ("MAIL_FROM", "chat@natter.example")];
        Self { natter: DevServer::start(NATTER, &[&mail, more].concat()).await, mailbox }
    }

    pub async fn user(&self, name: &str) -> User {
        User::register_as(&self.natter.http, name).await
    }

    fn file(&self, name: &str) -> std::path::PathBuf {
        self.mailbox.path().join(name)
    }

    /// The mails that were taken, in any order.
    pub fn mails(&self) -> Vec<String> {
        mails(self.mailbox.path())
    }

    pub async fn mail(&self, nth: usize) -> String {
        until(&format!("mail {nth} is delivered"), async || self.mails().len() >= nth).await;
        self.mails().pop().unwrap()
    }

    /// Requests a link and takes its token from the mail, which is removed.
    async fn token(&self, user: &User) -> String {
        request(user, &address(&user.name)).await.ok(202);
        let token = token(&self.mail(1).await);
        for entry in fs::read_dir(self.mailbox.path()).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "mail") {
                fs::remove_file(path).unwrap();
            }
        }
        token
    }
}

fn mails(folder: &Path) -> Vec<String> {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let taken = files.filter(|path| path.extension().is_some_and(|extension| extension == "mail"));
    taken.map(|path| fs::read_to_string(path).unwrap()).collect()
}

pub fn address(name: &str) -> String {
    format!("{name}@tests.example")
}

async fn request(user: &User, email: &str) -> Answer {
    user.post(REQUEST, &json!({"email": email})).await
}

async fn confirm(user: &User, token: &str, next: &str) -> Answer {
    user.post(CONFIRM, &json!({"token": token, "next": next})).await
}

/// What a mail's link has behind its `#`.
fn token(mail: &str) -> String {
    let unfolded = mail.replace("=\r\n", "").replace("=\n", "").replace("=3D", "=");
    let (_, rest) = unfolded.split_once("/reset-password#").expect("a link");
    rest.split_whitespace().next().unwrap().to_owned()
}

async fn log_in(user: &User, password: &str) -> u16 {
    user.post("/api/auth/login", &json!({"login": user.name, "password": password})).await.status
}

#[tokio::test]
async fn a_link_sets_one_new_password_and_ends_every_session() {
    let deployment = Deployment::start().await;
    let alice = deployment.user("alice").await;
    let (second, bob) = (alice.log_in().await, deployment.user("bob").await);
    let body = json!({"email": "Alice@tests.example", "language": "de-AT"});
    assert_eq!(alice.post(REQUEST, &body).await.ok(202), Value::Null);
    let mail = deployment.mail(1).await;
    for header in ["From: chat@natter.example", "To: alice@tests.example", "Auto-Submitted: auto-generated"] {
        assert!(mail.contains(header), "{header}: {mail}");
    }
    assert!(mail.contains("Hallo alice"), "{mail}");
    let token = token(&mail);
    // Nothing of it is good for anything else, and what refuses the password leaves the link as it is.
    let (user, secret) = token.split_once('.').unwrap();
    let forged = [
        secret.to_owned(),
        format!("{user}."),
        format!("{}.{secret}", bob.id),
        format!("{token}A"),
        token[..token.len() - 1].to_owned(),
        token.to_uppercase(),
    ];
    for forged in forged {
        assert_eq!(confirm(&bob, &forged, NEXT).await.code(), (400, "link_invalid"), "{forged}");
    }
    assert_eq!(confirm(&bob, &token, "short").await.code(), (422, "invalid"));
    confirm(&bob, &token, NEXT).await.ok(204);
    assert_eq!(confirm(&bob, &token, NEXT).await.code(), (400, "link_invalid"));
    for session in [&alice, &second] {
        until("the session has ended", async || session.get("/api/me").await.status == 401).await;
        let renewed =
            session.post("/api/auth/refresh", &json!({"refreshToken": session.refresh_token})).await;
        assert_eq!(renewed.status, 401);
    }
    assert_eq!((log_in(&alice, PASSWORD).await, log_in(&alice, NEXT).await), (401, 200));
    assert_eq!(bob.get("/api/me").await.status, 200, "another's session");
    assert!(!deployment.natter.log().contains(secret));
}

#[tokio::test]
async fn of_many_confirmations_at_once_one_sets_the_password() {
    let deployment = Deployment::start().await;
    let alice = deployment.user("alice").await;
    let token = deployment.token(&alice).await;
    let passwords: Vec<String> = (0..4).map(|n| format!("{NEXT} {n}")).collect();
    let all = passwords.iter().map(|next| confirm(&alice, &token, next));
    let answers: Vec<u16> =
        futures_util::future::join_all(all).await.into_iter().map(|answer| answer.status).collect();
    assert_eq!(answers.iter().filter(|status| **status == 204).count(), 1, "{answers:?}");
    assert_eq!(answers.iter().filter(|status| **status == 400).count(), 3, "{answers:?}");
    for (next, answer) in passwords.iter().zip(answers) {
        assert_eq!(log_in(&alice, next).await, if answer == 204 { 200 } else { 401 });
    }
}

#[tokio::test]
async fn a_later_link_or_password_ends_the_link_before() {
    let deployment = Deployment::start().await;
    let alice = deployment.user("alice").await;
    let (first, second) = (deployment.token(&alice).await, deployment.token(&alice).await);
    assert_eq!(confirm(&alice, &first, NEXT).await.code(), (400, "link_invalid"));
    let change = json!({"current": PASSWORD, "next": NEXT});
    alice.post("/api/me/password", &change).await.ok(204);
    assert_eq!(confirm(&alice, &second, PASSWORD).await.code(), (400, "link_invalid"));
    assert_eq!(log_in(&alice, NEXT).await, 200);
}

#[tokio::test]
async fn no_answer_shows_whether_an_account_has_the_address() {
    let deployment = Deployment::start().await;
    let alice = deployment.user("alice").await;
    // While no mail is taken: an answer does not wait for one.
    fs::write(deployment.file("closed"), "").unwrap();
    let [known, unknown] =
        [request(&alice, &address("alice")).await, request(&alice, &address("unknown")).await];
    assert_eq!((known.status, known.body), (202, unknown.body));
    assert_eq!(unknown.status, 202);
    let names = |answer: reqwest::header::HeaderMap| {
        let mut names: Vec<_> = answer.keys().map(ToString::to_string).collect();
        names.sort_unstable();
        names
    };
    assert_eq!(names(known.headers), names(unknown.headers));
    fs::remove_file(deployment.file("closed")).unwrap();
    assert!(deployment.mail(1).await.contains("To: alice@tests.example"));
    // What is no address is refused, with what it would do to a mail's header.
    for wrong in ["", "alice", "a@b.example\r\nBcc: c@d.example", "a@b.example, c@d.example", "<a@b.example>"]
    {
        let answer = request(&alice, wrong).await;
        assert!(answer.code() == (422, "invalid") || answer.status == 202, "{wrong}: {answer:?}");
    }
    assert_eq!(deployment.mails().len(), 1);
}

#[tokio::test]
async fn mails_to_one_address_are_limited_whoever_has_it() {
    let deployment = Deployment::with(&[("RATE_LIMITS", "mail=1/h")]).await;
    let alice = deployment.user("alice").await;
    for name in ["alice", "unknown"] {
        request(&alice, &address(name)).await.ok(202);
        let refused = request(&alice, &address(&name.to_uppercase())).await;
        assert_eq!(refused.code(), (429, "rate_limited"));
        assert!(refused.headers.contains_key("retry-after"));
    }
}

#[tokio::test]
async fn a_mail_that_is_not_taken_is_tried_again() {
    let deployment = Deployment::start().await;
    let alice = deployment.user("alice").await;
    fs::write(deployment.file("failures"), "1\n2\n").unwrap();
    request(&alice, &address("alice")).await.ok(202);
    let token = token(&deployment.mail(1).await);
    confirm(&alice, &token, NEXT).await.ok(204);
    until_some("it is counted", async || {
        let counted = deployment.natter.metric("natter_mails_total").await;
        (counted > 2.5).then_some(())
    })
    .await;
    assert!(deployment.natter.log().contains("the mailbox is full"), "the reason is in the log");
}

#[tokio::test]
async fn without_mail_a_reset_is_refused_by_its_code() {
    let natter = DevServer::start(NATTER, &[]).await;
    let alice = User::register_as(&natter.http, "alice").await;
    assert_eq!(request(&alice, &address("alice")).await.code(), (403, "mail_off"));
    assert_eq!(alice.get("/api/auth/options").await.ok(200)["mail"], json!(false));
    let deployment = Deployment::start().await;
    let bob = deployment.user("bob").await;
    assert_eq!(bob.get("/api/auth/options").await.ok(200)["mail"], json!(true));
}

#[tokio::test]
async fn a_sealed_address_gets_its_mail() {
    let root = "8f1d2c3b4a5968778695a4b3c2d1e0f00123456789abcdeffedcba9876543210";
    let sealed = [("CHAT_ENCRYPTION_ENABLED", "true"), ("CHAT_MESSAGE_KEY", root), ("RATE_LIMITS", "off")];
    let deployment = Deployment::with(&sealed).await;
    let alice = deployment.user("alice").await;
    let store = rusqlite::Connection::open(deployment.natter.data().join("natter.db")).unwrap();
    let stored = || store.query_row("SELECT email FROM users", [], |row| row.get::<_, String>(0)).unwrap();
    let before = stored();
    assert!(before.starts_with('\u{1}') && !before.contains("tests.example"), "{before}");
    request(&alice, "unknown@tests.example").await.ok(202);
    request(&alice, "ALICE@tests.example").await.ok(202);
    let mail = deployment.mail(1).await;
    assert!(mail.contains("To: alice@tests.example") && mail.contains("Hello alice"), "{mail}");
    confirm(&alice, &token(&mail), NEXT).await.ok(204);
    let by_address = json!({"login": address("alice"), "password": NEXT});
    alice.post("/api/auth/login", &by_address).await.ok(200);
    assert_eq!(log_in(&alice, PASSWORD).await, 401);
    assert_eq!((stored(), deployment.mails().len()), (before, 1));
}
