//! Mail to users. Requests do not wait for it: a mail is looked up, written and delivered by a task of its own, of which there
//! is a bounded number, each for a bounded time. They end with the process; who waited for the mail asks again.

mod text; // what mails say
mod command; // delivery by a program
mod smtp; // delivery by a server

use std::{future::Future, sync::Arc, time::Duration};

use lettre::{
    Message,
    message::{
        Mailbox,
        header::{ContentType, HeaderName, HeaderValue},
    },
};
use metrics::counter;
use natter_runtime::config;
use natter_schemas::limits;
use tokio::{
    sync::Semaphore,
    time::{Instant, sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{info, warn};

pub use text::{Language, Text, Topic};

/// Why a mail was not delivered.
#[derive(Debug, thiserror::Error)]
#[error("{reason}")]
pub struct SendError {
    reason: String,
    /// The same mail would be refused again.
    is_final: bool,
}

impl SendError {
    fn later(reason: String) -> Self {
        Self { reason, is_final: false }
    }

    fn refused(reason: String) -> Self {
        Self { reason, is_final: true }
    }
}

/// As many mails wait as are allowed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooManyWaiting;

enum Transport {
    Command(Vec<String>),
    Smtp(smtp::Smtp),
}

/// A mail to be delivered.
#[derive(Debug)]
pub struct Mail {
    pub to: String,
    pub text: Text,
}

#[derive(Clone)]
pub struct Mailer(Arc<Inner>);

struct Inner {
    from: Mailbox,
    transport: Transport,
    /// Mails that are looked up, written, delivered, or wait for another attempt.
    waiting: Arc<Semaphore>,
    /// Of them those that are being delivered.
    sending: Semaphore,
    /// What one attempt may take.
    attempt: Duration,
    tracker: TaskTracker,
    stop: CancellationToken,
}

impl Mailer {
    /// # Errors
    /// When settings cannot be used.
    pub fn new(mail: &config::Mail, tracker: TaskTracker, stop: CancellationToken) -> Result<Self, String> {
        let transport = match &mail.transport {
            config::MailTransport::Command(words) => Transport::Command(words.clone()),
            config::MailTransport::Smtp(url) => Transport::Smtp(smtp::connect(url)?),
        };
        let from = mail.from.parse().map_err(|_| "MAIL_FROM is no email address".to_owned())?;
        Ok(Self(Arc::new(Inner {
            from,
            transport,
            waiting: Arc::new(Semaphore::new(limits::MAILS_WAITING)),
            sending: Semaphore::new(limits::MAILS_SENDING),
            attempt: limits::MAIL_ATTEMPT,
            tracker,
            stop,
        })))
    }

    /// Writes a mail and delivers it, later: the caller learns nothing about it, not even by the time that this takes.
    /// `write` answers `None` when there is nothing to send.
    pub fn post(
        &self,
        write: impl Future<Output = Option<Mail>> + Send + 'static,
    ) -> Result<(), TooManyWaiting> {
        let permit = Arc::clone(&self.0.waiting).try_acquire_owned().map_err(|_| {
            count("refused");
            TooManyWaiting
        })?;
        let (mailer, stop) = (Arc::clone(&self.0), self.0.stop.clone());
        self.0.tracker.spawn(async move {
            let _permit = permit;
            let Some(Some(mail)) = stop.run_until_cancelled(write).await else { return };
            match mailer.message(&mail) {
                Ok(message) => mailer.deliver(&message).await,
                Err(error) => {
                    warn!(%error, "a mail cannot be written to this address; it is not sent");
                    count("failed");
                }
            }
        });
        Ok(())
    }
}

impl Inner {
    fn message(&self, mail: &Mail) -> Result<Message, String> {
        let to: Mailbox = mail.to.parse().map_err(|error| format!("{error}"))?;
        // RFC 3834: no one's holiday notice answers it.
        let automatic = HeaderName::new_from_ascii_str("Auto-Submitted");
        Message::builder()
            .from(self.from.clone())
            .to(to)
            .subject(&mail.text.subject)
            .message_id(Some(format!("<{}@{}>", uuid::Uuid::new_v4(), self.from.email.domain())))
            .header(ContentType::TEXT_PLAIN)
            .raw_header(HeaderValue::new(automatic, "auto-generated".to_owned()))
            .body(mail.text.body.clone())
            .map_err(|error| error.to_string())
    }

    /// Until it is delivered, refused for good, or too old. When the process stops, an attempt under way has some seconds.
    async fn deliver(&self, message: &Message) {
        let (since, mut pause) = (Instant::now(), limits::MAIL_PAUSE);
        loop {
            let Ok(sending) = self.sending.acquire().await else { return };
            let attempted = tokio::select! {
                attempted = self.attempt(message) => attempted,
                () = async { self.stop.cancelled().await; sleep(limits::MAIL_STOP).await } => {
                    Err(SendError::later("the process stops".to_owned()))
                }
            };
            drop(sending);
            let Err(error) = attempted else {
                count("sent");
                return;
            };
            if error.is_final || since.elapsed() + pause > limits::MAIL_DELIVERY || self.stop.is_cancelled() {
                warn!(%error, "a mail is not delivered, and not tried again");
                count("failed");
                return;
            }
            info!(%error, "a mail is not delivered yet; it is tried again");
            count("retried");
            if self.stop.run_until_cancelled(sleep(pause)).await.is_none() {
                count("failed");
                return;
            }
            pause = (pause * 2).min(limits::MAIL_PAUSE_MAX);
        }
    }

    async fn attempt(&self, message: &Message) -> Result<(), SendError> {
        let sent = async {
            match &self.transport {
                Transport::Command(words) => command::send(words, &message.formatted()).await,
                Transport::Smtp(server) => smtp::send(server, message.clone()).await,
            }
        };
        let late = |_| SendError::later(format!("no answer within {:?}", self.attempt));
        timeout(self.attempt, sent).await.map_err(late)?
    }
}

fn count(outcome: &'static str) {
    counter!("natter_mails_total", "outcome" => outcome).increment(1);
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use natter_testkit::{is_alive, until};

    use super::*;

    /// Takes mail, but for addresses that begin with `hang`: for them it waits, and so does what it has started.
    const PROGRAM: &str = r#"cd "$1" || exit 1
mail=$(mktemp -p .)
cat > "$mail"
if grep -q "^To: hang" "$mail"; then
    sleep 1000 &
    echo "$$ $!" >> hanging
    wait
fi
mv "$mail" "$mail.mail"
"#;

    fn mailer(folder: &Path, stop: CancellationToken) -> Mailer {
        fs::write(folder.join("program"), PROGRAM).unwrap();
        let words =
            ["sh".to_owned(), folder.join("program").display().to_string(), folder.display().to_string()];
        let transport = config::MailTransport::Command(words.to_vec());
        let settings = config::Mail { from: "chat@natter.example".to_owned(), transport };
        let Mailer(inner) = Mailer::new(&settings, TaskTracker::new(), stop).unwrap();
        let inner = Arc::into_inner(inner).unwrap();
        Mailer(Arc::new(Inner { attempt: Duration::from_millis(500), ..inner }))
    }

    fn post(mailer: &Mailer, to: &str) {
        let text = Text { subject: "a mail".to_owned(), body: "with a text".to_owned() };
        let mail = Mail { to: to.to_owned(), text };
        mailer.post(async move { Some(mail) }).unwrap();
    }

    /// Of programs that hung, and of what they had started.
    fn processes(folder: &Path) -> Vec<i32> {
        let text = fs::read_to_string(folder.join("hanging")).unwrap_or_default();
        text.split_whitespace().map(|id| id.parse().unwrap()).collect()
    }

    #[tokio::test]
    async fn a_program_that_hangs_is_killed_and_the_next_mails_go_on() {
        let (folder, stop) = (tempfile::tempdir().unwrap(), CancellationToken::new());
        let mailer = mailer(folder.path(), stop.clone());
        for n in 0..limits::MAILS_SENDING {
            post(&mailer, &format!("hang{n}@natter.example"));
        }
        post(&mailer, "bob@natter.example");
        until("the mail behind them is taken", async || {
            let mut files = fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().path());
            files.any(|file| file.extension().is_some_and(|extension| extension == "mail"))
        })
        .await;
        until("all have hung", async || processes(folder.path()).len() >= 2 * limits::MAILS_SENDING).await;
        stop.cancel();
        mailer.0.tracker.close();
        mailer.0.tracker.wait().await;
        for process in processes(folder.path()) {
            until("it has ended", async || !is_alive(process)).await;
        }
    }
}
