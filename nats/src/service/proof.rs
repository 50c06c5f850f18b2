//! That the users of a call are there: the caller has their access tokens, the answering side verifies them.

use std::sync::Arc;

use async_nats::HeaderMap;
use natter_schemas::{
    code::Code,
    id::UserId,
    limits,
    rpc::{Call, Proof, RpcError, UserRead},
};

use super::access::AccessCheck;
use crate::header;

/// The tokens that a caller has.
pub trait ProofSource: Send + Sync + 'static {
    /// One of this user; `None`: there is none here.
    fn of(&self, user: UserId) -> Option<Arc<str>>;
    /// One of whomever.
    fn of_anyone(&self) -> Option<Arc<str>>;
}

/// Verifies tokens.
pub trait ProofCheck: Send + Sync + 'static {
    /// Whose token it is; `None`: it proves nothing.
    fn user_of(&self, token: &str) -> Option<UserId>;
    /// A call was not proven: is it answered nevertheless? Not unless it carries no token at all.
    fn excuses(&self, call: &'static str, has_token: bool) -> bool;
}

/// What a client proves its calls with.
#[derive(Clone)]
pub(super) enum Prover {
    /// With nothing.
    None,
    /// With tokens of users.
    Users(Arc<dyn ProofSource>),
    /// With the right to ask where workers do.
    Worker,
}

impl Prover {
    /// Puts what proves the call into its headers. `member` is in the conversation that it names, if it names one without a user.
    pub(super) fn mark<C: Call>(&self, call: &C, member: Option<UserId>, headers: &mut HeaderMap) {
        let Self::Users(tokens) = self else { return };
        let mut add = |token: Option<Arc<str>>| {
            if let Some(token) = token {
                headers.append(header::TOKEN, &*token);
            }
        };
        match call.proof() {
            Proof::Nothing | Proof::Worker => {}
            Proof::User(user) => add(tokens.of(user)),
            Proof::Users(mut users) => {
                users.sort_unstable();
                users.dedup();
                for user in users {
                    add(tokens.of(user));
                }
            }
            Proof::MemberOf(_) => add(member.and_then(|member| tokens.of(member))),
            Proof::Anyone => add(tokens.of_anyone()),
        }
    }
}

/// Before any handler runs: the tokens of a call prove what it says of its users.
pub(super) async fn check<C: Call>(
    call: &C,
    headers: Option<&HeaderMap>,
    proofs: &dyn ProofCheck,
    access: &dyn AccessCheck,
) -> Result<(), RpcError> {
    let proof = call.proof();
    if proof == Proof::Nothing {
        return Ok(());
    }
    let users = users(headers, proofs);
    let has_token = users.as_ref().is_none_or(|users| !users.is_empty());
    let proven = match (&users, proof) {
        (None, _) | (_, Proof::Worker) => false,
        (Some(_), Proof::Nothing) => true,
        (Some(users), Proof::User(user)) => users.contains(&user),
        (Some(users), Proof::Users(all)) => all.iter().all(|user| users.contains(user)),
        (Some(users), Proof::Anyone) => !users.is_empty(),
        (Some(users), Proof::MemberOf(conversation)) => match users.first() {
            Some(user) => {
                return access.check(C::NAME, &[UserRead { user: *user, conversation }]).await;
            }
            None => false,
        },
    };
    if proven || proofs.excuses(C::NAME, has_token) { Ok(()) } else { Err(Code::Unauthenticated.into()) }
}

/// Whose tokens a call carries; `None`: one of them proves nothing.
fn users(headers: Option<&HeaderMap>, proofs: &dyn ProofCheck) -> Option<Vec<UserId>> {
    let tokens = headers.into_iter().flat_map(|headers| headers.get_all(header::TOKEN));
    // One more than a call can need is enough to refuse it.
    let users: Option<Vec<UserId>> =
        tokens.take(limits::LOOKUP_BATCH + 1).map(|token| proofs.user_of(token.as_str())).collect();
    users.filter(|users| users.len() <= limits::LOOKUP_BATCH)
}
