//! Threads for hashing. On Linux they give way to everything else that runs: a storm of log-ins must not be felt by those who
//! are talking. Where that leaves them no core for a while, one thread takes a share of its own: log-ins get slow, and go on.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

use parking_lot::Mutex;
#[cfg(target_os = "linux")]
use thread_priority::{
    NormalThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy, set_current_thread_priority,
    set_thread_priority_and_policy, thread_native_id,
};
use tokio::{
    sync::{Semaphore, oneshot},
    time::{Instant, sleep_until},
};
use tracing::error;

/// A hash takes some 20 ms of a core: threads that have neither begun nor ended one for so long get none.
const STARVED_AFTER: Duration = Duration::from_millis(500);

pub struct HashThreads {
    idle: Threads,
    /// Its thread has a share of the cores however busy they are. It repeats what the idle ones did not get done.
    sharing: Threads,
}

impl HashThreads {
    pub fn start(threads: usize) -> io::Result<Self> {
        Ok(Self {
            idle: Threads::start(threads, run_when_idle)?,
            sharing: Threads::start(1, run_at_low_priority)?,
        })
    }

    /// `None` when the work panicked, or the process is stopping.
    pub async fn run<T: Send + 'static>(&self, work: impl Fn() -> T + Send + Sync + 'static) -> Option<T> {
        let work = Arc::new(work);
        let shared = async {
            self.idle.starved().await;
            self.sharing.run(Arc::clone(&work)).await
        };
        tokio::select! {
            // First, as what is begun on an idle thread shows by then.
            biased;
            done = self.idle.run(Arc::clone(&work)) => done,
            done = shared => done,
        }
    }
}

#[cfg(test)]
impl HashThreads {
    /// All idle threads are busy until this is dropped.
    pub async fn hold(&self, threads: u32) -> tokio::sync::OwnedSemaphorePermit {
        Arc::clone(&self.idle.free).acquire_many_owned(threads).await.unwrap()
    }
}

type Job = Box<dyn FnOnce() + Send>;

/// They end when this is dropped, after what waits for them.
struct Threads {
    jobs: mpsc::SyncSender<Job>,
    free: Arc<Semaphore>,
    /// When one of them began or ended something last.
    moved_at: Arc<Mutex<Instant>>,
}

impl Threads {
    fn start(threads: usize, set_priority: fn()) -> io::Result<Self> {
        let (jobs, waiting) = mpsc::sync_channel::<Job>(threads);
        let waiting = Arc::new(Mutex::new(waiting));
        for _ in 0..threads {
            let waiting = Arc::clone(&waiting);
            thread::Builder::new().name("hashing".to_owned()).spawn(move || {
                set_priority();
                work(&waiting);
            })?;
        }
        let (free, moved_at) = (Arc::new(Semaphore::new(threads)), Arc::new(Mutex::new(Instant::now())));
        Ok(Self { jobs, free, moved_at })
    }

    async fn run<T: Send + 'static>(&self, work: Arc<impl Fn() -> T + Send + Sync + 'static>) -> Option<T> {
        // Held as long as the thread works, even when no caller waits for it any more.
        let busy = Arc::clone(&self.free).acquire_owned().await.ok()?;
        let moved_at = Arc::clone(&self.moved_at);
        *moved_at.lock() = Instant::now();
        let (done, result) = oneshot::channel();
        let job = move || {
            let made = work();
            *moved_at.lock() = Instant::now();
            drop(busy);
            // Its caller may have gone.
            drop(done.send(made));
        };
        self.jobs.try_send(Box::new(job)).ok()?;
        result.await.ok()
    }

    /// Settles once all are busy, and none of them gets on.
    async fn starved(&self) {
        loop {
            let before = *self.moved_at.lock();
            sleep_until(before + STARVED_AFTER).await;
            if *self.moved_at.lock() == before {
                return;
            }
        }
    }
}

fn work(waiting: &Mutex<mpsc::Receiver<Job>>) {
    loop {
        let next = waiting.lock().recv();
        let Ok(job) = next else { return };
        if catch_unwind(AssertUnwindSafe(job)).is_err() {
            error!("a hash panicked on its thread; its caller gets an error");
        }
    }
}

/// `SCHED_IDLE` (sched(7)): a thread that wakes takes the core at once, and a core with nothing else to do counts as free. A
/// thread of low priority has its slice first, up to the next tick of the clock. While others fill all cores, three
/// thousandths of one are left to such a thread. Elsewhere a policy is that of the whole process.
#[cfg(target_os = "linux")]
fn run_when_idle() {
    let idle = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);
    // When refused, it costs nothing but the favour.
    let _ = set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, idle);
}

/// A niceness of 9: beside a thread of usual priority it gets an eighth of what that gets.
#[cfg(target_os = "linux")]
fn run_at_low_priority() {
    let quarter = 25_u8.try_into().map_or(ThreadPriority::Min, ThreadPriority::Crossplatform);
    let _ = set_current_thread_priority(quarter);
}

#[cfg(not(target_os = "linux"))]
fn run_when_idle() {}

#[cfg(not(target_os = "linux"))]
fn run_at_low_priority() {}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;

    #[tokio::test]
    async fn work_that_panics_does_not_end_its_thread() {
        let threads = HashThreads::start(1).unwrap();
        assert_eq!(threads.run(|| panic!("a defect")).await, None::<()>);
        assert_eq!(threads.run(|| 7).await, Some(7));
    }

    #[cfg(target_os = "linux")]
    mod priorities {
        use thread_priority::{ThreadSchedulePolicy, thread_schedule_policy};

        use super::*;

        const IDLE: ThreadSchedulePolicy = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);

        fn policy() -> ThreadSchedulePolicy {
            thread_schedule_policy().unwrap()
        }

        #[tokio::test]
        async fn only_its_own_threads_give_way() {
            let before = policy();
            let threads = HashThreads::start(1).unwrap();
            assert_eq!(threads.run(policy).await, Some(IDLE));
            assert_eq!(policy(), before);
            assert_ne!(before, IDLE);
        }

        #[tokio::test]
        async fn work_that_gets_no_core_is_done_on_a_thread_with_a_share() {
            let threads = HashThreads::start(1).unwrap();
            let starving = Arc::new(Barrier::new(2));
            let barrier = Arc::clone(&starving);
            let work = move || {
                if policy() == IDLE {
                    barrier.wait();
                }
                policy()
            };
            assert_ne!(threads.run(work).await, Some(IDLE), "what an idle thread has begun");
            assert_ne!(threads.run(policy).await, Some(IDLE), "what waits for it");
            starving.wait();
            drop(threads.hold(1).await);
            assert_eq!(threads.run(policy).await, Some(IDLE), "it gets on again");
        }

        #[tokio::test]
        async fn work_that_waits_its_turn_is_done_on_idle_threads() {
            let threads = HashThreads::start(1).unwrap();
            let (step, steps) = (STARVED_AFTER / 5, 10);
            let work = move || {
                thread::park_timeout(step);
                policy()
            };
            let policies = futures_util::future::join_all((0..steps).map(|_| threads.run(work))).await;
            assert!(policies.iter().all(|policy| *policy == Some(IDLE)), "{policies:?}");
        }
    }
}
