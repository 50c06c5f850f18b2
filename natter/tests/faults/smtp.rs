//! Mail by SMTP, to a real server: what it gets, over what, and what becomes of a mail that it does not take.

use std::{
    env, fs,
    path::PathBuf,
    process::{Command, ExitStatus, Stdio},
};

use natter_testkit::{Authority, DevServer, Process, User, until, until_some};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::NATTER;

const SERVER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/mail/server.py");
const PACKAGES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../.deps/mail-server");
/// In a URL `%40` and `%2F`.
const PASSWORD: &str = "pass@word/1";
const RIGHT: &str = "chat:pass%40word%2F1@";
/// This machine by a name that is not taken for it: only there STARTTLS is required.
const ELSEWHERE: &str = "127.0.0.2";

/// How connections are encrypted.
#[derive(Clone, Copy, PartialEq)]
enum Tls {
    Implicit,
    Starting,
    None,
}

struct MailServer {
    tls: Tls,
    host: &'static str,
    authority: Authority,
    folder: TempDir,
    process: Process,
}

impl MailServer {
    async fn start(tls: Tls, host: &'static str) -> Self {
        let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
        let process = Self::spawn(tls, host, &authority, &folder, "0");
        let server = Self { tls, host, authority, folder, process };
        server.ready().await;
        server
    }

    fn spawn(tls: Tls, host: &str, authority: &Authority, folder: &TempDir, port: &str) -> Process {
        assert!(fs::exists(PACKAGES).unwrap(), "no aiosmtpd in .deps: run scripts/fetch-mail-server");
        let keys = authority.issue_for("mail", host);
        let mode = match tls {
            Tls::Implicit => "implicit",
            Tls::Starting => "starttls",
            Tls::None => "none",
        };
        let mut command = Command::new("python3");
        command.arg(SERVER).arg(folder.path()).args(["--tls", mode, "--host", host, "--port", port]);
        if tls != Tls::None {
            command.arg("--certificate").arg(&keys.certificate).arg("--key").arg(&keys.key);
        }
        command.env("PYTHONPATH", PACKAGES).env("PYTHONDONTWRITEBYTECODE", "1");
        command.env("MAIL_PASSWORD", PASSWORD).stdin(Stdio::null());
        Process::start(command, &folder.path().join("log"))
    }

    async fn ready(&self) {
        until("the mail server listens", async || {
            let ended: Option<ExitStatus> = self.process.exit_status();
            assert!(ended.is_none(), "{}", self.process.log());
            self.file("port").exists()
        })
        .await;
    }

