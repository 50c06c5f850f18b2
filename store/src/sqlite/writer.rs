//! Calls that change something: one thread, one transaction for all that wait, one fsync for the transaction.
//!
//! Arrives: writes through a bounded queue; when it is full, callers wait. Leaves: each write's result, after the
//! commit. Fails: a write alone when its own statements fail, every write of a transaction that cannot be committed.

use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread::JoinHandle,
};

use natter_schemas::limits;
use parking_lot::Mutex;
use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};
use tracing::{error, warn};

use super::failure::closed;
use crate::{Result, StoreError};

/// Writes of one transaction: 256 × about 0.1 ms keeps a commit near the cost of its fsync.
const BATCH_WRITES: usize = 256;
/// Events of one transaction: 4,096 × 8 KiB = 32 MiB in the WAL at the very worst.
const BATCH_ROWS: usize = 4_096;

pub struct Writer {
    queue: mpsc::Sender<Request>,
    thread: Mutex<Option<JoinHandle<()>>>,
    commits: Arc<AtomicU64>,
}

enum Request {
    Write(Box<dyn QueuedWrite>),
    /// Nothing is taken in after this; what is queued is still done.
    Close,
}

impl Writer {
    pub fn start(db: Connection) -> Result<Self> {
        let (queue, requests) = mpsc::channel(limits::SQLITE_WRITES_WAITING);
        let commits = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&commits);
        let thread = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || run(&db, requests, &counter))
            .map_err(|e| StoreError::Unavailable(format!("no thread for writing: {e}")))?;
        Ok(Self { queue, thread: Mutex::new(Some(thread)), commits })
    }

    /// Queues `work`; returns when it is committed and synced. `rows`: about how many it writes.
    pub async fn write<T, F>(&self, rows: usize, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let write = TypedWrite { rows, work: Some(work), result: None, reply };
        self.queue.send(Request::Write(Box::new(write))).await.map_err(|_| closed())?;
        answer.await.map_err(|_| closed())?
    }

    pub fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }

    pub async fn close(&self) {
        // An error means that it is closed already.
        let _ = self.queue.send(Request::Close).await;
        let thread = self.thread.lock().take();
        if let Some(thread) = thread {
            let ended = tokio::task::spawn_blocking(move || thread.join()).await;
            if !matches!(ended, Ok(Ok(()))) {
                error!("the store's writer ended by a panic");
            }
        }
    }
}

/// A write that is queued, whatever the type of its result.
trait QueuedWrite: Send {
    fn rows(&self) -> usize;
    /// Once. Keeps the result for `committed`.
    fn run(&mut self, db: &Connection) -> Result<()>;
    fn committed(self: Box<Self>);
    fn failed(self: Box<Self>, error: StoreError);
}

struct TypedWrite<T, F> {
    rows: usize,
    work: Option<F>,
    result: Option<T>,
    reply: oneshot::Sender<Result<T>>,
}

impl<T: Send, F: FnOnce(&Connection) -> Result<T> + Send> QueuedWrite for TypedWrite<T, F> {
    fn rows(&self) -> usize {
        self.rows
    }

    fn run(&mut self, db: &Connection) -> Result<()> {
        let Some(work) = self.work.take() else { return Ok(()) };
        // A bug in one write must not end the thread: every later write of the process would fail.
        let result = catch_unwind(AssertUnwindSafe(|| work(db)))
            .unwrap_or_else(|_| Err(StoreError::Corrupt("a write panicked".to_owned())));
        self.result = Some(result?);
        Ok(())
    }

    // Callers may have stopped waiting: then the result is dropped.
    fn committed(self: Box<Self>) {
        if let Some(result) = self.result {
            let _ = self.reply.send(Ok(result));
        }
    }

    fn failed(self: Box<Self>, error: StoreError) {
        let _ = self.reply.send(Err(error));
    }
}

type WriteBatch = VecDeque<Box<dyn QueuedWrite>>;

fn run(db: &Connection, mut requests: mpsc::Receiver<Request>, commits: &AtomicU64) {
    lower_priority();
    while let Some(first) = requests.blocking_recv() {
        let mut waiting = gather(first, &mut requests);
        while !waiting.is_empty() {
            if let Err(error) = transact(db, &mut waiting, commits) {
                warn!(%error, "a transaction was not committed");
            }
        }
    }
}

/// A commit of a thousand events is 20 ms of work that no one waits for: on a full core, acks and live traffic go first. Four
/// steps of niceness leave it two fifths of an equal share, twice what it needs at the rate that fills a core.
#[cfg(target_os = "linux")]
fn lower_priority() {
    use thread_priority::{ThreadPriority, ThreadPriorityValue, set_current_thread_priority};
    let value = ThreadPriorityValue::try_from(NICENESS_4).expect("the scale ends at 99");
    if let Err(error) = set_current_thread_priority(ThreadPriority::Crossplatform(value)) {
        warn!(%error, "the store's writer keeps its normal priority; under full load commits may delay messages");
    }
}

/// Niceness 4 on the scale of `thread_priority`, from 0 (niceness 19) to 99 (-20).
#[cfg(target_os = "linux")]
const NICENESS_4: u8 = 38;

/// Elsewhere a priority is that of the whole process.
#[cfg(not(target_os = "linux"))]
fn lower_priority() {}

