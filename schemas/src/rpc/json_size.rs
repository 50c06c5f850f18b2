//! How long answers become as JSON, at most: services cut them by it, so that none is refused for its size.

use crate::{
    event::{Body, Message, Reaction},
    limits,
    rpc::{Conversation, InboxItem, Participant, User},
};

/// Names of fields, ids, times and numbers of any item, with some to spare.
const FIELDS: usize = 512;
/// A quoted id and its comma.
const ID: usize = 39;

/// What has a length as JSON.
pub trait JsonSize {
    /// In bytes, rather too many than too few.
    fn json_size(&self) -> usize;
}

/// How many of the items fit one answer, in their order; at least one.
pub fn fitting<'a, T: JsonSize + 'a>(items: impl IntoIterator<Item = &'a T>) -> usize {
    let (mut count, mut bytes) = (0, 0);
    for item in items {
        bytes += item.json_size();
        if count > 0 && bytes > limits::ANSWER {
            break;
        }
        count += 1;
    }
    count
}

impl JsonSize for str {
    fn json_size(&self) -> usize {
        let escaped = |byte| match byte {
            b'"' | b'\\' => 2,
            0..0x20 => 6,
            _ => 1,
        };
        self.bytes().map(escaped).sum::<usize>() + 2
    }
}

impl JsonSize for Reaction {
    fn json_size(&self) -> usize {
        FIELDS / 4 + self.emoji.json_size() + ID * self.users.len()
    }
}

impl JsonSize for Message {
    fn json_size(&self) -> usize {
        let content = match &self.body {
            Some(Body::Plain(text)) => text.json_size(),
            // Its text may be of characters that JSON escapes: six bytes for one.
            Some(Body::Sealed { ciphertext, .. }) => 6 * ciphertext.len(),
            None => 0,
        };
        let client_id = self.client_id.as_deref().map_or(0, JsonSize::json_size);
        FIELDS + content + client_id + self.reactions.iter().map(JsonSize::json_size).sum::<usize>()
    }
}

impl JsonSize for Participant {
    fn json_size(&self) -> usize {
        FIELDS / 2 + self.username.json_size() + self.display_name.json_size()
    }
}

impl JsonSize for User {
    fn json_size(&self) -> usize {
        FIELDS / 2 + self.username.json_size() + self.display_name.json_size() + self.email.json_size()
    }
}

impl JsonSize for Conversation {
    fn json_size(&self) -> usize {
        let name = self.name.as_deref().map_or(0, JsonSize::json_size);
        let message = self.last_message.as_ref().map_or(0, JsonSize::json_size);
        let participants = self.participants.iter().flatten().map(JsonSize::json_size).sum::<usize>();
        FIELDS + name + message + participants
    }
}

impl JsonSize for InboxItem {
    fn json_size(&self) -> usize {
        FIELDS + self.last_message.as_ref().map_or(0, JsonSize::json_size)
    }
}
