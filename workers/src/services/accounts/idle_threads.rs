//! Threads for work that may take its time. On Linux they give way to everything else that runs: a storm of log-ins
//! must not be felt by those who are talking.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, mpsc},
    thread,
};

use parking_lot::Mutex;
#[cfg(target_os = "linux")]
use thread_priority::{
    NormalThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy, set_thread_priority_and_policy,
    thread_native_id,
};
use tokio::sync::oneshot;
use tracing::error;

type Job = Box<dyn FnOnce() + Send>;

/// The threads end when this is dropped, after what waits for them.
pub struct IdleThreads {
    jobs: mpsc::SyncSender<Job>,
}

impl IdleThreads {
    pub fn start(threads: usize) -> io::Result<Self> {
        let (jobs, waiting) = mpsc::sync_channel::<Job>(threads);
        let waiting = Arc::new(Mutex::new(waiting));
        for _ in 0..threads {
            let waiting = Arc::clone(&waiting);
            thread::Builder::new().name("hashing".to_owned()).spawn(move || work(&waiting))?;
        }
        Ok(Self { jobs })
    }

    /// `None` when the work panicked, or when there is more of it than there are threads: the caller sees to that.
    pub async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        let (done, result) = oneshot::channel();
        // Its caller may have gone.
        let job = Box::new(move || drop(done.send(work())));
        self.jobs.try_send(job).ok()?;
        result.await.ok()
    }
}

fn work(waiting: &Mutex<mpsc::Receiver<Job>>) {
    run_when_idle();
    loop {
        let next = waiting.lock().recv();
        let Ok(job) = next else { return };
        if catch_unwind(AssertUnwindSafe(job)).is_err() {
            error!("a hash on an idle-priority thread panicked; its caller gets an error");
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

#[cfg(not(target_os = "linux"))]
fn run_when_idle() {}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_that_panics_does_not_end_its_thread() {
        let threads = IdleThreads::start(1).unwrap();
        assert_eq!(threads.run(|| panic!("a defect")).await, None::<()>);
        assert_eq!(threads.run(|| 7).await, Some(7));
    }

    #[tokio::test]
    #[cfg(target_os = "linux")]
    async fn only_its_own_threads_give_way() {
        let policy = || thread_priority::thread_schedule_policy().unwrap();
        let before = policy();
        let threads = IdleThreads::start(1).unwrap();
        let idle = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);
        assert_eq!(threads.run(policy).await, Some(idle));
        assert_eq!(policy(), before);
        assert_ne!(before, idle);
    }
}
