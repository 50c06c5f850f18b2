use natter_schemas::{
    code::Code,
    event::{Kind, LogEntry, Role},
    rest::check,
    rpc::{Rename, RpcError},
};

use super::{Conversations, decide::Request};
use crate::services::Failure;

impl Conversations {
    pub(super) async fn rename(&self, call: Rename) -> Result<LogEntry, Failure> {
        let Rename { user: by, conversation, name, traceparent } = call;
        let name = check::normalized_name(&name, &self.limits).map_err(|_| RpcError::invalid("name"))?;
        let request = Request { by, conversation, returns: false, traceparent };
        let stored = self
            .change(request, |group| {
                if group.role < Role::Admin {
                    return Err(Code::Forbidden.into());
                }
                Ok(vec![Kind::Renamed { name: name.clone() }])
            })
            .await?;
        stored.into_iter().next().ok_or(Failure::Broken("a rename without an event"))
    }
}
