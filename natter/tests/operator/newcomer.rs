//! The section of docs/operations.md that leads from nothing to a release: its blocks, run in their order by one shell, with
//! real servers. Only ports are other ones, and statements for `cqlsh` are made by this test.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Stdio,
};

use natter_testkit::{Cassandra, Folder, free_server_ports};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
    time::{Duration, timeout},
};

use crate::NATTER;

const SECTION: &str = "## From nothing to a release";
/// Of one block, on two busy cores: some seconds when they are idle.
const PATIENCE: Duration = Duration::from_mins(3);
/// Ports that the page names; that of the store is the last one.
const PORTS: [&str; 14] = [
    "4222", "8222", "6379", "9092", "9093", "9471", "9472", "9473", "9474", "3001", "3002", "9090", "9096",
    "9042",
];
/// Scripts of Kafka, and their classes.
const KAFKA: [(&str, &str); 2] =
    [("kafka-storage.sh", "kafka.tools.StorageTool"), ("kafka-server-start.sh", "kafka.Kafka")];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The section's blocks: their languages and texts.
fn blocks() -> Vec<(String, String)> {
    let page = fs::read_to_string(root().join("docs/operations.md")).unwrap();
    let section = page.split(&format!("\n{SECTION}\n")).nth(1).unwrap().split("\n## ").next().unwrap();
    let fenced = section.split("```").skip(1).step_by(2);
    fenced.map(|block| block.split_once('\n').unwrap()).map(|(of, text)| (of.into(), text.into())).collect()
}

/// The block with these ports: each named one is replaced once, whatever is in the others.
fn with_ports(text: &str, ports: &[String]) -> String {
    let mark = |number: usize| format!("\u{1}{}\u{2}", char::from(b'a' + u8::try_from(number).unwrap()));
    let marked =
        PORTS.iter().enumerate().fold(text.to_owned(), |text, (n, named)| text.replace(named, &mark(n)));
    let last = |number: usize| ports.get(number).map_or(PORTS[number], String::as_str);
    (0..PORTS.len()).fold(marked, |text, n| text.replace(&mark(n), last(n)))
}

/// A shell in namespaces of its own: whatever it has started ends with it.
struct Shell {
    _process: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
    folder: Folder,
}

impl Shell {
    async fn start() -> Self {
        let folder = Folder::new();
        let programs = folder.file("programs");
        fs::create_dir(&programs).unwrap();
        std::os::unix::fs::symlink(NATTER, programs.join("natter")).unwrap();
        let path = format!(
            "{}:{}:{}",
            programs.display(),
            root().join(".deps/bin").display(),
            std::env::var("PATH").unwrap()
        );
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-current-user", "--pid", "--fork", "--kill-child", "bash"]);
        command.current_dir(folder.path()).env("PATH", path).env("SOURCE", root());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        command.stderr(fs::File::create(folder.file("errors")).unwrap());
        let mut process = command.spawn().unwrap();
        let output = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut shell = Self { input: process.stdin.take().unwrap(), _process: process, output, folder };
        for (name, class) in KAFKA {
            let jars = root().join(".deps/kafka");
            shell.provide(
                name,
                &format!("java -Xmx384m -XX:TieredStopAtLevel=1 -cp '{}/*' {class}", jars.display()),
            );
        }
        shell.run("set -euo pipefail").await;
        shell
    }

    /// A program of this name, which is a command with more arguments.
    fn provide(&self, name: &str, command: &str) {
        let program = self.folder.file("programs").join(name);
        fs::write(&program, format!("#!/bin/sh\nexec {command} \"$@\"\n")).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o700)).unwrap();
    }

    /// What a block prints; it succeeds to its last command.
    async fn run(&mut self, block: &str) -> String {
        const DONE: &str = "-- the block is done --";
        let mut printed = String::new();
        let script = self.folder.file("block");
        fs::write(&script, block).unwrap();
        let running = async {
            let line = format!(". '{}' < /dev/null\necho '{DONE}'\n", script.display());
            self.input.write_all(line.as_bytes()).await.ok()?;
            loop {
                match self.output.next_line().await.unwrap()? {
                    line if line == DONE => return Some(()),
                    line => printed = printed.clone() + &line + "\n",
                }
            }
        };
        let done = timeout(PATIENCE, running).await;
        if !matches!(done, Ok(Some(()))) {
            let errors = fs::read_to_string(self.folder.file("errors")).unwrap();
            panic!("{block}\nfailed after:\n{printed}\n{errors}\n{}", self.logs());
        }
        printed
    }

    /// The last lines of each log of the release.
    fn logs(&self) -> String {
        let files = fs::read_dir(self.folder.file("release")).into_iter().flatten().flatten();
        let logs =
            files.map(|file| file.path()).filter(|path| path.extension().is_some_and(|of| of == "log"));
        let ends = logs.map(|path| {
            let text = fs::read_to_string(&path).unwrap_or_default();
            let lines: Vec<&str> = text.lines().rev().take(5).collect();
            format!("{}:\n{}\n", path.display(), lines.into_iter().rev().collect::<Vec<_>>().join("\n"))
        });
        ends.collect()
    }

    /// Statements, and files of them that cqlsh is to read.
    async fn as_cqlsh(&self, (node, password): (&Cassandra, &str), statements: &str) {
        for statement in statements.split(';').map(str::trim).filter(|one| !one.is_empty()) {
            match statement.strip_prefix("SOURCE '") {
                Some(file) => {
                    let file = fs::read_to_string(self.file(file.trim_end_matches('\''))).unwrap();
                    Box::pin(self.as_cqlsh((node, password), &file)).await;
                }
                None => node.cql_by(password, statement).await,
            }
        }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.file("release").join(name)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newcomer_comes_from_nothing_to_a_release_by_the_page() {
    let mut shell = Shell::start().await;
    let mut ports: Vec<String> = free_server_ports::<13>().iter().map(u16::to_string).collect();
    let mut cassandra = None;
    let mut histories = 0;
    // As it is before the page has another one set.
    let mut administrator = "cassandra".to_owned();
    for (language, text) in blocks() {
        if shell.file("cassandra.yaml").exists() && cassandra.is_none() {
            let yaml = fs::read_to_string(shell.file("cassandra.yaml")).unwrap();
            let node = Cassandra::start_configured(&yaml, &shell.file("tls/ca.pem")).await;
            ports.push(node.address().rsplit(':').next().unwrap().to_owned());
            let nodetool = node.nodetool_command(&[]);
            let words = std::iter::once(nodetool.get_program()).chain(nodetool.get_args());
            let words: Vec<String> = words.map(|word| format!("'{}'", word.to_string_lossy())).collect();
            shell.provide("nodetool", &words.join(" "));
            shell.run(&format!("export CASSANDRA_DATA='{}'", node.tables().display())).await;
            cassandra = Some(node);
        }
        let text = with_ports(&text, &ports);
        match language.as_str() {
            "bash" => histories += usize::from(shell.run(&text).await.contains("hello, Bob")),
            "cql" => {
                let statements = shell.run(&format!("cat <<END\n{text}END")).await;
                let node = cassandra.as_ref().expect("its configuration is before it");
                shell.as_cqlsh((node, &administrator), &statements).await;
                administrator = shell.run("echo $STORE_ADMIN_PASSWORD").await.trim().to_owned();
            }
            other => panic!("a block of {other}, which no one runs"),
        }
    }
    assert_eq!(
        histories, 4,
        "the message is there at first, after the restore, with new keys, without the old ones"
    );
}
