//! Keys that content is sealed with. A root wraps a key of each user, and that wraps the user's data keys: this service
//! alone unwraps them, and edges ask it for those they seal and open with.

mod issue; // what is asked for is read, unwrapped, or made
mod readers; //   for who may read a text that it opens
mod ring; // stored keys, opened or made
mod local; // a root that is a setting
mod place; // what a stored data key is bound to
pub(super) mod roots; // what wraps users' keys
mod transit; // a root in a Vault or OpenBao
mod maintain; // stored keys changed for an operator
mod texts; // every text in the store
mod reseal; //   is sealed with newer keys
mod reseal_profiles; //   and every address and name
mod retire; // keys that no text needs any more

use std::sync::Arc;

use natter_nats::service::{RpcServer, ServiceError};
use natter_schemas::rpc::{GetDataKeys, GetKeysOfTexts, GetOwnKey, GetProfileKeys};
use natter_store::Store;

use super::access::MemberCheck;

pub use local::LocalRoot;
pub use maintain::{Done, MaintainError, Maintenance, Wrapped};
pub use reseal::Resealed;
pub use reseal_profiles::ResealedProfiles;
pub use retire::{Needed, UpTo};
pub use roots::{Root, RootError, Roots};
pub use transit::TransitRoot;

pub struct Keys {
    pub store: Arc<dyn Store>,
    pub roots: Roots,
    /// Who may read which conversation.
    pub members: Arc<MemberCheck>,
}

impl Keys {
    pub async fn serve(self, server: &mut RpcServer) -> Result<(), ServiceError> {
        answer!(server, Arc::new(self), {
            GetDataKeys => data_keys,
            GetOwnKey => own_key,
            GetKeysOfTexts => keys_of_texts,
            GetProfileKeys => profile_keys,
        });
        Ok(())
    }
}
