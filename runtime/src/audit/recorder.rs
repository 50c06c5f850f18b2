//! What services call.

use std::{
    collections::VecDeque,
    io,
    net::IpAddr,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::{SyncSender, sync_channel},
    },
    thread,
    time::Duration,
};

use metrics::counter;
use natter_schemas::{
    audit::{Act, Entry},
    event::Timestamp,
    limits,
};
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};
use tracing::warn;

use super::{
    Line, Origin,
    file::AuditFile,
    stream::AuditStream,
    writer::{Message, Output, Writer},
};

/// What an answer waits for its record. A disk that is slower holds up no one: the record is written later.
const PATIENCE: Duration = Duration::from_secs(1);
/// What a process that ends waits for its last records.
const CLOSE: Duration = Duration::from_secs(2);

pub type Now = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Where records go (`AUDIT_LOG`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    File(PathBuf),
    Stdout,
    /// Of commands, whose answer is on standard output.
    Stderr,
}

pub struct Options {
    pub target: Target,
    pub origin: Origin,
    /// The time of the log.
    pub now: Now,
    /// Where written lines are copied to.
    pub copies: Option<mpsc::Sender<Line>>,
}

#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("AUDIT_LOG: {} cannot be written: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("no thread for the audit log: {0}")]
    Thread(io::Error),
}

/// Records security events. Clones write to the same log.
#[derive(Clone, Default)]
pub struct Audit {
    /// None: nothing is recorded.
    writing: Option<Arc<Writing>>,
}

struct Writing {
    to: SyncSender<Message>,
    now: Now,
    shared: Arc<Shared>,
}

/// What the writing thread and those who call know of each other.
#[derive(Default)]
pub struct Shared {
    failing: AtomicBool,
    /// Records that found no room and are not named in the log yet.
    lost: AtomicU64,
}

impl Shared {
    pub fn lose(&self) {
        counter!("natter_audit_lost_total").increment(1);
        self.lost.fetch_add(1, Ordering::Relaxed);
    }

    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// So many are.
    pub fn named(&self, lost: u64) {
        self.lost.fetch_sub(lost, Ordering::Relaxed);
    }

    pub fn set_failing(&self, failing: bool) {
        self.failing.store(failing, Ordering::Relaxed);
    }
}

impl Audit {
    /// Nothing is recorded.
    pub fn off() -> Self {
        Self::default()
    }

    /// Fails where nothing can ever be written; a disk that is full may have room later.
    pub fn start(options: Options) -> Result<Self, StartError> {
        let Options { target, origin, now, copies } = options;
        let output = match target {
            Target::File(path) => match AuditFile::new(path.clone()) {
                Ok(file) => Output::File(file),
                Err(source) => return Err(StartError::File { path, source }),
            },
            Target::Stdout => Output::Out(AuditStream::new(io::stdout())),
            Target::Stderr => Output::Err(AuditStream::new(io::stderr())),
        };
        let (to, from) = sync_channel(limits::AUDIT_WAITING);
        let shared = Arc::<Shared>::default();
        let (waiting, retry_at) = (VecDeque::new(), None);
        let writer =
            Writer { output, origin, now: now.clone(), shared: shared.clone(), copies, waiting, retry_at };
        thread::Builder::new()
            .name("audit".to_owned())
            .spawn(move || writer.run(&from))
            .map_err(StartError::Thread)?;
        Ok(Self { writing: Some(Arc::new(Writing { to, now, shared })) })
    }

    /// Returns when it is written, or will be as soon as it can be.
    pub async fn record(&self, act: Act, client: Option<IpAddr>) {
        let Some(Writing { to, now, shared }) = self.writing.as_deref() else { return };
        let (written, wait) = oneshot::channel();
        if to.try_send(Message::Entry(Entry { at: now(), act, client }, written)).is_err() {
            shared.lose();
        } else if !shared.failing.load(Ordering::Relaxed) {
            // Either way the answer may leave.
            let _ = timeout(PATIENCE, wait).await;
        }
    }

    /// Writes what waits, and that this process has stopped.
    pub async fn close(&self) {
        let Some(writing) = &self.writing else { return };
        let (done, wait) = oneshot::channel();
        let sent = writing.to.try_send(Message::Stop(done)).is_ok();
        if !sent || timeout(CLOSE, wait).await.is_err() {
            warn!("the audit log did not end in time: its last records may be missing");
        }
    }
}
