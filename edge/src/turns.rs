//! HTTP calls of one user that are under way on this node. However many connections an account opens, what its calls make
//! this process hold is bounded: bodies on their way in, answers that are being made, and answers that are not taken.

use std::sync::Arc;

use axum::response::Response;
use bytes::Bytes;
use natter_schemas::limits;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use crate::through::through;

pub struct Turns {
    under_way: Arc<Semaphore>,
    waiting: Semaphore,
}

/// Of one call, until the connection has taken its whole answer.
#[must_use]
pub struct Turn(Arc<OwnedSemaphorePermit>);

impl Default for Turns {
    fn default() -> Self {
        let under_way = Arc::new(Semaphore::new(limits::CALLS_OF_USER));
        Self { under_way, waiting: Semaphore::new(limits::CALLS_OF_USER_WAITING) }
    }
}

impl Turns {
    /// In the order of the calls. `None`: too many wait already, or those before do not come to an end.
    pub async fn next(&self) -> Option<Turn> {
        let free = self.under_way.clone().try_acquire_owned();
        let permit = match free {
            Ok(permit) => permit,
            Err(_) => {
                let _place = self.waiting.try_acquire().ok()?;
                let turn = timeout(limits::CALL_WAITS, self.under_way.clone().acquire_owned());
                turn.await.ok()?.ok()?
            }
        };
        Some(Turn(Arc::new(permit)))
    }
}

impl Turn {
    /// The answer, which keeps the turn for as long as any part of it is in this process. A connection asks for the body's bytes
    /// before it has room for them, so that the end of the body says nothing: each piece keeps the turn as well.
    pub fn kept_by(self, answer: Response) -> Response {
        let turn = self.0;
        let kept = move |bytes| Bytes::from_owner(Piece { bytes, _turn: Arc::clone(&turn) });
        answer.map(|body| through(body, kept))
    }
}

struct Piece {
    bytes: Bytes,
    _turn: Arc<OwnedSemaphorePermit>,
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, HttpBody};
    use futures_util::{FutureExt, StreamExt};

    use super::*;

    async fn all_of(turns: &Turns) -> Vec<Turn> {
        let mut taken = Vec::new();
        for _ in 0..limits::CALLS_OF_USER {
            taken.push(turns.next().await.expect("one is free"));
        }
        taken
    }

    #[tokio::test]
    async fn a_turn_ends_when_the_last_piece_of_its_answer_is_taken() {
        let turns = Turns::default();
        let mut taken = all_of(&turns).await;
        let turn = taken.pop().expect("several");
        let answer = turn.kept_by(Response::new(Body::from("an answer")));
        assert_eq!(answer.body().size_hint().exact(), Some(9), "its length is known as before");
        let mut body = answer.into_body().into_data_stream();
        let piece = body.next().await.expect("a piece").expect("its bytes");
        drop(body);
        let mut next = Box::pin(turns.next());
        assert!((&mut next).now_or_never().is_none(), "a piece is still here");
        assert_eq!(piece, "an answer");
        drop(piece);
        assert!(next.await.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_waits_for_its_turn_and_not_for_ever() {
        let turns = Turns::default();
        let mut taken = all_of(&turns).await;
        let mut waiting: Vec<_> =
            (0..limits::CALLS_OF_USER_WAITING).map(|_| Box::pin(turns.next())).collect();
        for call in &mut waiting {
            assert!(call.now_or_never().is_none());
        }
        assert!(turns.next().await.is_none(), "too many wait");
        taken.pop();
        let first = waiting.remove(0).await;
        assert!(first.is_some(), "the first is the next");
        assert!(waiting.remove(0).await.is_none(), "the others have waited long enough");
    }

    #[tokio::test]
    async fn a_client_that_leaves_gives_up_its_place() {
        let turns = Turns::default();
        let taken = all_of(&turns).await;
        for _ in 0..2 * limits::CALLS_OF_USER_WAITING {
            assert!(Box::pin(turns.next()).now_or_never().is_none(), "it waits, and leaves");
        }
        drop(taken);
        assert_eq!(all_of(&turns).await.len(), limits::CALLS_OF_USER);
    }
}
