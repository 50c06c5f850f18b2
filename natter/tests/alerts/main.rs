//! A real Prometheus with the chart's rules watches a deployment in which one thing after another breaks. Each fault fires
//! its alert, nothing but what that alert says to bring, and all of it ends when the fault does.
#![allow(clippy::unwrap_used)]

mod deployment; // two edges, two workers, and everything that they need
mod faults; // what breaks, and how it is mended
mod rules; // a minute is two seconds
mod traffic; // people who write and read meanwhile

use std::{collections::BTreeSet, time::Duration};

use deployment::Deployment;
use faults::Fault;
use natter_testkit::{Prometheus, until_within};
use tokio::time::Instant;
use traffic::Traffic;

/// The program under test.
const NATTER: &str = env!("CARGO_BIN_EXE_natter");

const FIRES_WITHIN: Duration = Duration::from_secs(90);
/// The longest of the short windows, half an hour, is a minute here.
const ENDS_WITHIN: Duration = Duration::from_mins(3);

/// With `FAULTS=all` all of them, in some minutes; whatever `FAULTS` names, with objectives, which need an idle machine.
#[tokio::test(flavor = "multi_thread")]
async fn each_fault_fires_its_alert_until_it_is_mended() {
    let whole = std::env::var_os("FAULTS").is_some();
    let files: &[&str] = if whole { &["causes.yaml", "objectives.yaml"] } else { &["causes.yaml"] };
    let rules: Vec<String> = files.iter().map(|name| rules::read(name)).collect();
    let mut deployment = Deployment::start(whole).await;
    let faster: Vec<String> = rules.iter().map(|rules| rules::faster(rules)).collect();
    let prometheus = Prometheus::start(&faster, &deployment.targets()).await;
    let traffic = Traffic::start(&deployment).await;
    until_within(FIRES_WITHIN, "everything is scraped", async || {
        prometheus.count("natter_build_info").await == 4
    })
    .await;

    for fault in Fault::chosen() {
        until_within(ENDS_WITHIN, "no alert fires before the next fault", async || {
            prometheus.firing().await.is_empty()
        })
        .await;
        let watched = watch(&prometheus, &mut deployment, &traffic, fault).await;
        let mut expected = rules::implied_by(&rules[0], fault.alert());
        expected.insert(fault.alert().to_owned());
        let others: Vec<&String> = watched.fired.difference(&expected).collect();
        assert!(others.is_empty(), "{fault:?} also fired {others:?}");
        report(fault, &watched);
    }
    traffic.goes_on().await;
}

struct Watched {
    fired: BTreeSet<String>,
    fires_after: Duration,
    ends_after: Duration,
}

async fn watch(
    prometheus: &Prometheus,
    deployment: &mut Deployment,
    traffic: &Traffic,
    fault: Fault,
) -> Watched {
    let mut fired = BTreeSet::new();
    let began = Instant::now();
    fault.begin(deployment, traffic).await;
    until_within(FIRES_WITHIN, &format!("{fault:?} fires {}", fault.alert()), async || {
        fired.extend(prometheus.firing().await);
        fired.contains(fault.alert())
    })
    .await;
    let fires_after = began.elapsed();
    let began = Instant::now();
    fault.mend(deployment).await;
    until_within(ENDS_WITHIN, &format!("all that {fault:?} fired has ended"), async || {
        let now = prometheus.firing().await;
        fired.extend(now.iter().cloned());
        now.is_empty()
    })
    .await;
    Watched { fired, fires_after, ends_after: began.elapsed() }
}

#[expect(clippy::print_stderr, reason = "shown with --nocapture: how long each took")]
fn report(fault: Fault, Watched { fired, fires_after, ends_after }: &Watched) {
    eprintln!("{fault:?}: fires after {fires_after:.1?}, ends after {ends_after:.1?}: {fired:?}");
}
