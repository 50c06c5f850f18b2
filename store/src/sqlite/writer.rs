//! Calls that change something: one thread, one transaction for all that wait, one fsync for the transaction.
//!
//! Arrives: jobs through a bounded queue; when it is full, callers wait. Leaves: each job's answer, after the
//! commit. Fails: a job alone when it is the job's fault, everything of a transaction that the disk refused.

use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread::JoinHandle,
};

use parking_lot::Mutex;
use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};
use tracing::{error, warn};

use super::failure::closed;
use crate::{Result, StoreError};

/// Jobs waiting for the thread: four full transactions.
const QUEUE: usize = 1_024;
/// Jobs of one transaction: 256 × about 0.1 ms keeps a commit near the cost of its fsync.
const JOBS: usize = 256;
/// Events of one transaction: 4,096 × 8 KiB = 32 MiB in the WAL at the very worst.
const WEIGHT: usize = 4_096;

pub struct Writer {
    queue: mpsc::Sender<Order>,
    thread: Mutex<Option<JoinHandle<()>>>,
    commits: Arc<AtomicU64>,
}

enum Order {
    Run(Box<dyn Job>),
    /// Nothing is taken in after this; what is queued is still done.
    Close,
}

impl Writer {
    pub fn start(db: Connection) -> Result<Self> {
        let (queue, orders) = mpsc::channel(QUEUE);
        let commits = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&commits);
        let thread = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || run(&db, orders, &counter))
            .map_err(|e| StoreError::Unavailable(format!("no thread for writing: {e}")))?;
        Ok(Self { queue, thread: Mutex::new(Some(thread)), commits })
    }

    /// Queues `work`; answers when it is committed and synced. `weight`: about how many rows it writes.
    pub async fn write<T, F>(&self, weight: usize, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job = Pending { weight, work: Some(work), result: None, reply };
        self.queue.send(Order::Run(Box::new(job))).await.map_err(|_| closed())?;
        answer.await.map_err(|_| closed())?
    }

    pub fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }

    pub async fn close(&self) {
        // An error says that it is closed already.
        let _ = self.queue.send(Order::Close).await;
        let thread = self.thread.lock().take();
        if let Some(thread) = thread {
            let ended = tokio::task::spawn_blocking(move || thread.join()).await;
            if !matches!(ended, Ok(Ok(()))) {
                error!("the store's writer ended by a panic");
            }
        }
    }
}

/// A write that is queued, of whatever type its answer is.
trait Job: Send {
    fn weight(&self) -> usize;
    /// Once. Keeps the result for `committed`.
    fn run(&mut self, db: &Connection) -> Result<()>;
    fn committed(self: Box<Self>);
    fn failed(self: Box<Self>, error: StoreError);
}

struct Pending<T, F> {
    weight: usize,
    work: Option<F>,
    result: Option<T>,
    reply: oneshot::Sender<Result<T>>,
}

impl<T: Send, F: FnOnce(&Connection) -> Result<T> + Send> Job for Pending<T, F> {
    fn weight(&self) -> usize {
        self.weight
    }

    fn run(&mut self, db: &Connection) -> Result<()> {
        let Some(work) = self.work.take() else { return Ok(()) };
        // A bug in one job must not end the thread: every later write of the process would fail.
        let result = catch_unwind(AssertUnwindSafe(|| work(db)))
            .unwrap_or_else(|_| Err(StoreError::Corrupt("a write panicked".to_owned())));
        self.result = Some(result?);
        Ok(())
    }

    // Callers may have stopped waiting: an answer nobody takes is dropped.
    fn committed(self: Box<Self>) {
        if let Some(result) = self.result {
            let _ = self.reply.send(Ok(result));
        }
    }

    fn failed(self: Box<Self>, error: StoreError) {
        let _ = self.reply.send(Err(error));
    }
}

type Jobs = VecDeque<Box<dyn Job>>;

fn run(db: &Connection, mut orders: mpsc::Receiver<Order>, commits: &AtomicU64) {
    give_way();
    while let Some(first) = orders.blocking_recv() {
        let mut waiting = gather(first, &mut orders);
        while !waiting.is_empty() {
            if let Err(error) = transact(db, &mut waiting, commits) {
                warn!(%error, "a transaction was not committed");
            }
        }
    }
}

/// A commit of a thousand events is 20 ms of work that nobody waits for: on a full core those who talk go first. Four
/// steps of niceness leave it two fifths of an equal share, twice what it needs at the rate that fills a core.
#[cfg(target_os = "linux")]
fn give_way() {
    // RpcError it costs nothing but the favour.
    let _ = rustix::process::setpriority_process(None, 4);
}

/// Elsewhere a priority is that of the whole process.
#[cfg(not(target_os = "linux"))]
fn give_way() {}

/// `first` and whatever waits behind it, as far as one transaction goes.
fn gather(first: Order, orders: &mut mpsc::Receiver<Order>) -> Jobs {
    let mut jobs = Jobs::new();
    let mut weight = 0;
    let mut next = Some(first);
    while let Some(order) = next {
        match order {
            Order::Run(job) => {
                weight += job.weight();
                jobs.push_back(job);
            }
            Order::Close => orders.close(),
        }
        let room = jobs.len() < JOBS && weight < WEIGHT;
        next = if room { orders.try_recv().ok() } else { None };
    }
    jobs
}

/// Runs jobs from the front in one transaction and answers each of them. Returns early, with the rest still
/// waiting, when SQLite gives up the transaction in the middle.
fn transact(db: &Connection, waiting: &mut Jobs, commits: &AtomicU64) -> Result<()> {
    if let Err(error) = execute(db, "BEGIN IMMEDIATE") {
        fail(waiting.drain(..), &error);
        return Err(error);
    }
    let mut done = Jobs::new();
    while let Some(mut job) = waiting.pop_front() {
        match in_savepoint(db, job.as_mut()) {
            Ok(()) => done.push_back(job),
            Err(error) => {
                job.failed(error.clone());
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
    done.into_iter().for_each(Job::committed);
    Ok(())
}

/// A job that fails leaves nothing behind.
fn in_savepoint(db: &Connection, job: &mut dyn Job) -> Result<()> {
    execute(db, "SAVEPOINT job")?;
    let outcome = job.run(db);
    if outcome.is_err() && !db.is_autocommit() {
        execute(db, "ROLLBACK TO job")?;
    }
    if !db.is_autocommit() {
        execute(db, "RELEASE job")?;
    }
    outcome
}

fn fail(jobs: impl Iterator<Item = Box<dyn Job>>, error: &StoreError) {
    jobs.for_each(|job| job.failed(error.clone()));
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
    async fn a_locked_file_is_unavailable_and_the_writer_goes_on_when_it_is_free() {
        let (writer, other, _folder) = impatient();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        let locked = writer.write(1, note).await;
        assert!(matches!(locked, Err(StoreError::Unavailable(_))), "{locked:?}");
        other.execute_batch("COMMIT").unwrap();
        assert_eq!(writer.write(1, note).await.unwrap(), 1);
        assert_eq!(writer.commits(), 1);
    }

    #[tokio::test]
    async fn a_job_that_panics_leaves_nothing_behind_and_the_writer_goes_on() {
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
    async fn jobs_behind_one_that_lost_the_transaction_are_still_done() {
        let (writer, _other, _folder) = impatient();
        // What a full disk does, on purpose: the whole transaction is undone in the middle of a job.
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
        // The first may have been committed before the second began; its answer says so.
        let expected = 1 + i64::from(before.is_ok());
        assert_eq!(writer.write(1, count).await.unwrap(), expected);
    }
}
