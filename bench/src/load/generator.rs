//! The thread that the engine runs on.

use std::{
    sync::{Arc, mpsc},
    thread::JoinHandle,
};

use anyhow::Context as _;

use super::{
    engine::{self, Engine},
    plan::GeneratorConfig,
    progress::Progress,
};

type Task = Box<dyn FnOnce(&mut Engine) + Send>;

/// The thread with the engine. Between tasks it answers pings.
pub struct Generator {
    tasks: Option<mpsc::SyncSender<Task>>,
    thread: Option<JoinHandle<()>>,
    pub progress: Arc<Progress>,
}

impl Generator {
    pub fn start(generator_config: GeneratorConfig) -> anyhow::Result<Self> {
        let (tasks, inbox) = mpsc::sync_channel::<Task>(1);
        let progress = Arc::new(Progress::default());
        let mut engine = Engine::new(generator_config, Arc::clone(&progress))?;
        let thread = std::thread::Builder::new().name("generator".to_owned()).spawn(move || {
            engine.stay_on_its_core();
            loop {
                match inbox.try_recv() {
                    Ok(task) => task(&mut engine),
                    Err(mpsc::TryRecvError::Empty) => engine.turn(engine::IDLE),
                    Err(mpsc::TryRecvError::Disconnected) => return,
                }
            }
        })?;
        Ok(Self { tasks: Some(tasks), thread: Some(thread), progress })
    }

    /// Runs a task on the engine's thread; the receiver gets what came of it.
    pub fn begin<T: Send + 'static>(
        &self,
        task: impl FnOnce(&mut Engine) -> T + Send + 'static,
    ) -> anyhow::Result<mpsc::Receiver<T>> {
        let (done, answer) = mpsc::sync_channel(1);
        let task: Task = Box::new(move |engine| {
            let _ = done.send(task(engine));
        });
        self.tasks.as_ref().and_then(|tasks| tasks.send(task).ok()).context("the generator has ended")?;
        Ok(answer)
    }
}

impl Drop for Generator {
    fn drop(&mut self) {
        self.tasks = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