/// `first` and the requests behind it, up to the size of one transaction.
fn gather(first: Request, requests: &mut mpsc::Receiver<Request>) -> WriteBatch {
    let mut writes = WriteBatch::new();
    let mut rows = 0;
    let mut next = Some(first);
    while let Some(request) = next {
        match request {
            Request::Write(write) => {
                rows += write.rows();
                writes.push_back(write);
            }
            Request::Close => requests.close(),
        }
        let room = writes.len() < BATCH_WRITES && rows < BATCH_ROWS;
        next = if room { requests.try_recv().ok() } else { None };
    }
    writes
}

/// Runs writes from the front in one transaction and reports each result. Returns early, with the rest still
/// waiting, when SQLite gives up the transaction in the middle.
fn transact(db: &Connection, waiting: &mut WriteBatch, commits: &AtomicU64) -> Result<()> {
    if let Err(error) = execute(db, "BEGIN IMMEDIATE") {
        fail(waiting.drain(..), &error);
        return Err(error);
    }
    let mut done = WriteBatch::new();
    while let Some(mut write) = waiting.pop_front() {
        match run_in_savepoint(db, write.as_mut()) {
            Ok(()) => done.push_back(write),
            Err(error) => {
                write.failed(error.clone());
                // A full disk or an I/O error may undo the whole transaction, not the statement alone.
                if db.is_autocommit() {
                    fail(done.drain(..), &error);
                    return Err(error);
                }
            }
        }
    }
    if let Err(error) = execute(db, "COMMIT") {
        if !db.is_autocommit() {
            execute(db, "ROLLBACK")?;
        }
        fail(done.drain(..), &error);
        return Err(error);
    }
    commits.fetch_add(1, Ordering::Relaxed);
    done.into_iter().for_each(QueuedWrite::committed);
    Ok(())
}

/// A write that fails leaves nothing behind.
fn run_in_savepoint(db: &Connection, write: &mut dyn QueuedWrite) -> Result<()> {
    execute(db, "SAVEPOINT job")?;
    let outcome = write.run(db);
    if outcome.is_err() && !db.is_autocommit() {
        execute(db, "ROLLBACK TO job")?;
    }
    if !db.is_autocommit() {
        execute(db, "RELEASE job")?;
    }
    outcome
}

fn fail(writes: impl Iterator<Item = Box<dyn QueuedWrite>>, error: &StoreError) {
    writes.for_each(|write| write.failed(error.clone()));
}

fn execute(db: &Connection, sql: &str) -> Result<()> {
    db.prepare_cached(sql)?.execute([])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// A writer that waits for no lock, and a second connection to the same file.
    fn impatient() -> (Writer, Connection, tempfile::TempDir) {
        let folder = tempfile::TempDir::new().unwrap();
        let open = || Connection::open(folder.path().join("db")).unwrap();
        let (db, other) = (open(), open());
        db.busy_timeout(Duration::ZERO).unwrap();
        db.execute_batch("CREATE TABLE notes (text TEXT NOT NULL)").unwrap();
        (Writer::start(db).unwrap(), other, folder)
    }

    fn note(db: &Connection) -> Result<usize> {
        Ok(db.execute("INSERT INTO notes VALUES ('x')", [])?)
    }

    fn count(db: &Connection) -> Result<i64> {
        Ok(db.query_row("SELECT count(*) FROM notes", [], |row| row.get(0))?)
    }

    #[tokio::test]
    async fn a_locked_file_is_unavailable_and_the_writer_recovers_when_it_is_unlocked() {
        let (writer, other, _folder) = impatient();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        let locked = writer.write(1, note).await;
        assert!(matches!(locked, Err(StoreError::Unavailable(_))), "{locked:?}");
        other.execute_batch("COMMIT").unwrap();
        assert_eq!(writer.write(1, note).await.unwrap(), 1);
        assert_eq!(writer.commits(), 1);
    }

    #[tokio::test]
    async fn a_write_that_panics_leaves_nothing_behind_and_the_writer_continues() {
        let (writer, _other, _folder) = impatient();
        let failed: Result<()> = writer
            .write(1, |db| {
                note(db)?;
                panic!("a bug")
            })
            .await;
        assert!(matches!(failed, Err(StoreError::Corrupt(_))), "{failed:?}");
        assert_eq!(writer.write(1, count).await.unwrap(), 0);
    }

    #[tokio::test]
    #[cfg(target_os = "linux")]
    async fn the_writer_alone_has_niceness_4() {
        // proc_pid_stat(5): the 19th field; the second may hold spaces, in parentheses.
        let niceness = || {
            let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
            stat.rsplit_once(") ").unwrap().1.split(' ').nth(16).unwrap().parse::<i32>().unwrap()
        };
        let before = niceness();
        let (writer, _other, _folder) = impatient();
        assert_eq!(writer.write(1, move |_| Ok(niceness())).await.unwrap(), 4);
        assert_eq!(niceness(), before);
        assert_ne!(before, 4);
    }

    #[tokio::test]
    async fn writes_behind_one_that_lost_the_transaction_are_still_done() {
        let (writer, _other, _folder) = impatient();
        // What a full disk does, on purpose: the whole transaction is undone in the middle of a write.
        let lose = |db: &Connection| -> Result<()> {
            db.execute_batch("ROLLBACK")?;
            Err(StoreError::Unavailable("lost".to_owned()))
        };
        let (before, lost, after) = tokio::join!(
            biased;
            writer.write(1, note),
            writer.write(1, lose),
            writer.write(1, note),
        );
        assert!(matches!(lost, Err(StoreError::Unavailable(_))));
        assert_eq!(after.unwrap(), 1);
        // The first may have been committed before the second began; its result shows it.
        let expected = 1 + i64::from(before.is_ok());
        assert_eq!(writer.write(1, count).await.unwrap(), expected);
    }
}
