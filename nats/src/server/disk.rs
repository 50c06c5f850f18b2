//! A full or failing disk. A nats-server that could not write a stream's file keeps the error: it answers everything
//! except publishes to that stream, and stays silent to those until it is restarted, however much room there is by
//! then. It reports the error in its health, so whoever runs it as a child can wait for room and restart it.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use async_nats::{Client, ConnectOptions};
use serde::Deserialize;
use tokio::time::{interval, sleep, timeout};
use tracing::{debug, error, info, warn};

use super::{Endpoint, config::Files, supervisor::Supervisor};

/// Between two looks at the server's health, and between two at the room.
const LOOK: Duration = Duration::from_secs(1);
const ANSWER: Duration = Duration::from_secs(2);
/// Free bytes that make a restart worth it: two blocks of a stream's file.
const ROOM: u64 = 16 * 1024 * 1024;
/// What is written to see whether the folder takes it: a quota is not seen in the free bytes.
const PROBE: usize = 1024 * 1024;
/// From a restart to the next look: the restarted server has recovered its streams by then.
const SETTLE: Duration = Duration::from_secs(4);

/// Watches the health of the child and restarts it when it has a write error and its folder has room again. Runs until
/// it is dropped.
pub async fn watch(endpoint: Endpoint, files: Files, supervisor: Arc<Supervisor>) {
    let client = match system_client(&endpoint).await {
        Ok(client) => client,
        Err(error) => {
            return error!(%error, "the health of nats-server cannot be watched; after a full disk it must be restarted by hand");
        }
    };
    let mut looks = interval(LOOK);
    loop {
        looks.tick().await;
        let Some(reason) = write_error(&client).await else { continue };
        metrics::counter!("natter_nats_server_write_errors_total").increment(1);
        error!(
            reason, path = %files.dir().display(),
            "nats-server could not write to its disk and takes no more events; it is restarted when there is room"
        );
        wait_for_room(files.dir()).await;
        info!("there is room for the log again; restarting nats-server");
        supervisor.restart();
        sleep(SETTLE).await;
    }
}

/// As the user of the system account, who may ask for the health and nothing of the deployment.
async fn system_client(endpoint: &Endpoint) -> Result<Client, async_nats::ConnectError> {
    let options = ConnectOptions::with_user_and_password(
        super::config::SYSTEM_USER.to_owned(),
        endpoint.password.clone(),
    );
    let address = format!("nats://127.0.0.1:{}", endpoint.port);
    options.name("natter server watch").retry_on_initial_connect().connect(address).await
}

#[derive(Deserialize)]
struct Health {
    data: Option<HealthData>,
}

#[derive(Deserialize, Default)]
struct HealthData {
    #[serde(default)]
    errors: Vec<HealthError>,
}

#[derive(Deserialize)]
struct HealthError {
    error: String,
}

/// The first error of the server's health that only a restart ends; `None` without one, or without an answer.
async fn write_error(client: &Client) -> Option<String> {
    let asked = client.request("$SYS.REQ.SERVER.PING.HEALTHZ", r#"{"details":true}"#.into());
    let answer = match timeout(ANSWER, asked).await.ok()? {
        Ok(answer) => answer,
        Err(error) => {
            debug!(%error, "nats-server does not report its health");
            return None;
        }
    };
    first_write_error(&answer.payload)
}

fn first_write_error(health: &[u8]) -> Option<String> {
    let health = match serde_json::from_slice::<Health>(health) {
        Ok(health) => health,
        Err(error) => {
            warn!(%error, "the health of nats-server cannot be read");
            return None;
        }
    };
    let errors = health.data.unwrap_or_default().errors.into_iter();
    // JetStream switches itself off when the file system denies a write.
    errors.map(|e| e.error).find(|e| e.contains("write error") || e.contains("JetStream not enabled"))
}

async fn wait_for_room(dir: &Path) {
    loop {
        let dir = dir.to_owned();
        match tokio::task::spawn_blocking(move || has_room(&dir)).await {
            Ok(Ok(true)) => return,
            Ok(Ok(false)) => {}
            Ok(Err(error)) => debug!(%error, "the folder of the log takes no writes yet"),
            Err(error) => error!(%error, "looking for room failed"),
        }
        sleep(LOOK).await;
    }
}

/// Whether a restarted server could write: enough free bytes, and a file that is really written and synced.
fn has_room(dir: &Path) -> io::Result<bool> {
    let found = nix::sys::statvfs::statvfs(dir)?;
    if found.blocks_available().saturating_mul(found.fragment_size()) < ROOM {
        return Ok(false);
    }
    let probe = Probe(dir.join("room.probe"));
    let mut file = fs::File::create(&probe.0)?;
    file.write_all(&vec![0xA5; PROBE])?;
    file.sync_all()?;
    Ok(true)
}

/// Removed whatever happened: half a file would take the room it looks for.
struct Probe(PathBuf);

impl Drop for Probe {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.0) {
            debug!(%error, path = %self.0.display(), "the probe file stays");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_errors_that_a_restart_ends_are_found_in_the_health() {
        let health =
            |errors: &str| first_write_error(format!(r#"{{"data":{{"errors":[{errors}]}}}}"#).as_bytes());
        let full = r#"{"type":"STREAM","error":"JetStream stream '$G > CONV_0' write error: no space left on device"}"#;
        let lost = r#"{"type":"STREAM","error":"JetStream stream '$G > CONV_1' could not be recovered"}"#;
        assert!(health(&format!("{lost},{full}")).is_some_and(|e| e.contains("CONV_0")));
        assert_eq!(health(lost), None);
        assert_eq!(first_write_error(br#"{"server":{},"data":{"status":"ok","status_code":200}}"#), None);
        assert_eq!(first_write_error(b"?"), None);
    }

    #[test]
    fn a_folder_with_room_is_found_to_have_it_and_keeps_no_probe() {
        let dir = tempfile::tempdir().unwrap();
        assert!(has_room(dir.path()).unwrap());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        assert!(has_room(&dir.path().join("gone")).is_err());
    }
}
