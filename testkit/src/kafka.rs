//! A real Kafka: a broker and controller in one JVM process, with a folder and ports of its own.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, Weak},
    time::Duration,
};

use natter_runtime::config::{Kafka as Settings, KafkaSecurity, Sasl};
use natter_schemas::cloudevent::Content;
use natter_tls::KeyPair;
use parking_lot::Mutex as PlainMutex;
use rdkafka::{
    ClientConfig,
    consumer::{BaseConsumer, Consumer},
};
use secrecy::SecretString;
use tokio::{sync::Mutex, task::spawn_blocking, time::Instant};

use crate::{Authority, Folder, Process, START_ATTEMPTS};

/// A JVM starts within seconds, and on a machine full of other tests within a minute.
const PATIENCE: Duration = Duration::from_mins(2);
const PROPERTIES: &str = "server.properties";
const USER: &str = "natter";
const PASSWORD: &str = "correct-horse";

pub struct Kafka {
    process: PlainMutex<Option<Process>>,
    port: u16,
    guard: Guard,
    // Dropped after the process, which writes into it.
    folder: Folder,
}

/// Whom it lets in.
enum Guard {
    Open,
    /// Who knows a password.
    Password,
    /// Who speaks TLS and shows a certificate of the CA.
    Certificate(Box<Authority>),
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
        Self::with(Guard::Open).await
    }

    /// Lets in only whoever knows a password, by PLAIN or SCRAM.
    pub async fn with_sasl() -> Self {
        Self::with(Guard::Password).await
    }

    /// Speaks TLS only, and lets in only who shows a certificate of the same CA.
    pub async fn with_tls() -> Self {
        Self::with(Guard::Certificate(Box::new(Authority::new()))).await
    }

    async fn with(mut guard: Guard) -> Self {
        let mut last = String::new();
        for _ in 0..START_ATTEMPTS {
            let folder = Folder::new();
            // Another process may take a port in between: then the process ends, and others are tried.
            let (port, controller) = (crate::free_port(), crate::free_port());
            let properties = folder.file(PROPERTIES);
            fs::write(&properties, configuration(&folder, port, controller, &guard))
                .expect("the folder is ours");
            format(&properties, matches!(guard, Guard::Password)).await;
            let process = PlainMutex::new(Some(broker(&folder)));
            let kafka = Self { process, port, guard, folder };
            if kafka.is_up().await {
                return kafka;
            }
            last = kafka.log();
            guard = kafka.guard;
        }
        panic!("kafka did not start in {START_ATTEMPTS} attempts:\n{last}")
    }

    /// All of its files: logs of topics, metadata, configuration, log.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn brokers(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// As `natter worker` takes them.
    pub fn settings(&self) -> Settings {
        let security = match &self.guard {
            Guard::Open => KafkaSecurity::default(),
            Guard::Password => {
                let (username, password) = (USER.to_owned(), SecretString::from(PASSWORD));
                let sasl = Sasl { mechanism: "SCRAM-SHA-512", username, password };
                KafkaSecurity { sasl: Some(sasl), ..KafkaSecurity::default() }
            }
            Guard::Certificate(authority) => {
                let KeyPair { certificate, key } = authority.issue("client");
                KafkaSecurity {
                    tls: true,
                    ca: Some(authority.ca()),
                    certificate: Some((certificate, key)),
                    sasl: None,
                }
            }
        };
        Settings { brokers: self.brokers(), content: Content::Sealed, security, replication: None }
    }

    /// A client of a test's own, of the library that the workers use.
    pub fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        for setting in self.kcat() {
            let (name, value) = setting.split_once('=').expect("name=value");
            config.set(name, value);
        }
        config.set("allow.auto.create.topics", "false");
        config
    }

    /// Settings with which kcat is let in, each after `-X`. PLAIN: Debian's kcat fails at SCRAM here.
    pub fn kcat(&self) -> Vec<String> {
        let mut settings = vec![format!("bootstrap.servers={}", self.brokers())];
        if let Guard::Certificate(authority) = &self.guard {
            let KeyPair { certificate, key } = authority.issue("kcat");
            settings.push("security.protocol=ssl".to_owned());
            settings.push(format!("ssl.ca.location={}", authority.ca().display()));
            settings.push(format!("ssl.certificate.location={}", certificate.display()));
            settings.push(format!("ssl.key.location={}", key.display()));
        }
        if matches!(self.guard, Guard::Password) {
            settings.extend(["security.protocol=sasl_plaintext", "sasl.mechanism=PLAIN"].map(str::to_owned));
            settings.push(format!("sasl.username={USER}"));
            settings.push(format!("sasl.password={PASSWORD}"));
        }
        settings
    }

    /// Holds it still: connections stay open and nothing answers.
    pub fn pause(&self) {
        self.process.lock().as_ref().expect("it runs").pause();
    }

    pub fn resume(&self) {
        self.process.lock().as_ref().expect("it runs").resume();
    }

    /// kill -9.
    pub fn kill(&self) {
        drop(self.process.lock().take());
    }

    /// Another process on the same data and ports; returns when it answers.
    pub async fn restart(&self) {
        self.kill();
        *self.process.lock() = Some(broker(&self.folder));
        assert!(self.is_up().await, "kafka did not come back: {}", self.log());
    }

    fn log(&self) -> String {
        self.process.lock().as_ref().map(Process::log).unwrap_or_default()
    }

    /// False when the process has ended instead.
    async fn is_up(&self) -> bool {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let mut config = self.client();
            let answers = spawn_blocking(move || {
                let consumer: BaseConsumer =
                    config.set("log_level", "0").create().expect("the settings are valid");
                consumer.fetch_metadata(None, Duration::from_secs(2)).is_ok_and(|m| !m.brokers().is_empty())
            });
            if answers.await.expect("it does not panic") {
                return true;
            }
            if self.process.lock().as_ref().is_none_or(Process::has_ended) {
                return false;
            }
            assert!(Instant::now() < deadline, "kafka does not start: {}", self.log());
        }
    }
}

