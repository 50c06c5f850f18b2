//! What parts show of a fault to whoever operates them: health, logs, metrics.

use natter_testkit::until;
use serde_json::Value;

use super::{
    super::{part::Part, steps::Sign},
    Deployment,
};

impl Deployment {
    /// Waits until every process that the part stands for shows it.
    pub async fn expect(&mut self, part: Part, sign: &Sign) {
        let resolved = self.resolve(part).await;
        for part in self.running(resolved) {
            until(&format!("{part} shows {sign:?}"), async || self.shows(part, sign).await).await;
        }
    }

    async fn shows(&self, part: Part, sign: &Sign) -> bool {
        match sign {
            Sign::Log(words) => self.processes[&part].log().lines().any(|line| line.contains(words)),
            Sign::Health(name, up) => {
                let address = self.addresses.get(&part).unwrap_or_else(|| panic!("{part} has no health"));
                let Ok(answer) = reqwest::get(format!("{address}/health/ready")).await else { return false };
                let body: Value = answer.json().await.unwrap_or_default();
                body["parts"][name] == if *up { "up" } else { "down" }
            }
            Sign::Metric(name, least) => self.metric(part, name).await >= *least,
        }
    }

    /// The sum over its labels.
    async fn metric(&self, part: Part, name: &str) -> u64 {
        let Some(admin) = self.admins.get(&part) else { return 0 };
        let Ok(answer) = reqwest::get(format!("{admin}/metrics")).await else { return 0 };
        let text = answer.text().await.unwrap_or_default();
        let is_it = |line: &&str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']));
        let values =
            text.lines().filter(is_it).filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of events")]
        let sum = values.sum::<f64>() as u64;
        sum
    }

    /// The sum of a counter over the edges that run.
    pub async fn counted(&self, counter: &str) -> u64 {
        let mut sum = 0;
        for part in self.running(Part::Edges) {
            sum += self.metric(part, counter).await;
        }
        sum
    }
}
