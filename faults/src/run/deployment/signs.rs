//! What parts show of a fault to whoever operates them: health, logs, metrics.

use std::time::Duration;

use futures_util::future::join_all;
use reqwest::{Response, StatusCode};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::{
    super::{part::Part, steps::Sign},
    Deployment,
};

/// Longer than anything takes to be seen: the health of a log is down for half a minute after the last failure.
const SHOWN_WITHIN: Duration = Duration::from_secs(45);
const LOOK: Duration = Duration::from_millis(50);
/// Health waits for an answer of the services, for five seconds at most.
const ANSWERS_WITHIN: Duration = Duration::from_secs(8);
/// A process that stands still takes connections, and answers nothing.
const LIVES_WITHIN: Duration = Duration::from_secs(3);

impl Deployment {
    /// Waits until every process that the part stands for shows it; what did not come.
    pub async fn expect(&mut self, part: Part, sign: &Sign) -> Vec<String> {
        let resolved = self.resolve(part).await;
        let of_part = |other: &Part| resolved.covers(*other);
        let parts: Vec<Part> = match sign {
            Sign::Gone => self.parts().into_iter().filter(of_part).collect(),
            _ => self.running(resolved),
        };
        if parts.is_empty() {
            return vec![format!("{part} {sign}: nothing runs of it")];
        }
        let deadline = Instant::now() + SHOWN_WITHIN;
        let waits = parts.into_iter().map(async |part| {
            while !self.shows(part, sign).await {
                if Instant::now() > deadline {
                    return Some(format!("{part} {sign}"));
                }
                sleep(LOOK).await;
            }
            None
        });
        join_all(waits).await.into_iter().flatten().collect()
    }

    /// Every edge and every worker is ready again in the end, and says so.
    pub async fn expect_readiness(&self) -> Vec<String> {
        let deadline = Instant::now() + SHOWN_WITHIN;
        let waits = self.addresses.iter().map(async |(part, address)| {
            let mut last = String::new();
            while Instant::now() < deadline {
                if let Some(answer) = ask(&format!("{address}/health/ready")).await {
                    if answer.status() == StatusCode::OK {
                        return None;
                    }
                    last = answer.text().await.unwrap_or_default();
                }
                sleep(LOOK).await;
            }
            Some(format!("{part} ready in the end: {last}"))
        });
        join_all(waits).await.into_iter().flatten().collect()
    }

    async fn shows(&self, part: Part, sign: &Sign) -> bool {
        match sign {
            Sign::Log(words) => self.processes[&part].log().lines().any(|line| line.contains(words)),
            Sign::Health(name, up) => {
                let Some(address) = self.addresses.get(&part) else { return false };
                let Some(answer) = ask(&format!("{address}/health/ready")).await else { return false };
                let body: Value = answer.json().await.unwrap_or_default();
                body["parts"][name] == if *up { "up" } else { "down" }
            }
            Sign::Gone => match self.addresses.get(&part) {
                Some(address) => ask_within(LIVES_WITHIN, &format!("{address}/health/live")).await.is_none(),
                None => !self.processes.contains_key(&part),
            },
            Sign::Metric(name, least) => self.metric(part, name).await.is_some_and(|value| value >= *least),
            Sign::Below(name, limit) => self.metric(part, name).await.is_some_and(|value| value < *limit),
        }
    }

    /// The sum over its labels.
    async fn metric(&self, part: Part, name: &str) -> Option<u64> {
        let admin = self.admins.get(&part)?;
        let text = ask(&format!("{admin}/metrics")).await?.text().await.ok()?;
        let is_it = |line: &&str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']));
        let values: Vec<f64> =
            text.lines().filter(is_it).filter_map(|line| line.rsplit(' ').next()?.parse().ok()).collect();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of events")]
        let sum = values.iter().sum::<f64>() as u64;
        (!values.is_empty()).then_some(sum)
    }

    /// The sum of a counter over the edges that run.
    pub async fn counted(&self, counter: &str) -> u64 {
        let mut sum = 0;
        for part in self.running(Part::Edges) {
            sum += self.metric(part, counter).await.unwrap_or(0);
        }
        sum
    }
}

/// `None` when there is no answer in time.
async fn ask(url: &str) -> Option<Response> {
    ask_within(ANSWERS_WITHIN, url).await
}

async fn ask_within(patience: Duration, url: &str) -> Option<Response> {
    let http = reqwest::Client::builder().no_proxy().timeout(patience).build();
    http.expect("a client without options").get(url).send().await.ok()
}