    /// On the port that it had.
    async fn start_again(&mut self) {
        let port = self.port();
        fs::remove_file(self.file("port")).unwrap();
        self.process = Self::spawn(self.tls, self.host, &self.authority, &self.folder, &port);
        self.ready().await;
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn port(&self) -> String {
        fs::read_to_string(self.file("port")).unwrap()
    }

    fn commands(&self) -> Vec<String> {
        let text = fs::read_to_string(self.file("commands")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    fn count(&self, command: &str) -> usize {
        self.commands().iter().filter(|line| line.starts_with(command)).count()
    }

    /// The mail that it took first since it started.
    async fn mail(&self) -> Value {
        until_some("a mail is taken", async || {
            let text = fs::read_to_string(self.file("1.json")).ok()?;
            Some(serde_json::from_str(&text).unwrap())
        })
        .await
    }

    /// Natter, which logs in with these words and trusts the server's CA.
    async fn natter(&self, who: &str) -> DevServer {
        let trusted = self.authority.ca().display().to_string();
        self.natter_with(who, &[("SSL_CERT_FILE", trusted.leak())]).await
    }

    async fn natter_with(&self, who: &str, more: &[(&'static str, &'static str)]) -> DevServer {
        let scheme = if self.tls == Tls::Implicit { "smtps" } else { "smtp" };
        let url = format!("{scheme}://{who}{}:{}", self.host, self.port());
        let mail = [("SMTP_URL", &*url.leak()), ("MAIL_FROM", "chat@natter.example"), ("RATE_LIMITS", "off")];
        DevServer::start(NATTER, &[&mail, more].concat()).await
    }
}

async fn request(user: &User, language: &str) {
    let body = json!({"email": format!("{}@tests.example", user.name), "language": language});
    user.post("/api/auth/password-reset", &body).await.ok(202);
}

async fn given_up(natter: &DevServer) -> String {
    until_some("the mail is given up", async || {
        let log = natter.log();
        let line = log.lines().find(|line| line.contains("a mail is not delivered, and not tried again"));
        line.map(str::to_owned)
    })
    .await
}

async fn tried_again(natter: &DevServer) {
    until("the mail is tried again", async || natter.log().contains("a mail is not delivered yet")).await;
}

/// What was sent by a deployment to Alice, who sets another password with it.
async fn read_and_used(server: &MailServer) -> Value {
    let natter = server.natter(RIGHT).await;
    let alice = User::register_as(&natter.http, "alice").await;
    request(&alice, "de").await;
    let mail = server.mail().await;
    assert_eq!(mail["sender"], "chat@natter.example");
    assert_eq!(mail["recipients"], json!(["alice@tests.example"]));
    assert_eq!(mail["user"], "chat");
    let headers = &mail["headers"];
    assert_eq!(
        (&headers["From"], &headers["To"]),
        (&json!("chat@natter.example"), &json!("alice@tests.example"))
    );
    assert_eq!(headers["Auto-Submitted"], "auto-generated");
    assert!(headers["Message-ID"].as_str().unwrap().ends_with("@natter.example>"), "{headers}");
    assert!(headers["Date"].is_string() && headers["Subject"] == "Neues Passwort festlegen", "{headers}");
    let text = mail["text"].as_str().unwrap();
    assert!(text.starts_with("Hallo alice") && text.contains('ü'), "{text}");
    let (_, rest) = text.split_once("/reset-password#").expect("a link");
    let token = rest.split_whitespace().next().unwrap();
    let body = json!({"token": token, "next": "staple battery horse"});
    alice.post("/api/auth/password-reset/confirm", &body).await.ok(204);
    assert!(!natter.log().contains(PASSWORD) && !natter.log().contains("pass%40word"));
    mail
}

#[tokio::test]
async fn mail_goes_over_tls_to_a_server_of_a_private_ca() {
    for (tls, host) in [(Tls::Implicit, "localhost"), (Tls::Starting, ELSEWHERE)] {
        let server = MailServer::start(tls, host).await;
        let mail = read_and_used(&server).await;
        assert!(mail["tls"].as_str().unwrap().starts_with("TLSv1."), "{mail}");
    }
}

#[tokio::test]
async fn mail_goes_in_clear_to_a_server_on_this_host_alone() {
    let here = MailServer::start(Tls::None, "127.0.0.1").await;
    assert_eq!(read_and_used(&here).await["tls"], Value::Null);
    let elsewhere = MailServer::start(Tls::None, ELSEWHERE).await;
    let natter = elsewhere.natter(RIGHT).await;
    request(&User::register_as(&natter.http, "alice").await, "en").await;
    until("it was tried", async || elsewhere.count("CONNECT") > 0).await;
    until("it has failed", async || natter.log().contains("a mail is not delivered")).await;
    assert_eq!(elsewhere.count("AUTH") + elsewhere.count("RCPT"), 0, "{:?}", elsewhere.commands());
}

#[tokio::test]
async fn a_server_whose_ca_is_not_trusted_gets_nothing() {
    for (tls, host) in [(Tls::Implicit, "localhost"), (Tls::Starting, ELSEWHERE)] {
        let server = MailServer::start(tls, host).await;
        let natter = server.natter_with(RIGHT, &[]).await;
        request(&User::register_as(&natter.http, "alice").await, "en").await;
        until("it has failed", async || natter.log().contains("a mail is not delivered")).await;
        assert_eq!(server.count("AUTH") + server.count("RCPT"), 0, "{:?}", server.commands());
    }
}

#[tokio::test]
async fn a_wrong_password_of_the_server_is_logged_and_not_repeated() {
    let server = MailServer::start(Tls::Implicit, "localhost").await;
    let natter = server.natter("chat:guessed@").await;
    request(&User::register_as(&natter.http, "alice").await, "en").await;
    let line = given_up(&natter).await;
    assert!(line.contains("SMTP_URL") && line.contains("535") && !line.contains("guessed"), "{line}");
    assert_eq!((server.count("AUTH chat wrong"), server.count("RCPT")), (1, 0));
    assert!((natter.metric("natter_mails_total").await - 1.0).abs() < 0.5);
}

#[tokio::test]
async fn a_recipient_refused_for_good_stops_no_other_mail() {
    let server = MailServer::start(Tls::Implicit, "localhost").await;
    let natter = server.natter(RIGHT).await;
    request(&User::register_as(&natter.http, "refused").await, "en").await;
    let line = given_up(&natter).await;
    assert!(line.contains("550") && line.contains("no such mailbox"), "{line}");
    request(&User::register_as(&natter.http, "bob").await, "en").await;
    assert_eq!(server.mail().await["recipients"], json!(["bob@tests.example"]));
    assert_eq!(server.count("RCPT refused@tests.example"), 1);
}

#[tokio::test]
async fn a_server_that_is_busy_or_away_gets_the_mail_later() {
    let mut server = MailServer::start(Tls::Implicit, "localhost").await;
    fs::write(server.file("busy"), "").unwrap();
    let natter = server.natter(RIGHT).await;
    let alice = User::register_as(&natter.http, "alice").await;
    request(&alice, "en").await;
    tried_again(&natter).await;
    assert!(natter.log().contains("451"), "{}", natter.log());
    server.process.kill();
    fs::remove_file(server.file("busy")).unwrap();
    until("it fails while the server is away", async || {
        natter.log().matches("a mail is not delivered yet").count() > server.count("RCPT")
    })
    .await;
    server.start_again().await;
    assert_eq!(server.mail().await["recipients"], json!(["alice@tests.example"]));
    until("it is counted", async || natter.metric("natter_mails_total").await > 2.5).await;
    assert!(!natter.log().contains("not tried again"));
}
