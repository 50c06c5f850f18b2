//! Who reads a conversation is checked before any handler runs.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use futures_util::future::{BoxFuture, ready};
use natter_nats::service::AccessCheck;
use natter_schemas::{
    code::Code,
    id::{ConversationId, UserId},
    rpc::{Access, Call, Proof, Proven, Reads, RpcError, Service, UserRead},
};
use serde::{Deserialize, Serialize};

use super::fixture;

/// A call of one user about one conversation.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Look {
    user: UserId,
    conversation: ConversationId,
}

impl Access for Look {
    fn reads(&self) -> Reads {
        Reads::ForUsers(vec![UserRead { user: self.user, conversation: self.conversation }])
    }
}

impl Proven for Look {
    fn proof(&self) -> Proof {
        Proof::Nothing
    }
}

impl Call for Look {
    type Reply = ();
    const SERVICE: Service = Service::History;
    const NAME: &'static str = "look";
}

/// One user is in every conversation, and no other in any.
struct OnlyOne(UserId);

impl AccessCheck for OnlyOne {
    fn check<'a>(&'a self, _: &'static str, reads: &'a [UserRead]) -> BoxFuture<'a, Result<(), RpcError>> {
        let all = reads.iter().all(|read| read.user == self.0);
        Box::pin(ready(if all { Ok(()) } else { Err(Code::NotFound.into()) }))
    }
}

#[tokio::test]
async fn no_handler_runs_for_a_reader_who_is_refused() {
    let f = fixture().await;
    let (user, conversation) = (UserId::fresh(), ConversationId::fresh());
    let handled = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&handled);
    let mut host = f.host_with(Arc::new(OnlyOne(user))).await;
    let look = move |Look { .. }| {
        counted.fetch_add(1, Ordering::Relaxed);
        ready(Ok(()))
    };
    host.serve::<Look, _, _>(look).await.unwrap();
    let refused = f.rpc.call(&Look { user: UserId::fresh(), conversation }).await;
    assert_eq!(refused, Err(Code::NotFound.into()));
    assert_eq!(handled.load(Ordering::Relaxed), 0);
    assert_eq!(f.rpc.call(&Look { user, conversation }).await, Ok(()));
    assert_eq!(handled.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_service_that_cannot_check_readers_serves_none() {
    let f = fixture().await;
    f.host().await.serve::<Look, _, _>(|Look { .. }| ready(Ok(()))).await.unwrap();
    let look = Look { user: UserId::fresh(), conversation: ConversationId::fresh() };
    assert_eq!(f.rpc.call(&look).await, Err(Code::Internal.into()));
}
