use natter_schemas::{
    code::Code,
    event::{Kind, LogEntry, Role, Shape},
    id::EventId,
    rest::check,
    rpc::{Rename, RpcError},
};

use super::{Conversations, record};
use crate::services::Failure;

impl Conversations {
    pub(super) async fn rename(&self, call: Rename) -> Result<LogEntry, Failure> {
        check::name(&call.name, &self.limits).map_err(|_| RpcError::invalid("name"))?;
        let membership = self.store.membership(call.conversation, call.user).await?.ok_or(Code::NotFound)?;
        let role = membership.role.ok_or(Code::NotFound)?;
        if membership.shape == Shape::Direct || role < Role::Admin {
            return Err(Code::Forbidden.into());
        }
        let kind = Kind::Renamed { name: call.name };
        let event = record::event(EventId::fresh(), call.conversation, call.user, kind, call.traceparent);
        let logged = self.publish(event).await?.entry;
        self.apply(std::slice::from_ref(&logged)).await?;
        Ok(logged)
    }
}
