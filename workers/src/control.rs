//! What every edge is told through stream `CONTROL`: who is in a conversation now, which session has ended.

use futures_util::{StreamExt, TryStreamExt, stream};
use nats::{
    publisher::{PublishError, Publisher},
    subject,
};
use schemas::{
    event::{Event, Kind, Logged, Role, Shape, Timestamp},
    id::{ConversationId, Seq, SessionId, UserId},
    limits,
    rpc::{Control, Membership},
};

/// Members told at once: half of what a connection may have in flight, so that messages get through.
const AT_ONCE: usize = limits::PUBLISHES_IN_FLIGHT / 2;

/// What an event changes about who is in.
pub fn memberships(logged: &Logged) -> Vec<(UserId, Membership)> {
    let Logged { seq, event } = logged;
    match &event.kind {
        Kind::Created { shape, members, .. } => {
            members.iter().map(|m| (m.user, membership(*seq, event, *shape, Some(m.role)))).collect()
        }
        // Only groups change their members.
        Kind::MemberAdded { user, role } | Kind::RoleChanged { user, role } => {
            vec![(*user, membership(*seq, event, Shape::Group, Some(*role)))]
        }
        Kind::MemberRemoved { user } => vec![(*user, membership(*seq, event, Shape::Group, None))],
        Kind::Posted { .. }
        | Kind::Edited { .. }
        | Kind::Deleted { .. }
        | Kind::Reacted { .. }
        | Kind::Renamed { .. } => Vec::new(),
    }
}

fn membership(seq: Seq, event: &Event, shape: Shape, role: Option<Role>) -> Membership {
    Membership { conversation: event.conversation, shape, role, version: seq }
}

/// Tells the members an event concerns. The id is the event's and the member's: the service that made the
/// event and the persister that finds it in the log both call this, and the second time falls away.
pub async fn tell_members(publisher: &Publisher, logged: &Logged) -> Result<(), PublishError> {
    stream::iter(memberships(logged))
        .map(|(user, membership)| async move {
            let id = format!("{}:{user}", logged.event.id);
            let payload = encode(&Control::Membership(membership));
            publisher.publish(subject::control_user(user), &id, payload).await
        })
        .buffer_unordered(AT_ONCE)
        .try_for_each(|_| async { Ok(()) })
        .await
}

pub async fn tell_session_ended(publisher: &Publisher, session: SessionId) -> Result<(), PublishError> {
    let id = format!("ended:{session}");
    publisher.publish(subject::control_session(session), &id, encode(&Control::SessionEnded)).await?;
    Ok(())
}

/// Tells both sides of a direct conversation whether it is blocked.
pub async fn tell_blocked(
    publisher: &Publisher,
    users: [UserId; 2],
    conversation: ConversationId,
    blocked: bool,
    at: Timestamp,
) -> Result<(), PublishError> {
    for user in users {
        let id = format!("block:{conversation}:{user}:{}", at.0);
        let control = Control::Blocked { conversation, blocked, at };
        publisher.publish(subject::control_user(user), &id, encode(&control)).await?;
    }
    Ok(())
}

fn encode(control: &Control) -> bytes::Bytes {
    postcard::to_allocvec(control)
        .expect("postcard into a Vec fails only for lengths unknown up front")
        .into()
}
