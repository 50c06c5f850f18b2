//! Runs a scenario: a deployment under load in which things break as the scenario has it, what its clients wrote down,
//! and what the oracle finds in that.

mod nats_messages; // a server whose live events are lost
pub mod frames; // a server that is wrong
mod link; // a connection that can fail
mod recorder; // the log of a run
mod client; // a client that reconnects, resumes, repeats
mod deployment; // the processes
mod changes; // access that ends and begins
mod crowd; // all clients
mod gather; // who they are
mod look; // what they are shown in the end
mod mirror; // what Kafka has then
mod report; // a run in figures
pub mod part; // what can break
pub mod steps; // what is done
pub mod scenario; // steps, and what they are done to
pub mod walk; // scenarios made of a seed

use std::path::{Path, PathBuf};

use tokio::time::sleep;

pub use deployment::Programs;
pub use report::{Report, table};

use crate::{
    log::Line,
    oracle::{Verdict, judge},
};
use crowd::Crowd;
use deployment::Deployment;
use scenario::Scenario;
use steps::Step;

/// What came of a run.
pub struct Outcome {
    pub report: Report,
    pub verdict: Verdict,
    pub log: Vec<Line>,
}

/// Runs a scenario against these binaries of natter. Logs of processes are kept in the folder when a guarantee was broken.
pub async fn run(scenario: &Scenario, programs: &Programs, keep: Option<&Path>) -> Outcome {
    let mut deployment = Deployment::start(programs, scenario).await;
    let mut crowd = Crowd::gather(&deployment.edges(), scenario).await;
    let (mut healed, mut unmet) = (0, Vec::new());
    for step in &scenario.steps {
        unmet.extend(take(step, &mut deployment, &mut crowd).await);
        if !matches!(step, Step::Load(_) | Step::Expect(..)) {
            healed = crowd.now();
        }
    }
    unmet.extend(crowd.settle().await);
    unmet.extend(deployment.expect_readiness().await);
    crowd.look().await;
    if let Some(kafka) = deployment.kafka() {
        crowd.read_kafka(kafka).await;
    }
    let gaps = [
        deployment.counted("natter_gaps_found_total").await,
        deployment.counted("natter_gaps_filled_total").await,
    ];
    let log = crowd.end().await;
    let verdict = judge(&log);
    let report = Report::of(scenario, &log, &verdict, (healed, gaps, unmet));
    if let Some(folder) = keep.filter(|_| !report.holds()) {
        let folder: PathBuf = folder.join(&scenario.name);
        deployment.keep_logs(&folder).expect("the folder can be written to");
        let file = std::fs::File::create(folder.join("log.jsonl")).expect("the folder can be written to");
        crate::log::write(std::io::BufWriter::new(file), &log).expect("the log can be written");
    }
    Outcome { report, verdict, log }
}

/// What was expected in vain.
async fn take(step: &Step, deployment: &mut Deployment, crowd: &mut Crowd) -> Vec<String> {
    match step {
        Step::Load(time) => {
            crowd.send();
            sleep(*time).await;
        }
        Step::Rest => {
            crowd.rest().await;
            deployment.persisted().await;
        }
        Step::Kill(part) => deployment.kill(*part).await,
        Step::Start(part) => deployment.start_part(*part).await,
        Step::Migrate => deployment.migrate(&[]),
        Step::AcceptNewLog => deployment.migrate(&["--accept-new-log"]),
        Step::Upgrade(part) => deployment.upgrade(*part).await,
        Step::Pause(part) => deployment.pause(*part).await,
        Step::Resume(part) => deployment.resume(*part).await,
        Step::CutPower { part, torn } => deployment.cut_power(*part, *torn).await,
        Step::Sync(part) => deployment.sync(*part).await,
        Step::Disk(part, room) => deployment.set_disk(*part, *room).await,
        Step::Clock(part, ahead) => deployment.set_clocks(*part, *ahead),
        Step::Expect(part, sign) => return deployment.expect(*part, sign).await,
        Step::Link(from, to, conduct) => deployment.set_links(*from, *to, *conduct).await,
        Step::DropLive { from, to, count } => {
            let links = deployment.links(*from, *to);
            for link in &links {
                link.drop_live(*count);
            }
            let dropped = async || links.iter().all(|link| link.has_dropped());
            natter_testkit::until("live events are dropped", dropped).await;
        }
        Step::Mutate(from, to, mutation) => {
            let links = deployment.links(*from, *to);
            for link in &links {
                link.mutate(*mutation);
            }
            let mutated = async || links.iter().all(|link| link.has_mutated());
            natter_testkit::until("an event is mutated", mutated).await;
        }
        Step::LoseAnswer(from, to, word) => {
            let links = deployment.links(*from, *to);
            for link in &links {
                link.lose_answer(word);
            }
            let lost = async || links.iter().all(|link| link.has_lost());
            natter_testkit::until(&format!("an answer with {word} is lost"), lost).await;
        }
    }
    Vec::new()
}
