//! The requests of one socket that wait for somebody: one at a time per conversation, so a retry never
//! overtakes, conversations side by side. Nothing is spawned: the socket's own task drives them.

use std::{
    collections::{HashMap, VecDeque},
    future::Future,
    pin::Pin,
};

use futures_util::{StreamExt, stream::FuturesUnordered};
use natter_schemas::id::ConversationId;

/// Where a request queues.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Lane {
    /// What is said into a conversation.
    Says(ConversationId),
    /// Read marks of a conversation: they wait for each other, and nothing waits for them.
    Reads(ConversationId),
    /// What is about the socket itself.
    Socket,
}

pub type Request = Pin<Box<dyn Future<Output = ()> + Send>>;

#[derive(Default)]
pub struct Lanes {
    /// Requests behind the running one of their lane; a lane with a running request has an entry.
    waiting: HashMap<Lane, VecDeque<Request>>,
    running: FuturesUnordered<Pin<Box<dyn Future<Output = Lane> + Send>>>,
    count: usize,
}

impl Lanes {
    /// Requests not answered yet.
    pub fn len(&self) -> usize {
        self.count
    }

    pub fn add(&mut self, lane: Lane, request: Request) {
        self.count += 1;
        match self.waiting.get_mut(&lane) {
            Some(queue) => queue.push_back(request),
            None => {
                self.waiting.insert(lane, VecDeque::new());
                self.run(lane, request);
            }
        }
    }

    /// Drives the requests; resolves when one is done, never when there is none.
    pub async fn progress(&mut self) {
        match self.running.next().await {
            Some(lane) => self.finished(lane),
            None => std::future::pending().await,
        }
    }

    fn finished(&mut self, lane: Lane) {
        self.count -= 1;
        match self.waiting.get_mut(&lane).and_then(VecDeque::pop_front) {
            Some(request) => self.run(lane, request),
            None => {
                self.waiting.remove(&lane);
            }
        }
    }

    fn run(&mut self, lane: Lane, request: Request) {
        self.running.push(Box::pin(async move {
            request.await;
            lane
        }));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parking_lot::Mutex;
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn one_at_a_time_per_conversation_and_conversations_side_by_side() {
        let log = Arc::new(Mutex::new(Vec::new()));
        let (release, held) = oneshot::channel::<()>();
        let say = |word: &'static str| {
            let log = log.clone();
            Box::pin(async move { log.lock().push(word) }) as Request
        };
        let (a, b) = (Lane::Says(ConversationId::fresh()), Lane::Says(ConversationId::fresh()));
        let mut lanes = Lanes::default();
        lanes.add(a, Box::pin(async move { held.await.expect("is released") }));
        lanes.add(a, say("a after the slow one"));
        lanes.add(b, say("b"));
        lanes.progress().await;
        assert_eq!((log.lock().clone(), lanes.len()), (vec!["b"], 2));
        release.send(()).expect("somebody waits");
        lanes.progress().await;
        lanes.progress().await;
        assert_eq!((log.lock().clone(), lanes.len()), (vec!["b", "a after the slow one"], 0));
    }
}
