//! Identities at providers. Whose one is, is decided by conditional writes; the list of a user's is written before, and what
//! it lists is looked up.

use async_trait::async_trait;
use natter_schemas::id::UserId;
use uuid::Uuid;

use super::{ScyllaStore, columns::raw, concurrent::each};
use crate::{Identity, IdentityStore, Result, StoreError};

#[async_trait]
impl IdentityStore for ScyllaStore {
    async fn user_of_identity(&self, identity: &Identity) -> Result<Option<UserId>> {
        let row = (&identity.issuer, &identity.subject);
        let holder = self.db.first::<(Option<Uuid>,)>(&self.db.statements.identity, row).await?;
        Ok(holder.and_then(|(holder,)| holder).map(UserId::from_uuid))
    }

    async fn claim_identity(&self, identity: &Identity, user: UserId) -> Result<UserId> {
        let (Identity { issuer, subject }, s) = (identity, &self.db.statements);
        let id = raw(user.as_bytes());
        self.db.applied(&s.list_identity, (id, issuer, subject)).await?;
        if self.db.applied(&s.claim_identity, (issuer, subject, id)).await? {
            return Ok(user);
        }
        let holder = self.db.first::<(Option<Uuid>,)>(&s.identity_serial, (issuer, subject)).await?;
        match holder {
            // Its own first attempt, whose response was lost, is found like another's.
            Some((Some(holder),)) if holder != id => {
                self.db.applied(&s.unlist_identity, (id, issuer, subject)).await?;
                Ok(UserId::from_uuid(holder))
            }
            Some((Some(_),)) => Ok(user),
            _ => Err(StoreError::Unavailable("the identity is being removed at the same moment".to_owned())),
        }
    }

    async fn move_identity(&self, identity: &Identity, from: UserId, to: UserId) -> Result<bool> {
        let (Identity { issuer, subject }, s) = (identity, &self.db.statements);
        let (from, to) = (raw(from.as_bytes()), raw(to.as_bytes()));
        self.db.applied(&s.list_identity, (to, issuer, subject)).await?;
        let moved = self.db.applied(&s.move_identity, (to, issuer, subject, from)).await?;
        let former = if moved { from } else { to };
        if moved || self.user_of_identity(identity).await? != Some(UserId::from_uuid(to)) {
            self.db.applied(&s.unlist_identity, (former, issuer, subject)).await?;
        }
        Ok(moved)
    }

    async fn identities_of(&self, user: UserId) -> Result<Vec<Identity>> {
        let listed = self.listed_identities(user).await?;
        let own = each(listed, |identity| async move {
            let holder = self.user_of_identity(&identity).await?;
            Ok((holder == Some(user)).then_some(identity))
        });
        Ok(own.await?.into_iter().flatten().collect())
    }

    async fn remove_identities(&self, user: UserId) -> Result<()> {
        let (id, s) = (raw(user.as_bytes()), &self.db.statements);
        for Identity { issuer, subject } in self.listed_identities(user).await? {
            self.db.applied(&s.remove_identity, (&issuer, &subject, id)).await?;
            self.db.applied(&s.unlist_identity, (id, &issuer, &subject)).await?;
        }
        Ok(())
    }
}

impl ScyllaStore {
    async fn listed_identities(&self, user: UserId) -> Result<Vec<Identity>> {
        let listed =
            self.db.all::<(String, String)>(&self.db.statements.identities_of, (raw(user.as_bytes()),));
        Ok(listed.await?.into_iter().map(|(issuer, subject)| Identity { issuer, subject }).collect())
    }
}
