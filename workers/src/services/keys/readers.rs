//! A key of messages is shown to a member of a conversation in which it has sealed a text. The text itself proves that: it opens
//! only in the conversation that it was sealed for, and no one without the key can write another.

use std::collections::HashSet;

use futures_util::future::try_join_all;
use natter_schemas::{
    code::Code,
    id::{ConversationId, UserId},
    limits,
    rpc::{Call, GetKeysOfTexts, IssuedKey, SealedText, TextKey, UserRead},
};
use natter_seal::{Place, open};
use natter_store::KeyPurpose;

use super::{
    Keys,
    ring::{KeyRing, OpenKeys},
};
use crate::services::Failure;

/// Conversations whose members are looked up at once.
const AT_ONCE: usize = limits::LOOKUP_BATCH;

impl Keys {
    pub(super) async fn keys_of_texts(&self, call: GetKeysOfTexts) -> Result<Vec<TextKey>, Failure> {
        let GetKeysOfTexts { reader, texts } = call;
        if texts.len() > limits::KEYS_IN_CALL {
            return Err(Code::TooLarge.into());
        }
        let read = self.read_by(reader, texts.iter().map(|text| text.conversation).collect()).await?;
        let shown = texts.iter().filter(|text| read.contains(&text.conversation));
        let authors: HashSet<UserId> = shown.map(|text| text.author).collect();
        let ring = KeyRing { store: &*self.store, roots: &self.roots, purpose: KeyPurpose::Messages };
        let keys = ring.read(authors.into_iter().collect()).await?;
        let none = OpenKeys::default();
        let key_of = |text: &SealedText| {
            if !read.contains(&text.conversation) {
                return TextKey::Refused;
            }
            key_of(text, keys.get(&text.author).unwrap_or(&none))
        };
        Ok(texts.iter().map(key_of).collect())
    }

    /// Those of the conversations that the user is in.
    async fn read_by(
        &self,
        user: UserId,
        named: HashSet<ConversationId>,
    ) -> Result<HashSet<ConversationId>, Failure> {
        let (named, mut read) = (Vec::from_iter(named), HashSet::new());
        for some in named.chunks(AT_ONCE) {
            let found = some.iter().map(|conversation| self.member_of(user, *conversation));
            read.extend(try_join_all(found).await?.into_iter().flatten());
        }
        Ok(read)
    }

    async fn member_of(
        &self,
        user: UserId,
        conversation: ConversationId,
    ) -> Result<Option<ConversationId>, Failure> {
        match self.members.check_one(GetKeysOfTexts::NAME, UserRead { user, conversation }).await {
            Ok(()) => Ok(Some(conversation)),
            Err(refused) if refused.code == Code::NotFound => Ok(None),
            Err(failed) => Err(failed.into()),
        }
    }
}

fn key_of(text: &SealedText, keys: &OpenKeys) -> TextKey {
    let epoch = text.body.key_version();
    match keys.data.get(&epoch) {
        _ if epoch == 0 => TextKey::Refused,
        None => TextKey::Absent,
        Some(key) if open(&text.body, &Place::of_text(text), key).is_ok() => {
            TextKey::Issued(IssuedKey { epoch, key: *key.bytes() })
        }
        Some(_) => TextKey::Refused,
    }
}
