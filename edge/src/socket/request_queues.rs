//! The requests of one socket that wait for a service: one at a time per conversation, so a retry never overtakes,
//! conversations side by side. Nothing is spawned: the socket's own task drives them.

use std::{
    collections::{HashMap, VecDeque},
    future::Future,
    pin::Pin,
};

use futures_util::{StreamExt, stream::FuturesUnordered};
use natter_schemas::id::ConversationId;

/// Where a request waits for those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RequestQueue {
    /// Commands, joins and leaves of a conversation.
    Commands(ConversationId),
    /// Read marks of a conversation: they wait for each other, and nothing waits for them.
    ReadMarks(ConversationId),
    /// What is about the socket itself.
    Socket,
}

pub type Request = Pin<Box<dyn Future<Output = ()> + Send>>;

#[derive(Default)]
pub struct RequestQueues {
    /// Requests behind the running one of their queue; a queue with a running request has an entry.
    waiting: HashMap<RequestQueue, VecDeque<Request>>,
    running: FuturesUnordered<Pin<Box<dyn Future<Output = RequestQueue> + Send>>>,
    count: usize,
}

impl RequestQueues {
    /// Requests not answered yet.
    pub fn len(&self) -> usize {
        self.count
    }

    pub fn add(&mut self, queue: RequestQueue, request: Request) {
        self.count += 1;
        match self.waiting.get_mut(&queue) {
            Some(waiting) => waiting.push_back(request),
            None => {
                self.waiting.insert(queue, VecDeque::new());
                self.run(queue, request);
            }
        }
    }

    /// Drives the requests; resolves when one is done, never when there is none.
    pub async fn progress(&mut self) {
        match self.running.next().await {
            Some(queue) => self.finished(queue),
            None => std::future::pending().await,
        }
    }

    fn finished(&mut self, queue: RequestQueue) {
        self.count -= 1;
        match self.waiting.get_mut(&queue).and_then(VecDeque::pop_front) {
            Some(request) => self.run(queue, request),
            None => {
                self.waiting.remove(&queue);
            }
        }
    }

    fn run(&mut self, queue: RequestQueue, request: Request) {
        self.running.push(Box::pin(async move {
            request.await;
            queue
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
        let done = Arc::new(Mutex::new(Vec::new()));
        let (release, held) = oneshot::channel::<()>();
        let request = |name: &'static str| {
            let done = done.clone();
            Box::pin(async move { done.lock().push(name) }) as Request
        };
        let a = RequestQueue::Commands(ConversationId::fresh());
        let b = RequestQueue::Commands(ConversationId::fresh());
        let mut queues = RequestQueues::default();
        queues.add(a, Box::pin(async move { held.await.expect("is released") }));
        queues.add(a, request("a after the slow one"));
        queues.add(b, request("b"));
        queues.progress().await;
        assert_eq!((done.lock().clone(), queues.len()), (vec!["b"], 2));
        release.send(()).expect("the request waits");
        queues.progress().await;
        queues.progress().await;
        assert_eq!((done.lock().clone(), queues.len()), (vec!["b", "a after the slow one"], 0));
    }
}
