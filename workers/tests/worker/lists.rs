//! What the list and the inbox of an account with many conversations cost.

use std::sync::atomic::Ordering;

use crate::harness::{Harness, event, posted};
use futures_util::{StreamExt, TryStreamExt, stream};
use natter_schemas::{
    event::{Kind, Member, Role, Shape},
    id::{ConversationId, UserId},
    rpc::{ListConversations, ListInbox},
};
use natter_workers::Job;

const SERVICES: [Job; 2] = [Job::Conversations, Job::History];
const CONVERSATIONS: usize = 1_500;

/// A user with many groups, all of them persisted and read.
async fn popular() -> (Harness, UserId, UserId, Vec<ConversationId>) {
    let mut harness = Harness::with(&[]).await;
    let (user, friend) = (harness.person("popular").await, harness.person("friend").await);
    let opened = stream::iter(0..CONVERSATIONS).map(|_| async {
        let conversation = ConversationId::fresh();
        let members = [user, friend].map(|user| Member { user, role: Role::Member }).to_vec();
        let created = Kind::Created { shape: Shape::Group, name: None, members };
        harness.publish(&event(friend, conversation, created)).await;
        Ok::<_, ()>(conversation)
    });
    let conversations = opened.buffered(100).try_collect().await.unwrap();
    harness.settle(&SERVICES).await;
    (harness, user, friend, conversations)
}

/// A message of so many seconds after now: the order of a list is that of whole milliseconds.
async fn say(harness: &Harness, author: UserId, conversation: ConversationId, later: i64) {
    let mut message = event(author, conversation, posted("hello"));
    message.at.0 += later * 1_000;
    harness.publish(&message).await;
}

/// Calls of the store and messages of the log.
async fn cost<T>(harness: &Harness, call: impl AsyncFnOnce() -> T) -> (T, usize, u64) {
    let received = || harness.dependencies.client.statistics().in_messages.load(Ordering::Relaxed);
    let before = (harness.store.calls(), received());
    let answer = call().await;
    (answer, harness.store.calls() - before.0, received() - before.1)
}

#[tokio::test]
async fn a_list_and_an_inbox_cost_what_they_show() {
    let (mut harness, user, friend, conversations) = popular().await;
    for (n, later) in [(3, 1), (500, 2), (900, 3)] {
        say(&harness, friend, conversations[n], later).await;
    }
    harness.settle(&SERVICES).await;
    for (n, later) in [(500, 4), (7, 5)] {
        say(&harness, friend, conversations[n], later).await;
    }

    for _ in 0..2 {
        let list = ListConversations { user, limit: 10, after: None };
        let (list, calls, messages) = cost(&harness, async || harness.rpc.call(&list).await.unwrap()).await;
        let newest: Vec<ConversationId> = list.items.iter().take(4).map(|item| item.id).collect();
        assert_eq!(newest, [7, 500, 900, 3].map(|n: usize| conversations[n]));
        assert!(calls < 100 && messages < 100, "a list: {calls} calls of the store, {messages} messages");

        let inbox = ListInbox { user, after: None };
        let (inbox, calls, messages) = cost(&harness, async || harness.rpc.call(&inbox).await.unwrap()).await;
        assert_eq!(inbox.total, 5);
        let unread: Vec<_> = inbox.items.iter().map(|item| (item.conversation, item.unread)).collect();
        let expected = [(7, 1), (500, 2), (900, 1), (3, 1)];
        assert_eq!(unread, expected.map(|(n, unread): (usize, usize)| (conversations[n], unread)));
        assert!(calls < 100 && messages < 100, "an inbox: {calls} calls of the store, {messages} messages");
    }
}
