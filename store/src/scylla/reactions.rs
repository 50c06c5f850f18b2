//! Who reacts with what, exactly as `Message::apply` would have it in log order.

use std::collections::HashMap;

use natter_schemas::{
    emoji::canonical,
    event::Reaction,
    id::{ConversationId, Seq, UserId},
    limits,
};
use uuid::Uuid;

use super::{
    cluster::Cluster,
    columns::{int, raw, seq as seq_of},
};
use crate::Result;

/// Changes of one message's reactions that count, the newest: more than a group has members. A user who
/// toggles for a quarter of an hour can push out what is older, but not make a page slower than this.
const UPDATES_READ: usize = 16_384;

struct ReactionUpdate {
    seq: Seq,
    user: UserId,
    emoji: String,
    on: bool,
}

/// As they were at `up_to`, in the order in which they came to be.
pub async fn of(
    db: &Cluster,
    (conversation, target): (ConversationId, Seq),
    up_to: Seq,
) -> Result<Vec<Reaction>> {
    type Row = (i64, Option<Uuid>, Option<String>, Option<bool>);
    let update = |(seq, user, emoji, active): Row| {
        let (Some(user), Some(emoji), Some(on)) = (user, emoji, active) else { return Ok(None) };
        let update = ReactionUpdate { seq: seq_of(seq), user: UserId::from_uuid(user), emoji, on };
        Ok((update.seq <= up_to).then_some(update))
    };
    let key = (raw(conversation.as_bytes()), int(target));
    let mut updates = db.scan(&db.statements.reactions, key, UPDATES_READ, update).await?;
    updates.reverse();
    Ok(fold(updates))
}

/// A user's reaction keeps its position until it is removed, an emoji's until its last reaction is removed.
fn fold(updates: Vec<ReactionUpdate>) -> Vec<Reaction> {
    #[derive(Default)]
    struct Emoji {
        since: Seq,
        users: HashMap<UserId, Seq>,
    }
    let mut all: HashMap<String, Emoji> = HashMap::new();
    for ReactionUpdate { seq, user, emoji, on } in updates {
        // Old logs have emoji as they were sent.
        let emoji = all.entry(canonical(&emoji).map_or(emoji, str::to_owned)).or_default();
        if on {
            if emoji.users.is_empty() {
                emoji.since = seq;
            }
            emoji.users.entry(user).or_insert(seq);
        } else {
            emoji.users.remove(&user);
        }
    }
    let mut shown: Vec<_> = all.into_iter().filter(|(_, emoji)| !emoji.users.is_empty()).collect();
    shown.sort_by_key(|(_, emoji)| emoji.since);
    shown.truncate(limits::REACTIONS_HELD);
    let reaction = |(emoji, Emoji { users, .. }): (String, Emoji)| {
        let mut users: Vec<_> = users.into_iter().collect();
        users.sort_by_key(|(_, since)| *since);
        Reaction::of(&emoji, users.into_iter().map(|(user, _)| user).collect())
    };
    shown.into_iter().map(reaction).collect()
}
