//! A real Kafka for tests: a broker and controller in one JVM process, with a folder and ports of its own.
#![allow(
    clippy::missing_panics_doc,
    clippy::unwrap_used,
    reason = "a test that cannot start its server has failed"
)]

use std::{
    fmt::Write as _,
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    sync::{Arc, Weak},
    time::Duration,
};

use natter_runtime::config::{Kafka as Settings, KafkaSecurity, Sasl};
use natter_schemas::cloudevent::Content;
use parking_lot::Mutex as PlainMutex;
use rdkafka::{
    ClientConfig,
    consumer::{BaseConsumer, Consumer},
};
use secrecy::SecretString;
use tempfile::TempDir;
use tokio::{sync::Mutex, task::spawn_blocking, time::Instant};

use crate::kafka_sink::Options;
use natter_store::testkit::Jvm;

/// A JVM starts within seconds, and on a machine full of other tests within a minute.
const PATIENCE: Duration = Duration::from_mins(2);
/// The process's log, in its folder.
const SAID: &str = "kafka.out";
const USER: &str = "natter";
const PASSWORD: &str = "correct-horse";

pub struct Kafka {
    jvm: PlainMutex<Option<Jvm>>,
    port: u16,
    sasl: bool,
    // Dropped after the process, which writes into it.
    folder: TempDir,
}

static SHARED: Mutex<Weak<Kafka>> = Mutex::const_new(Weak::new());

impl Kafka {
    /// One for all tests of this process that run at the same time; each takes a topic of its own.
    pub async fn shared() -> Arc<Self> {
        let mut shared = SHARED.lock().await;
        if let Some(kafka) = shared.upgrade() {
            return kafka;
        }
        let kafka = Arc::new(Self::start().await);
        *shared = Arc::downgrade(&kafka);
        kafka
    }

    pub async fn start() -> Self {
        Self::with(false).await
    }

    /// Accepts only clients that know a password, by PLAIN or SCRAM.
    pub async fn with_sasl() -> Self {
        Self::with(true).await
    }

    async fn with(sasl: bool) -> Self {
        loop {
            let folder = tempfile::tempdir().unwrap();
            // Somebody may take a port in between: then the process ends, and others are tried.
            let (port, controller) = (free_port(), free_port());
            fs::write(properties(folder.path()), configuration(folder.path(), port, controller, sasl))
                .unwrap();
            format(&properties(folder.path()), sasl).await;
            let jvm = PlainMutex::new(Some(broker(folder.path())));
            let kafka = Self { jvm, port, sasl, folder };
            if kafka.is_up().await {
                return kafka;
            }
        }
    }

    pub fn brokers(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// For a mirror into this topic.
    pub fn options(&self, topic: &str) -> Options {
        let sasl = self.sasl.then(|| Sasl {
            mechanism: "SCRAM-SHA-512",
            username: USER.to_owned(),
            password: SecretString::from(PASSWORD),
        });
        let kafka = Settings {
            brokers: self.brokers(),
            content: Content::Sealed,
            security: KafkaSecurity { sasl, ..KafkaSecurity::default() },
            replication: None,
        };
        Options { kafka, topic: topic.to_owned() }
    }

    /// A client of a test's own.
    pub fn client(&self) -> ClientConfig {
        self.options("").client()
    }

    /// The options kcat needs to connect, each after `-X`. PLAIN: Debian's kcat fails at SCRAM here.
    pub fn kcat(&self) -> Vec<String> {
        let mut settings = vec![format!("bootstrap.servers={}", self.brokers())];
        if self.sasl {
            settings.extend(["security.protocol=sasl_plaintext", "sasl.mechanism=PLAIN"].map(str::to_owned));
            settings.push(format!("sasl.username={USER}"));
            settings.push(format!("sasl.password={PASSWORD}"));
        }
        settings
    }

    /// Holds it still: connections stay open and nothing answers.
    pub fn pause(&self) {
        self.jvm.lock().as_ref().expect("it runs").pause();
    }

    pub fn resume(&self) {
        self.jvm.lock().as_ref().expect("it runs").unpause();
    }

    /// kill -9.
    pub fn kill(&self) {
        drop(self.jvm.lock().take());
    }

    /// Another process on the same data and ports; returns when it answers.
    pub async fn restart(&self) {
        self.kill();
        *self.jvm.lock() = Some(broker(self.folder.path()));
        assert!(self.is_up().await, "kafka did not come back: {}", self.log_tail());
    }

    fn log_tail(&self) -> String {
        fs::read_to_string(self.folder.path().join(SAID)).unwrap_or_default()
    }

    /// False when the process has ended instead.
    async fn is_up(&self) -> bool {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let mut config = self.client();
            let answers = spawn_blocking(move || {
                let consumer: BaseConsumer = config.set("log_level", "0").create().unwrap();
                consumer.fetch_metadata(None, Duration::from_secs(2)).is_ok_and(|m| !m.brokers().is_empty())
            });
            if answers.await.unwrap() {
                return true;
            }
            if self.jvm.lock().as_ref().is_none_or(Jvm::is_over) {
                return false;
            }
            assert!(Instant::now() < deadline, "kafka does not start: {}", self.log_tail());
        }
    }
}

fn properties(folder: &Path) -> PathBuf {
    folder.join("server.properties")
}

fn broker(folder: &Path) -> Jvm {
    Jvm::spawn(&java("kafka.Kafka", &[&properties(folder)]), &folder.join(SAID))
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn java(class: &str, arguments: &[&Path]) -> Vec<String> {
    let jars = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../.deps/kafka"));
    assert!(jars.is_dir(), "no Kafka to test with: scripts/fetch-kafka");
    let classpath = format!("{}/*", jars.display());
    let mut command: Vec<String> =
        ["-Xmx384m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", &classpath, class]
            .map(str::to_owned)
            .to_vec();
    command.extend(arguments.iter().map(|argument| argument.display().to_string()));
    command
}

async fn format(properties: &Path, sasl: bool) {
    let mut command = java("kafka.tools.StorageTool", &[]);
    command.extend(["format", "-t", "bmF0dGVyLXRlc3Qta2Fma2", "-c"].map(str::to_owned));
    command.push(properties.display().to_string());
    if sasl {
        let user = format!("SCRAM-SHA-512=[name={USER},password={PASSWORD}]");
        command.extend(["--add-scram".to_owned(), user]);
    }
    let output = tokio::process::Command::new("java").args(&command).output().await.unwrap();
    let log_tail =
        || String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "kafka's storage is not formatted: {}", log_tail());
}

fn configuration(folder: &Path, port: u16, controller: u16, sasl: bool) -> String {
    let protocol = if sasl { "SASL_PLAINTEXT" } else { "PLAINTEXT" };
    let mut text = format!(
        "process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=CLIENT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=CLIENT://127.0.0.1:{port}
listener.security.protocol.map=CLIENT:{protocol},CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
inter.broker.listener.name=CLIENT
log.dirs={}
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
auto.create.topics.enable=false
num.network.threads=2
num.io.threads=2
log.retention.check.interval.ms=500
log.initial.task.delay.ms=500
",
        folder.join("data").display()
    );
    if sasl {
        let module = "org.apache.kafka.common.security";
        let _ = write!(
            text,
            "sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-512
sasl.mechanism.inter.broker.protocol=PLAIN
listener.name.client.plain.sasl.jaas.config={module}.plain.PlainLoginModule required \
username=\"{USER}\" password=\"{PASSWORD}\" user_{USER}=\"{PASSWORD}\";
listener.name.client.scram-sha-512.sasl.jaas.config={module}.scram.ScramLoginModule required;
"
        );
    }
    text
}
