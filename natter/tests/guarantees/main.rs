//! The guarantees while things break, judged by the oracle: the short runs. `make faults` has the long ones.
#![allow(clippy::unwrap_used)]

use natter_faults::{
    oracle::{Verdict, Violation},
    run::{self, Programs, Report, scenario::Scenario},
};
use tokio::sync::Mutex;

/// The program under test.
const NATTER: &str = env!("CARGO_BIN_EXE_natter");

/// Messages a second: unoptimized programs do no more beside other tests.
const LOAD: u32 = 60;

/// One deployment at a time: seven processes under load need both cores.
static ONE: Mutex<()> = Mutex::const_new(());

async fn run(name: &str, steps: &str) -> (Report, Verdict) {
    let _one = ONE.lock().await;
    let scenario = Scenario::read(name, &format!("# {name}.\nwith load {LOAD}\n{steps}")).unwrap();
    let programs = Programs { current: NATTER.into(), previous: None };
    let outcome = run::run(&scenario, &programs, None).await;
    (outcome.report, outcome.verdict)
}

#[track_caller]
fn holds(verdict: &Verdict) {
    assert_eq!(verdict.violations, []);
    assert!(verdict.acked > 0 && verdict.acked == verdict.messages, "{verdict:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edge_and_a_worker_that_are_killed_break_no_guarantee() {
    let steps = "load 1s\nkill edge-0\nkill worker-0\nload 1s\nstart worker-0\nstart edge-0\nload 2s";
    let (report, verdict) = run("edge and worker killed", steps).await;
    holds(&verdict);
    assert!(report.recovered_ms.is_some(), "{report:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_of_the_log_and_of_edges_that_are_lost_double_nothing() {
    let steps = "load 1s\nlose answer edge-0 nats \"seq\":\nlose answer edge-1 nats \"seq\":\n\
                 lose answer clients edge-0 \"ack\"\nlose answer clients edge-1 \"ack\"\nload 1s";
    let (_, verdict) = run("answers lost", steps).await;
    holds(&verdict);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edge_that_drops_an_event_is_found_by_the_oracle() {
    let (_, verdict) = run("event dropped", "load 1s\nmutate clients edge-0 drop\nload 2s").await;
    assert!(verdict.count(|v| matches!(v, Violation::Gap { .. })) > 0, "{verdict:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edge_that_doubles_or_exchanges_events_is_found_by_the_oracle() {
    let steps = "load 1s\nmutate clients edge-0 double\nmutate clients edge-1 swap\nload 2s";
    let (_, verdict) = run("events doubled and exchanged", steps).await;
    let disordered = |v: &Violation| matches!(v, Violation::OutOfOrder { .. });
    assert!(verdict.count(disordered) >= 2, "{verdict:?}");
    assert!(verdict.count(|v| matches!(v, Violation::Gap { .. })) > 0, "{verdict:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_power_cut_loses_nothing_that_was_acked() {
    let steps =
        "load 1s\ncut power everything torn\nstart everything\nload 1s\ncut power nats\nstart nats\nload 2s";
    let (report, verdict) = run("power cut", steps).await;
    holds(&verdict);
    assert!(report.recovered_ms.is_some(), "{report:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_of_three_that_is_killed_breaks_no_guarantee() {
    let steps = "with three nats-servers\nload 2s\nkill nats-leader\nload 6s\nstart nats-leader\nload 2s";
    let (_, verdict) = run("leader killed", steps).await;
    holds(&verdict);
}

#[tokio::test(flavor = "multi_thread")]
async fn access_that_ends_under_load_ends_for_good() {
    let steps = "with changes of access\nload 5s\nkill edge-0\nload 3s\nstart edge-0\nload 1s";
    let (_, verdict) = run("access ends", steps).await;
    assert_eq!(verdict.violations, []);
    // Who is blocked sends on, and is refused.
    assert!(verdict.acked > 0 && verdict.acked < verdict.messages, "{verdict:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn clocks_that_step_by_minutes_break_no_guarantee() {
    let steps = "clock edge-0 +300s\nclock worker-0 -300s\nkill edge-0\nstart edge-0\nload 1s\nexpect edge-0 health clock down\n\
                 clock edge-0 -300s\nclock workers +300s\nload 3s";
    let (report, verdict) = run("clocks step", steps).await;
    holds(&verdict);
    assert_eq!(report.unmet, Vec::<String>::new());
}
