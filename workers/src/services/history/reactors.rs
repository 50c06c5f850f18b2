//! Who reacted to a message, page by page.

use natter_schemas::{
    code::Code,
    event::Reaction,
    rpc::{ListReactors, Reactors},
};

use super::History;
use crate::services::{Failure, person_pages};

impl History {
    pub(super) async fn reactors(&self, call: ListReactors) -> Result<Reactors, Failure> {
        let message = self.message_at(call.conversation, call.seq).await?.ok_or(Code::NotFound)?;
        let reaction = message.reactions.into_iter().find(|reaction| reaction.is(&call.emoji));
        Ok(page(reaction.unwrap_or_else(|| Reaction::of(&call.emoji, Vec::new())), &call))
    }
}

fn page(reaction: Reaction, call: &ListReactors) -> Reactors {
    let Reaction { emoji, users, count, .. } = reaction;
    let shown = person_pages::range(&users, call.after, call.limit);
    let next = person_pages::next(&users, &shown);
    let me = users.contains(&call.user);
    Reactors { reaction: Reaction { emoji, users: users[shown].to_vec(), count, me }, next }
}
