use std::{sync::Arc, time::Duration};

use natter_nats::clock::LogClock;
use natter_runtime::{
    audit::{Audit, Line, Options, Origin, Target},
    config::{AuditLog, Settings},
};
use natter_schemas::{event::Timestamp, limits};
use natter_workers::kafka_sink;
use tokio::{sync::mpsc, task::JoinHandle, time::timeout};
use tracing::warn;

/// What a process that ends waits for the last copies.
const COPIED: Duration = Duration::from_secs(2);

/// The audit log of a process, and what copies it to Kafka.
pub struct AuditTrail {
    pub audit: Audit,
    copying: Option<JoinHandle<()>>,
}

impl AuditTrail {
    /// Of a process that answers.
    pub fn of_role(settings: &Settings, clock: LogClock) -> anyhow::Result<Self> {
        let (copies, copying) = match settings.kafka.clone().filter(|_| settings.audit.kafka) {
            Some(kafka) => {
                let (to, lines) = mpsc::channel(limits::AUDIT_COPIES_WAITING);
                (Some(to), Some(tokio::spawn(kafka_sink::copy_audit(kafka, lines))))
            }
            None => (None, None),
        };
        let audit = start(&settings.audit, "worker", Arc::new(move || clock.now()), copies)?;
        Ok(Self { audit, copying })
    }

    /// When nothing is answered any more.
    pub async fn close(self) {
        let Self { audit, copying } = self;
        audit.close().await;
        drop(audit);
        if let Some(copying) = copying
            && timeout(COPIED, copying).await.is_err()
        {
            warn!("the last audit records were not copied to Kafka; they are in the audit log");
        }
    }
}

/// The audit log of an operator's command, whose own answer is on standard output.
pub fn of_command(settings: &Settings, command: &str) -> anyhow::Result<Audit> {
    let target = match settings.audit.target.clone() {
        Some(Target::Stdout) => Some(Target::Stderr),
        other => other,
    };
    start(&AuditLog { target, kafka: false }, command, Arc::new(Timestamp::now), None)
}

fn start(
    settings: &AuditLog,
    process: &str,
    now: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    copies: Option<mpsc::Sender<Line>>,
) -> anyhow::Result<Audit> {
    let Some(target) = settings.target.clone() else { return Ok(Audit::off()) };
    let node = nix::unistd::gethostname()?.to_string_lossy().into_owned();
    let process = format!("{process}:{}", std::process::id());
    Ok(Audit::start(Options { target, origin: Origin { node, process }, now, copies })?)
}

/// Who runs this command, as this host knows it.
pub fn operator() -> String {
    let account = nix::unistd::User::from_uid(nix::unistd::getuid()).ok().flatten();
    account.map_or_else(|| nix::unistd::getuid().to_string(), |account| account.name)
}
