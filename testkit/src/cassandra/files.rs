//! The folder of a Cassandra: configuration, key, log, data.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{Clock, Folder};

/// Lines of the log that a failed start shows.
const TAIL: usize = 40;
/// Nothing is protected by it.
const KEYSTORE_PASSWORD: &str = "cassandra";

pub struct Files {
    folder: Folder,
    data: PathBuf,
}

impl Files {
    /// `data`: where its data go, if not into the folder.
    pub fn prepare(port: u16, storage_port: u16, guarded: bool, data: Option<&Path>) -> Self {
        let folder = Folder::new();
        let data = data.map_or_else(|| folder.file("data"), Path::to_owned);
        let files = Self { folder, data };
        let mut yaml = cassandra_yaml(&files.name(), port, storage_port);
        if guarded {
            files.make_key();
            yaml += &guarded_yaml(&files.keystore());
        }
        fs::write(files.config(), yaml).expect("the folder is ours");
        fs::write(files.logback(), LOGBACK).expect("the folder is ours");
        files
    }

    /// More lines of its configuration.
    pub fn configure(&self, yaml: &str) {
        let before = fs::read_to_string(self.config()).expect("it was just written");
        fs::write(self.config(), before + yaml).expect("the folder is ours");
    }

    pub fn clock(&self, ahead: i64) -> Clock {
        Clock::ahead(&self.folder, "clock", ahead)
    }

    /// The cluster's; no other has it.
    pub fn name(&self) -> String {
        self.folder.path().file_name().expect("it has one").to_string_lossy().into_owned()
    }

    pub fn config(&self) -> PathBuf {
        self.folder.file("cassandra.yaml")
    }

    pub fn logback(&self) -> PathBuf {
        self.folder.file("logback.xml")
    }

    pub fn certificate(&self) -> PathBuf {
        self.folder.file("certificate.pem")
    }

    fn keystore(&self) -> PathBuf {
        self.folder.file("keystore")
    }

    /// keytool comes with every Java.
    fn make_key(&self) {
        let keytool = |args: &[&str], more: &[&Path]| {
            let store =
                ["-alias", "natter", "-storetype", "PKCS12", "-storepass", KEYSTORE_PASSWORD, "-keystore"];
            let mut command = Command::new("keytool");
            let made = command.args(args).args(store).arg(self.keystore()).args(more).output();
            let made = made.expect("keytool is beside java");
            assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stdout));
        };
        let names = "-dname CN=natter-test -ext san=ip:127.0.0.1 -keyalg EC -validity 2";
        keytool(&["-genkeypair"].into_iter().chain(names.split(' ')).collect::<Vec<_>>(), &[]);
        keytool(&["-exportcert", "-rfc"], &["-file".as_ref(), &self.certificate()]);
    }

    /// Of everything, but for data that are elsewhere.
    pub fn home(&self) -> &Path {
        self.folder.path()
    }

    pub fn data(&self) -> &Path {
        &self.data
    }

    pub fn crash(&self) -> PathBuf {
        self.folder.file("crash")
    }

    pub fn log(&self) -> PathBuf {
        self.folder.file("log")
    }

    pub fn port_was_taken(&self) -> bool {
        let text = self.text();
        ["already in use", "Failed to bind"].iter().any(|words| text.contains(words))
    }

    pub fn failure(&self) -> String {
        let text = self.text();
        let lines: Vec<&str> = text.lines().collect();
        let tail = lines[lines.len().saturating_sub(TAIL)..].join("\n");
        format!(
            "Cassandra did not start (scripts/fetch-cassandra); the end of {}:\n{tail}",
            self.log().display()
        )
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.log()).unwrap_or_default()).into_owned()
    }
}

/// With a commit log that is synced before each ack: what was acked survives a kill -9. The policies are those of the
/// configuration that Cassandra is shipped with.
fn cassandra_yaml(name: &str, port: u16, storage_port: u16) -> String {
    format!(
        "cluster_name: {name}
num_tokens: 1
partitioner: org.apache.cassandra.dht.Murmur3Partitioner
endpoint_snitch: SimpleSnitch
seed_provider:
  - class_name: org.apache.cassandra.locator.SimpleSeedProvider
    parameters:
      - seeds: \"127.0.0.1:{storage_port}\"
listen_address: 127.0.0.1
storage_port: {storage_port}
rpc_address: 127.0.0.1
native_transport_port: {port}
commitlog_sync: batch
commitlog_segment_size: 16MiB
disk_failure_policy: stop
commit_failure_policy: stop
auto_snapshot: false
"
    )
}

fn guarded_yaml(keystore: &Path) -> String {
    format!(
        "authenticator: PasswordAuthenticator
client_encryption_options:
  enabled: true
  optional: false
  keystore: {}
  keystore_password: {KEYSTORE_PASSWORD}
",
        keystore.display()
    )
}

const LOGBACK: &str = r#"<configuration>
  <appender name="LOG" class="ch.qos.logback.core.ConsoleAppender">
    <encoder><pattern>%date{HH:mm:ss.SSS} %level %logger{0}: %msg%n</pattern></encoder>
  </appender>
  <logger name="org.apache.cassandra.config.Config" level="WARN"/>
  <root level="INFO"><appender-ref ref="LOG"/></root>
</configuration>
"#;
