//! Cassandra's command line.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use super::files::Files;

/// A node with these files, for whose operator it listens on that port.
pub fn node(files: &Files, operator: Option<u16>) -> Command {
    let mut command = java(files);
    // What is bound to this host alone.
    command.args(operator.map(|port| format!("-Dcassandra.jmx.local.port={port}")));
    command.arg("org.apache.cassandra.service.CassandraDaemon");
    command
}

/// `nodetool`, for a node that listens on that port.
pub fn nodetool(files: &Files, operator: u16, arguments: &[&str]) -> Command {
    let mut command = java(files);
    // It keeps a history there.
    command.arg(format!("-Duser.home={}", files.home().display()));
    command.args(["org.apache.cassandra.tools.NodeTool", "-h", "127.0.0.1", "-p", &operator.to_string()]);
    command.args(arguments);
    command
}

fn java(files: &Files) -> Command {
    let exports = EXPORTS.iter().flat_map(|package| ["--add-exports".to_owned(), all_unnamed(package)]);
    let opens = OPENS.iter().flat_map(|package| ["--add-opens".to_owned(), all_unnamed(package)]);
    let folder = [
        format!("-Dcassandra.config=file://{}", files.config().display()),
        format!("-Dlogback.configurationFile={}", files.logback().display()),
        format!("-Dcassandra.storagedir={}", files.data().display()),
        // On a full disk it may end by a bus error: its commit log is mapped into memory.
        format!("-XX:ErrorFile={}", files.crash().display()),
    ];
    let classes = ["-cp".to_owned(), jars().join("*").display().to_string()];
    let fixed = JVM.into_iter().chain(CASSANDRA).map(str::to_owned);
    let mut command = Command::new("java");
    command.args(exports.chain(opens).chain(fixed).chain(folder).chain(classes));
    command
}

fn all_unnamed(package: &str) -> String {
    format!("{package}=ALL-UNNAMED")
}

fn jars() -> PathBuf {
    let jars = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.deps/cassandra");
    assert!(
        jars.join("coordinates").is_file(),
        "no Cassandra in .deps/cassandra: run scripts/fetch-cassandra"
    );
    jars
}

/// A start takes half the time when code is compiled quickly rather than well.
const JVM: [&str; 8] = [
    "-Xms256m",
    "-Xmx512m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:+ExitOnOutOfMemoryError",
    "-XX:-CreateCoredumpOnCrash",
    "-Djdk.attach.allowAttachSelf=true",
    "-Djava.security.manager=allow",
];

/// One node that waits for no other.
const CASSANDRA: [&str; 5] = [
    "-Dcassandra.skip_wait_for_gossip_to_settle=0",
    "-Dcassandra.ring_delay_ms=100",
    "-Dcassandra.initial_token=0",
    "-Dcassandra.superuser_setup_delay_ms=0",
    "-Dcassandra-foreground=yes",
];

/// What Cassandra's own jvm17-server.options allow it.
const EXPORTS: [&str; 9] = [
    "java.base/jdk.internal.misc",
    "java.base/jdk.internal.ref",
    "java.base/sun.nio.ch",
    "java.management.rmi/com.sun.jmx.remote.internal.rmi",
    "java.rmi/sun.rmi.registry",
    "java.rmi/sun.rmi.server",
    "java.rmi/sun.rmi.transport.tcp",
    "java.sql/java.sql",
    "jdk.unsupported/sun.misc",
];
const OPENS: [&str; 19] = [
    "java.base/java.io",
    "java.base/java.lang",
    "java.base/java.lang.module",
    "java.base/java.lang.reflect",
    "java.base/java.math",
    "java.base/java.net",
    "java.base/java.nio",
    "java.base/java.util",
    "java.base/java.util.concurrent",
    "java.base/java.util.concurrent.atomic",
    "java.base/jdk.internal.loader",
    "java.base/jdk.internal.math",
    "java.base/jdk.internal.module",
    "java.base/jdk.internal.ref",
    "java.base/jdk.internal.reflect",
    "java.base/jdk.internal.util.jar",
    "java.base/sun.nio.ch",
    "java.rmi/sun.rmi.transport.tcp",
    "jdk.management/com.sun.management.internal",
];
