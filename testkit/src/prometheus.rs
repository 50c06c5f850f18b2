//! A real Prometheus that scrapes every second.

use std::{collections::BTreeSet, fmt::Write as _, fs, process::Command};

use serde_json::Value;

use crate::{Folder, Process, free_server_ports, text, until};

pub struct Prometheus {
    http: reqwest::Client,
    address: String,
    process: Process,
    // Dropped after the process, which writes into it.
    _folder: Folder,
}

impl Prometheus {
    /// With these files of rules, which are evaluated every second, and these targets of the job `natter`: `host:port`.
    pub async fn start(rules: &[String], targets: &[String]) -> Self {
        let folder = Folder::new();
        let mut config =
            "global: { scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s }\n".to_owned();
        let _ = writeln!(
            config,
            "scrape_configs: [{{ job_name: natter, static_configs: [{{ targets: {targets:?} }}] }}]"
        );
        config.push_str("rule_files:\n");
        for (number, text) in rules.iter().enumerate() {
            let name = format!("rules-{number}.yaml");
            fs::write(folder.file(&name), text).expect("the folder is ours");
            let _ = writeln!(config, "  - {name}");
        }
        fs::write(folder.file("prometheus.yml"), config).expect("the folder is ours");
        let [port] = free_server_ports();
        let address = format!("http://127.0.0.1:{port}");
        let mut command = Command::new("prometheus");
        command.arg("--config.file").arg(folder.file("prometheus.yml"));
        command.arg("--storage.tsdb.path").arg(folder.file("data"));
        command.arg(format!("--web.listen-address=127.0.0.1:{port}"));
        let process = Process::start(command, &folder.file("prometheus.log"));
        let http = reqwest::Client::builder().no_proxy().build().expect("a client without options");
        let prometheus = Self { http, address, process, _folder: folder };
        until("prometheus is ready", async || {
            assert!(!prometheus.process.has_ended(), "prometheus ended: {}", prometheus.process.log());
            prometheus.get("/-/ready").await.is_some()
        })
        .await;
        prometheus
    }

    /// Names of alerts that fire now.
    pub async fn firing(&self) -> BTreeSet<String> {
        let answer = self.get("/api/v1/alerts").await.expect("prometheus answers");
        let answer: Value = serde_json::from_str(&answer).expect("JSON");
        let alerts = answer["data"]["alerts"].as_array().expect("alerts");
        let firing = alerts.iter().filter(|alert| alert["state"] == "firing");
        firing.map(|alert| text(&alert["labels"]["alertname"])).collect()
    }

    /// How many series an expression has now.
    pub async fn count(&self, expression: &str) -> usize {
        let request = self.http.get(format!("{}/api/v1/query", self.address)).query(&[("query", expression)]);
        let answer: Value = request.send().await.expect("prometheus answers").json().await.expect("JSON");
        assert_eq!(answer["status"], "success", "{expression}: {answer}");
        answer["data"]["result"].as_array().expect("series").len()
    }

    async fn get(&self, path: &str) -> Option<String> {
        let answer = self.http.get(format!("{}{path}", self.address)).send().await.ok()?;
        answer.error_for_status().ok()?.text().await.ok()
    }
}
