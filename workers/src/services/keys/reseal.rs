//! Stored texts sealed with their authors' newest keys: those that are in clear, and those of earlier keys. The log is not
//! changed: it forgets them by itself.

use std::{
    collections::{HashMap, HashSet},
    num::NonZeroU32,
};

use natter_schemas::{
    event::{Body, LogEntry},
    id::{ConversationId, UserId},
};
use natter_seal::{Place, open, seal};
use natter_store::KeyPurpose;
use parking_lot::Mutex;

use super::{
    maintain::{MaintainError, Maintenance},
    ring::{KeyRing, OpenKeys},
    texts::{self, Chunk, Pace},
};

/// What became of stored texts.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Resealed {
    pub conversations: u64,
    /// Sealed with their author's newest key now.
    pub sealed: u64,
    /// They were before.
    pub unchanged: u64,
    /// Sealed with a key that is gone.
    pub without_key: u64,
    /// Their author's key is wrapped by a root that is not set, or they are damaged.
    pub unopened: u64,
    /// Rows that cannot be read.
    pub unreadable: u64,
    /// All conversations up to this one are done: those after it remain.
    pub last: Option<ConversationId>,
}

impl Resealed {
    /// All that were looked at.
    pub const fn texts(&self) -> u64 {
        self.sealed + self.unchanged + self.without_key + self.unopened
    }

    const fn add(&mut self, other: &Self) {
        self.sealed += other.sealed;
        self.unchanged += other.unchanged;
        self.without_key += other.without_key;
        self.unopened += other.unopened;
        self.unreadable += other.unreadable;
    }
}

/// What becomes of one text.
enum Fate {
    Seal(Body),
    Unchanged,
    WithoutKey,
    Unopened,
}

impl Maintenance<'_> {
    /// Seals what is stored behind `after`, at most so many texts a second. `progress` is called now and then, never with less
    /// than is done.
    pub async fn reseal(
        &self,
        after: Option<ConversationId>,
        a_second: NonZeroU32,
        progress: impl Fn(&Resealed),
    ) -> Result<Resealed, MaintainError> {
        let (done, pace) = (Mutex::new(Resealed { last: after, ..Resealed::default() }), Pace::of(a_second));
        let visit = async |chunk: Chunk| -> Result<(), MaintainError> {
            pace.wait(chunk.texts.len()).await;
            let some = self.reseal_chunk(chunk).await?;
            done.lock().add(&some);
            Ok(())
        };
        let visited = |last, conversations| {
            let so_far = {
                let mut done = done.lock();
                done.last = Some(last);
                done.conversations += conversations;
                *done
            };
            progress(&so_far);
        };
        texts::each(self.store, after, visit, visited).await?;
        Ok(done.into_inner())
    }

    async fn reseal_chunk(&self, chunk: Chunk) -> Result<Resealed, MaintainError> {
        let Chunk { conversation, texts, unreadable } = chunk;
        let mut some = Resealed { unreadable, ..Resealed::default() };
        let mut keys = self.keys_of(&texts).await?;
        let mut changed = Vec::new();
        for mut entry in texts {
            let place = Place::of_event(&entry.event);
            let own = keys.entry(place.author).or_default();
            let Some(body) = entry.event.body_mut() else { continue };
            match fate(body, &place, own)? {
                Fate::Seal(sealed) => {
                    *body = sealed;
                    changed.push(entry);
                }
                Fate::Unchanged => some.unchanged += 1,
                Fate::WithoutKey => some.without_key += 1,
                Fate::Unopened => some.unopened += 1,
            }
        }
        if !changed.is_empty() {
            self.store.reseal(conversation, &changed).await?;
        }
        some.sealed = changed.len() as u64;
        Ok(some)
    }

    /// Of the authors; made for those of texts in clear who have none.
    async fn keys_of(&self, texts: &[LogEntry]) -> Result<HashMap<UserId, OpenKeys>, MaintainError> {
        let ring = KeyRing { store: self.store, roots: self.roots, purpose: KeyPurpose::Messages };
        let authors: HashSet<UserId> = texts.iter().map(|entry| entry.event.author).collect();
        let mut keys = ring.read(authors.into_iter().collect()).await?;
        let in_clear = texts.iter().filter(|entry| entry.event.key_version() == 0);
        for author in in_clear.map(|entry| entry.event.author).collect::<HashSet<_>>() {
            let own = keys.entry(author).or_default();
            if own.data.is_empty() && !own.locked {
                *own = ring.make(author).await?;
            }
        }
        Ok(keys)
    }
}

fn fate(body: &Body, place: &Place, keys: &OpenKeys) -> Result<Fate, MaintainError> {
    let Some((newest, key)) = keys.data.iter().next_back() else {
        return Ok(if keys.locked { Fate::Unopened } else { Fate::WithoutKey });
    };
    let text = match body {
        Body::Plain(text) => text.clone(),
        Body::Sealed { key_version, .. } if key_version >= newest => return Ok(Fate::Unchanged),
        Body::Sealed { key_version, .. } => {
            let Some(earlier) = keys.data.get(key_version) else { return Ok(Fate::WithoutKey) };
            let Ok(text) = open(body, place, earlier) else { return Ok(Fate::Unopened) };
            text
        }
    };
    Ok(Fate::Seal(seal(&text, place, *newest, key)?))
}
