//! Changes of a group as the audit log has them. The conversation's own log has them, too, without the client's address.

use std::net::IpAddr;

use natter_schemas::{
    audit::Act,
    event::{Event, Kind, LogEntry, Role},
};

use super::Conversations;

impl Conversations {
    pub(super) async fn record(&self, stored: &[LogEntry], client: Option<IpAddr>) {
        for act in stored.iter().filter_map(|logged| act(&logged.event)) {
            self.audit.record(act, client).await;
        }
    }
}

fn act(event: &Event) -> Option<Act> {
    let (conversation, by) = (event.conversation, event.author);
    match event.kind {
        Kind::RoleChanged { user, role: Role::Owner } => Some(Act::OwnerChanged { conversation, by, user }),
        Kind::RoleChanged { user, role } => Some(Act::RoleChanged { conversation, by, user, role }),
        Kind::MemberRemoved { user } => Some(Act::MemberRemoved { conversation, by, user }),
        Kind::Created { .. }
        | Kind::Posted { .. }
        | Kind::Edited { .. }
        | Kind::Deleted { .. }
        | Kind::Reacted { .. }
        | Kind::Renamed { .. }
        | Kind::MemberAdded { .. } => None,
    }
}