fn broker(folder: &Folder) -> Process {
    let mut command = java("kafka.Kafka");
    command.arg(folder.file(PROPERTIES));
    Process::start(command, &folder.file("log"))
}

fn java(class: &str) -> Command {
    let jars = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../.deps/kafka"));
    assert!(jars.is_dir(), "no Kafka in .deps/kafka: run scripts/fetch-kafka");
    let classpath = format!("{}/*", jars.display());
    let mut command = Command::new("java");
    command.args(["-Xmx384m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", &classpath, class]);
    command
}

async fn format(properties: &Path, sasl: bool) {
    let mut command = java("kafka.tools.StorageTool");
    command.args(["format", "-t", "bmF0dGVyLXRlc3Qta2Fma2", "-c"]).arg(properties);
    if sasl {
        let user = format!("SCRAM-SHA-512=[name={USER},password={PASSWORD}]");
        command.args(["--add-scram", &user]);
    }
    let output = tokio::process::Command::from(command).output().await.expect("java is in PATH");
    let log = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "kafka's storage is not formatted: {}", String::from_utf8_lossy(&log));
}

fn configuration(folder: &Folder, port: u16, controller: u16, guard: &Guard) -> String {
    let protocol = match guard {
        Guard::Open => "PLAINTEXT",
        Guard::Password => "SASL_PLAINTEXT",
        Guard::Certificate(_) => "SSL",
    };
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
        folder.file("data").display()
    );
    if let Guard::Certificate(authority) = guard {
        let _ = write!(text, "{}", tls(folder, authority));
    }
    if matches!(guard, Guard::Password) {
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

/// Kafka reads key and certificate from one file.
fn tls(folder: &Folder, authority: &Authority) -> String {
    let KeyPair { certificate, key } = authority.issue("broker");
    let store = folder.file("broker.pem");
    let read = |path: &Path| fs::read_to_string(path).expect("it was just written");
    fs::write(&store, read(&key) + &read(&certificate)).expect("the folder is ours");
    format!(
        "ssl.keystore.type=PEM
ssl.keystore.location={}
ssl.truststore.type=PEM
ssl.truststore.location={}
ssl.client.auth=required
",
        store.display(),
        authority.ca().display()
    )
}
