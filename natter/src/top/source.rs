//! Where the figures come from: all nodes over NATS, or admin ports over HTTP.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context, bail, ensure};
use futures_util::future::join_all;
use natter_nats::{
    async_nats::{Client, connection::State as Connection},
    connect::Purpose,
    report::{self, Report},
    trace,
};
use natter_runtime::config::Strictness;
use natter_schemas::id::EventId;
use reqwest::Url;
use serde::Deserialize;

use super::figures::Figures;
use crate::{
    cli::{target::Target, top::MOST_NODES},
    operator,
};

/// How long nodes have to answer. Their own checks end after 300 ms.
const PATIENCE: Duration = Duration::from_millis(500);
/// How long each is asked for the others it knows: what it takes to answer a trace.
const ROLL_CALL: Duration = Duration::from_millis(100);
/// Of `/metrics` of one node, in bytes.
const MOST_TEXT: usize = 8 * 1024 * 1024;
/// Characters of what a node is called and how it is.
const MOST_CHARS: usize = 64;

/// What one look found.
#[derive(Default)]
pub struct Look {
    /// By name.
    pub nodes: BTreeMap<String, Seen>,
    /// Nodes that others know and that did not answer, and since when they are silent.
    pub missing: Vec<(String, Duration)>,
    /// Why no one could be asked.
    pub trouble: Option<String>,
}

/// A node that answered.
pub struct Seen {
    pub status: String,
    pub parts: BTreeMap<String, bool>,
    pub figures: Figures,
}

pub enum Source {
    Nats {
        client: Client,
        /// Nodes have been asked whom they know.
        called: bool,
    },
    Ports {
        http: reqwest::Client,
        ports: Vec<Url>,
    },
}

impl Source {
    pub async fn nats(target: &Target) -> anyhow::Result<Self> {
        let backends = operator::backends(target, Strictness::Tokenless)?;
        Ok(Self::Nats { client: backends.client(Purpose::Rpc).await?, called: false })
    }

    pub fn ports(addresses: &[String]) -> anyhow::Result<Self> {
        ensure!(addresses.len() <= MOST_NODES, "there are more than {MOST_NODES} of --addr");
        let ports = addresses.iter().map(|address| port(address)).collect::<anyhow::Result<_>>()?;
        Ok(Self::Ports { http: reqwest::Client::builder().timeout(PATIENCE).no_proxy().build()?, ports })
    }

    pub async fn look(&mut self) -> anyhow::Result<Look> {
        match self {
            Self::Nats { client, called } => {
                if client.connection_state() != Connection::Connected {
                    let trouble = Some("no connection to NATS; it is tried again".to_owned());
                    return Ok(Look { trouble, ..Look::default() });
                }
                let look = ask_nodes(client, !*called).await.map_err(|error| anyhow::anyhow!(error))?;
                *called = true;
                Ok(look)
            }
            Self::Ports { http, ports } => {
                let asked = ports.iter().map(async |port| (name_of(port), ask_port(http, port).await));
                let mut look = Look::default();
                for (name, answer) in join_all(asked).await {
                    match answer {
                        Ok(seen) => drop(look.nodes.insert(name, seen)),
                        Err(_) => look.missing.push((name, Duration::ZERO)),
                    }
                }
                Ok(look)
            }
        }
    }
}

async fn ask_nodes(client: &Client, calls: bool) -> Result<Look, natter_nats::async_nats::Error> {
    let names: Vec<&str> = Figures::names().collect();
    let roll_call = async {
        if calls {
            trace::ask(client, EventId::fresh(), ROLL_CALL).await
        } else {
            Ok(trace::Answers::default())
        }
    };
    let (reports, known) = tokio::try_join!(report::ask(client, &names, PATIENCE), roll_call)?;
    let nodes = reports.into_iter().map(|(name, Report { status, parts, figures })| {
        let parts = parts.into_iter().map(|(part, up)| (clean(&part), up)).collect();
        (clean(&name.to_string()), Seen { status: clean(&status), parts, figures: Figures::read(&figures) })
    });
    let silent = known.silent.into_iter().take(MOST_NODES);
    let missing = silent.map(|silent| (clean(&silent.name.to_string()), silent.silent)).collect();
    Ok(Look { nodes: nodes.collect(), missing, trouble: None })
}

/// Nodes are believed what they count, and not what a terminal does with their names.
fn clean(text: &str) -> String {
    text.chars().take(MOST_CHARS).map(|c| if c.is_control() { '?' } else { c }).collect()
}

fn port(address: &str) -> anyhow::Result<Url> {
    let url: Url = address.parse().with_context(|| format!("--addr {address}"))?;
    let is_base = matches!(url.scheme(), "http" | "https") && url.path() == "/" && url.query().is_none();
    ensure!(is_base, "--addr {address} is no address of an admin port, such as http://127.0.0.1:9464");
    Ok(url)
}

fn name_of(port: &Url) -> String {
    let host = port.host_str().unwrap_or_default();
    clean(&port.port_or_known_default().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")))
}

#[derive(Deserialize)]
struct Ready {
    status: String,
    parts: BTreeMap<String, String>,
}

async fn ask_port(http: &reqwest::Client, port: &Url) -> anyhow::Result<Seen> {
    let page = async |path| get(http, port.join(path)?).await;
    let (ready, metrics) = tokio::try_join!(page("health/ready"), page("metrics"))?;
    let Ready { status, parts } = serde_json::from_str(&ready)?;
    let parts = parts.into_iter().map(|(part, state)| (clean(&part), state == "up")).collect();
    Ok(Seen { status: clean(&status), parts, figures: Figures::read(&metrics) })
}

async fn get(http: &reqwest::Client, url: Url) -> anyhow::Result<String> {
    let mut response = http.get(url).send().await?;
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        body.extend_from_slice(&chunk);
        if body.len() > MOST_TEXT {
            bail!("more than {MOST_TEXT} bytes");
        }
    }
    Ok(String::from_utf8(body)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_node_is_called_does_not_control_the_terminal() {
        assert_eq!(clean("edge \u{1b}]0;x\u{7}\n"), "edge ?]0;x??");
        assert_eq!(clean(&"é".repeat(100)).chars().count(), MOST_CHARS);
    }

    #[test]
    fn an_address_is_that_of_an_admin_port() {
        assert_eq!(name_of(&port("https://worker.example.org").unwrap()), "worker.example.org:443");
        assert_eq!(name_of(&port("http://[::1]:9464/").unwrap()), "[::1]:9464");
        for wrong in ["127.0.0.1:9464", "http://a/metrics", "ftp://a", "http://a?b"] {
            assert!(port(wrong).is_err(), "{wrong}");
        }
    }
}
