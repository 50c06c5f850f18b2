//! What every edge learns through stream `CONTROL`: who is in a conversation now, which session has ended, whose keys changed.

use futures_util::{StreamExt, TryStreamExt, stream};
use natter_nats::{
    message::encode,
    publisher::{PublishError, Publisher},
    subject,
};
use natter_schemas::{
    event::{Event, Kind, LogEntry},
    id::{ConversationId, EventId, SessionId, UserId},
    limits,
    rpc::Control,
};
use natter_store::{Store, StoreError};

/// Memberships published concurrently: half of what a connection may have in flight, so that messages get through.
const AT_ONCE: usize = limits::PUBLISHES_IN_FLIGHT / 2;

/// Why a membership was not published; the persister tries again.
#[derive(Debug, thiserror::Error)]
pub enum NotifyError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Publish(#[from] PublishError),
}

/// Whose membership an event is about.
pub fn concerned(event: &Event) -> Vec<UserId> {
    match &event.kind {
        Kind::Created { members, .. } => members.iter().map(|member| member.user).collect(),
        Kind::MemberAdded { user, .. } | Kind::MemberRemoved { user } | Kind::RoleChanged { user, .. } => {
            vec![*user]
        }
        Kind::Posted { .. }
        | Kind::Edited { .. }
        | Kind::Deleted { .. }
        | Kind::Reacted { .. }
        | Kind::Renamed { .. } => Vec::new(),
    }
}

/// Announces to the members a stored event concerns what they are now.
pub async fn notify_members(
    store: &dyn Store,
    publisher: &Publisher,
    logged: &LogEntry,
) -> Result<(), NotifyError> {
    let (conversation, event) = (logged.event.conversation, logged.event.id);
    let members = concerned(&logged.event).into_iter().map(|user| (conversation, user, event));
    notify_each(store, publisher, members).await
}

/// Announces to each member what they are now, which a later event than the one named may have changed again: an old
/// announcement that arrives late must not bring a former member back. The id is the event's and the member's: the service
/// that made the event and the persister that finds it in the log both publish, and the second copy is dropped as a duplicate.
pub async fn notify_each(
    store: &dyn Store,
    publisher: &Publisher,
    members: impl IntoIterator<Item = (ConversationId, UserId, EventId)>,
) -> Result<(), NotifyError> {
    stream::iter(members)
        .map(|(conversation, user, event)| async move {
            let Some(membership) = store.membership(conversation, user).await? else { return Ok(()) };
            let payload = encode(&Control::Membership(membership));
            publisher.publish(subject::control_user(user), &format!("{event}:{user}"), payload).await?;
            Ok(())
        })
        .buffer_unordered(AT_ONCE)
        .try_for_each(|()| async { Ok(()) })
        .await
}

pub async fn publish_session_ended(publisher: &Publisher, session: SessionId) -> Result<(), PublishError> {
    let id = format!("ended:{session}");
    publisher.publish(subject::control_session(session), &id, encode(&Control::SessionEnded)).await?;
    Ok(())
}

/// After a change is stored: edges load again whether this direct conversation of both is blocked.
pub async fn publish_block_changed(
    publisher: &Publisher,
    users: [UserId; 2],
    conversation: ConversationId,
    lifted: bool,
) -> Result<(), PublishError> {
    // Each change is announced for itself: two within a millisecond must not be taken for one.
    let change = EventId::fresh();
    for user in users {
        let id = format!("block:{change}:{user}");
        let control = Control::BlockChanged { conversation, lifted };
        publisher.publish(subject::control_user(user), &id, encode(&control)).await?;
    }
    Ok(())
}

/// After a change of users' keys is stored: whoever knows one of theirs asks for it again.
pub async fn publish_keys_changed(publisher: &Publisher, users: &[UserId]) -> Result<(), PublishError> {
    let change = EventId::fresh();
    stream::iter(users.to_owned())
        .map(|user| async move {
            let (subject, id) = (subject::control_user(user), format!("keys:{change}:{user}"));
            publisher.publish(subject, &id, encode(&Control::KeysChanged)).await.map(drop)
        })
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await
}
