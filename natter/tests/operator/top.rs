//! All nodes on one screen: what is shown of a whole deployment, and of one in which nodes die.

use std::{
    fs::File,
    io::{Read, Write},
    num::NonZero,
    os::fd::OwnedFd,
    process::{Child, Command, Stdio},
    sync::Arc,
    thread,
};

use natter_testkit::{Cluster, DevServer, text, until};
use nix::pty::{Winsize, openpty};
use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::{NATTER, deployment::CommandOutput};

fn top(cluster: &Cluster, arguments: &[&str]) -> CommandOutput {
    CommandOutput::of(&cluster.run(&[&["top"], arguments].concat(), &[]))
}

fn once(cluster: &Cluster, arguments: &[&str]) -> Value {
    let output = top(cluster, &[&["--once", "--json"], arguments].concat()).ok();
    serde_json::from_str(&output).unwrap()
}

/// The sum of all samples of a name that have this label, as an admin port has them.
fn sample(metrics: &str, name: &str, label: &str) -> f64 {
    let named = |line: &&str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']));
    let values = metrics.lines().filter(named).filter(|line| line.contains(label));
    values.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn figures_of_all_nodes_are_those_of_their_admin_ports() {
    let cluster = Cluster::start(NATTER).await;
    let (alice, bob) = (cluster.user(0, "alice").await, cluster.user(1, "bob").await);
    let room = alice.group(&[&bob]).await;
    let (mut phone, laptop) = (alice.device("phone").await, bob.device("laptop").await);
    for n in 0..7 {
        let seq = phone.post(&room, &n.to_string()).await;
        laptop.wait_for_seq(&room, seq).await;
    }
    let mut ports = Vec::new();
    for number in 0..2 {
        ports.push(cluster.worker_admin(number).await);
        ports.push(cluster.edge_admin(number).await);
    }
    // What is persisted is counted behind the ack.
    let (mut shown, mut metrics) = (Value::Null, Vec::new());
    until("every message is persisted, and nothing more is counted", async || {
        let before = scraped(&ports).await;
        shown = once(&cluster, &[]);
        metrics = scraped(&ports).await;
        let total = |all: &[String], name| all.iter().map(|one| sample(one, name, "")).sum::<f64>();
        let quiet = ["natter_consumed_total", "natter_deliveries_total", "natter_publish_ack_seconds_count"]
            .iter()
            .all(|name| total(&before, name) >= total(&metrics, name));
        quiet && total(&metrics, "natter_consumed_total") >= 7.0
    })
    .await;

    let total = |name: &str, label: &str| metrics.iter().map(|one| sample(one, name, label)).sum::<f64>();
    let totals = &shown["all"]["totals"];
    assert_eq!(totals["accepted"], total("natter_commands_accepted_total", ""));
    assert_eq!(totals["accepted"], 7.0);
    assert_eq!(totals["acked"], total("natter_publish_ack_seconds_count", ""));
    assert_eq!(totals["delivered"], total("natter_deliveries_total", ""));
    assert_eq!(totals["persisted"], total("natter_consumed_total", "verdict=\"done\""));
    assert_eq!((&shown["all"]["sockets"], &totals["mirrored"]), (&json!(2.0), &json!(0.0)));
    let nodes = shown["nodes"].as_array().unwrap();
    let roles: Vec<_> = nodes.iter().map(|node| text(&node["role"])).collect();
    assert_eq!(roles, ["edge", "edge", "worker", "worker"]);
    // A worker has no sockets, which is not the same as none that are open.
    let sockets: Vec<_> = nodes.iter().map(|node| &node["sockets"]).collect();
    assert_eq!(sockets, [&json!(1.0), &json!(1.0), &Value::Null, &Value::Null]);
    assert!(nodes.iter().all(|node| node["status"] == "ok" && node["perSecond"].is_object()), "{shown:#}");
    for (part, of) in [("nats", 4), ("redis", 4), ("log", 4), ("store", 2), ("services", 2), ("control", 2)] {
        assert_eq!(shown["parts"][part], json!({"up": of, "of": of}), "{part}");
    }
    assert_eq!(shown["behind"]["persist"]["events"], 0.0);

    // The same by HTTP, of the nodes that are named.
    let named: Vec<&str> = ports.iter().flat_map(|port| ["--addr", port]).collect();
    assert_eq!(once(&cluster, &named)["all"]["totals"], *totals);
    let lines = top(&cluster, &["--once"]).ok();
    for part in ["edge 2  worker 2", "open 2", "store up", "persist 0", "NODE", "MEMORY"] {
        assert!(lines.contains(part), "{lines}");
    }
}

async fn scraped(ports: &[String]) -> Vec<String> {
    let mut all = Vec::new();
    for port in ports {
        all.push(reqwest::get(format!("{port}/metrics")).await.unwrap().text().await.unwrap());
    }
    all
}

/// A terminal of its own, in which `natter top` runs, and what it shows.
struct Screen {
    cells: Arc<Mutex<vt100::Parser>>,
    keyboard: File,
    child: Child,
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn cells(number: u16) -> NonZero<u16> {
    NonZero::new(number).unwrap()
}

impl Screen {
    fn start(cluster: &Cluster, (columns, rows): (u16, u16)) -> Self {
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        let pty = openpty(Some(&size), None).unwrap();
        let file = |fd: &OwnedFd| Stdio::from(fd.try_clone().unwrap());
        // A terminal that the test itself was started in is another one.
        let mut command = Command::new("setsid");
        command.args(["--ctty", "--wait", NATTER, "top"]).env_clear().env("TERM", "xterm-256color");
        command.env("PATH", std::env::var_os("PATH").unwrap()).envs(cluster.settings());
        command.stdin(file(&pty.slave)).stdout(file(&pty.slave)).stderr(file(&pty.slave));
        let child = command.spawn().unwrap();
        let screen = Arc::new(Mutex::new(vt100::Parser::new(cells(rows), cells(columns), 0)));
        let (shown, mut output) = (Arc::clone(&screen), File::from(pty.master.try_clone().unwrap()));
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(n @ 1..) = output.read(&mut bytes) {
                shown.lock().process(&bytes[..n]);
            }
        });
        Self { cells: screen, keyboard: File::from(pty.master), child }
    }

    fn contents(&self) -> String {
        self.cells.lock().screen().contents()
    }

    async fn shows(&self, what: &str, is: impl Fn(&str) -> bool) {
        until(what, async || is(&self.contents())).await;
    }

    fn press(&mut self, key: &str) {
        self.keyboard.write_all(key.as_bytes()).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_dies_is_shown_as_silent_and_then_gone() {
    let mut cluster = Cluster::start(NATTER).await;
    let (mut wide, small) = (Screen::start(&cluster, (180, 30)), Screen::start(&cluster, (40, 8)));
    let nodes = |contents: &str, role: &str| {
        let (role, host) = (format!("{role} "), ":");
        contents.lines().filter(|line| line.starts_with(&role) && line.contains(host)).count()
    };
    let all = |contents: &str| nodes(contents, "edge") == 2 && nodes(contents, "worker") == 2;
    wide.shows("all nodes are there", all).await;
    wide.shows("nothing is down", |contents| contents.contains("store up") && contents.contains("redis up"))
        .await;
    small.shows("a small window has a node", |contents| nodes(contents, "edge") == 1).await;
    wide.press("s");
    wide.shows("nodes are sorted by sockets", |contents| contents.contains("by sockets")).await;

    cluster.kill_edge(1);
    wide.shows("it is silent", |contents| contents.contains("no answer 1") && all(contents)).await;
    cluster.kill_redis();
    wide.shows("Redis is down", |contents| contents.contains("redis DOWN on 3 of 3")).await;
    wide.shows("it is gone", |contents| nodes(contents, "edge") == 1).await;
    assert!(!wide.contents().contains("no answer"), "{}", wide.contents());

    wide.press("q");
    until("it ends", async || wide.child.try_wait().unwrap().is_some()).await;
    assert!(wide.child.wait().unwrap().success());
    assert!(!wide.cells.lock().screen().alternate_screen(), "the terminal is as it was");
}

#[tokio::test]
async fn without_anyone_to_ask_the_reason_is_said() {
    let cluster = Cluster::bare(NATTER).await;
    let alone = top(&cluster, &["--once"]).error();
    assert!(alone.contains("no node answered"), "{alone}");
    let nowhere = cluster.run(&["top", "--once"], &[("NATS_URL", "nats://127.0.0.1:1")]);
    let nowhere = CommandOutput::of(&nowhere).error();
    assert!(nowhere.contains("NATS at 127.0.0.1:1 cannot be reached"), "{nowhere}");
    let port = top(&cluster, &["--once", "--addr", "http://127.0.0.1:1"]).error();
    assert!(port.contains("no admin port answered"), "{port}");
    let pipe = top(&cluster, &[]).error();
    assert!(pipe.contains("use --once or --json"), "{pipe}");
    assert_eq!(top(&cluster, &["--every", "0s"]).code, Some(2));
}

#[tokio::test]
async fn one_process_is_asked_at_its_admin_port() {
    let natter = DevServer::start(NATTER, &[]).await;
    let banner = natter.banner();
    let metrics = banner.lines().find(|line| line.contains("metrics")).unwrap();
    let port = metrics.split_whitespace().nth(1).unwrap().trim_end_matches("/metrics");
    let mut command = Command::new(NATTER);
    command.args(["top", "--once", "--json", "--addr", port]).env_clear();
    let shown = CommandOutput::of(&command.output().unwrap()).json();
    let node = &shown["nodes"][0];
    assert_eq!((&node["role"], &node["status"]), (&json!("dev"), &json!("ok")), "{shown:#}");
    assert_eq!(shown["parts"]["store"], json!({"up": 1, "of": 1}));
}
