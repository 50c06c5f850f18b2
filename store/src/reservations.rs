use async_trait::async_trait;
use natter_schemas::{
    event::Timestamp,
    id::{ConversationId, ReservationId, UserId},
};

use crate::Result;

/// Memberships of one conversation that a call is about to make. It counts like them from before the log has them until
/// after the store does, so that calls at the same moment cannot pass the bound together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reservation {
    /// The call's own: another that adds the same user holds a reservation of its own.
    pub id: ReservationId,
    /// Where the users become members.
    pub conversation: ConversationId,
    /// When it was made, in log time. The store decides nothing by it.
    pub at: Timestamp,
}

/// Who is about to become a member.
#[async_trait]
pub trait ReservationStore: Send + Sync + 'static {
    /// Reserves a membership for each of the users, decided together with every other reservation of the same user.
    /// Nothing is reserved if one of them has `most` conversations already, present and reserved ones together without
    /// this one; these are returned.
    async fn reserve(&self, reservation: Reservation, users: &[UserId], most: usize) -> Result<Vec<UserId>>;
    /// Ends it, as far as it is there.
    async fn release(&self, reservation: Reservation, users: &[UserId]) -> Result<()>;
    /// The user's, oldest first. As many at most as a user may have conversations.
    async fn reservations(&self, user: UserId) -> Result<Vec<Reservation>>;
}
