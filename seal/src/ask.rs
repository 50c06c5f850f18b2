//! How keys are asked for: a worker names them; an edge's user has sealed with them, or shows a text that they have sealed.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use natter_nats::service::RpcClient;
use natter_schemas::{
    code::Code,
    id::UserId,
    limits,
    rpc::{
        GetDataKeys, GetKeysOfTexts, GetOwnKey, GetProfileKeys, IssuedKey, KeyName, RpcError, SealedText,
        TextKey,
    },
};
use tracing::error;

/// Of the texts in one call: far below what NATS takes, and room for dozens of the longest.
const TEXTS_IN_CALL: usize = 256 * 1024;

/// A key that is asked for.
#[derive(Clone)]
pub struct Want {
    pub name: KeyName,
    /// What it is to open; none is needed to seal, nor by workers.
    text: Option<SealedText>,
}

pub enum Answer {
    /// `None`: there is no such key.
    Found(Option<IssuedKey>),
    /// It is not shown to this reader.
    Refused,
}

impl Want {
    pub const fn of_name(name: KeyName) -> Self {
        Self { name, text: None }
    }

    pub const fn of_text(name: KeyName, text: SealedText) -> Self {
        Self { name, text: Some(text) }
    }

    /// As many at a time as one call may ask for.
    pub fn in_calls(wanted: Vec<Self>) -> Vec<Vec<Self>> {
        let mut calls: Vec<Vec<Self>> = Vec::new();
        let mut bytes = 0;
        for want in wanted {
            let more = want.text.as_ref().map_or(0, |text| text.body.size());
            match calls.last_mut() {
                Some(call) if call.len() < limits::KEYS_IN_CALL && bytes + more <= TEXTS_IN_CALL => {
                    call.push(want);
                    bytes += more;
                }
                _ => {
                    calls.push(vec![want]);
                    bytes = more;
                }
            }
        }
        calls
    }
}

#[derive(Clone)]
enum By {
    /// A worker, for messages.
    Worker,
    /// A worker, for profiles.
    Profiles,
    /// An edge, for this user.
    Reader(Option<UserId>),
}

/// Clones share what they know of the service.
#[derive(Clone)]
pub struct Asker {
    rpc: RpcClient,
    by: By,
    /// All workers are of the version before readers had calls of their own.
    all_older: Arc<AtomicBool>,
}

impl Asker {
    pub fn of_worker(rpc: RpcClient) -> Self {
        Self { rpc, by: By::Worker, all_older: Arc::default() }
    }

    pub fn of_profiles(rpc: RpcClient) -> Self {
        Self { by: By::Profiles, ..Self::of_worker(rpc) }
    }

    pub fn of_readers(rpc: RpcClient) -> Self {
        Self { by: By::Reader(None), ..Self::of_worker(rpc) }
    }

    pub fn for_reader(&self, reader: UserId) -> Self {
        let by = match self.by {
            By::Reader(_) => By::Reader(Some(reader)),
            By::Worker | By::Profiles => self.by.clone(),
        };
        Self { by, ..self.clone() }
    }

    pub async fn ask(&self, wanted: &[Want]) -> Result<Vec<Answer>, RpcError> {
        match self.by {
            By::Worker => self.by_name(wanted).await,
            By::Profiles => {
                let names = wanted.iter().map(|want| want.name).collect();
                Ok(found(self.rpc.call(&GetProfileKeys { names }).await?))
            }
            By::Reader(reader) => self.by_reader(reader, wanted).await,
        }
    }

    async fn by_name(&self, wanted: &[Want]) -> Result<Vec<Answer>, RpcError> {
        let names = wanted.iter().map(|want| want.name).collect();
        Ok(found(self.rpc.call(&GetDataKeys { names }).await?))
    }

    /// Workers of the version before are asked as then. They do not answer the newer calls, and newer ones refuse the older call.
    async fn by_reader(&self, reader: Option<UserId>, wanted: &[Want]) -> Result<Vec<Answer>, RpcError> {
        if self.all_older.load(Ordering::Relaxed) {
            match self.by_name(wanted).await {
                Ok(answers) => return Ok(answers),
                Err(_) => self.all_older.store(false, Ordering::Relaxed),
            }
        }
        if let Some(answers) = self.by_own_calls(reader, wanted).await? {
            return Ok(answers);
        }
        let answers = self.by_name(wanted).await.map_err(|_| Code::Unavailable)?;
        self.all_older.store(true, Ordering::Relaxed);
        Ok(answers)
    }

    /// `None`: no worker answers these calls.
    async fn by_own_calls(
        &self,
        reader: Option<UserId>,
        wanted: &[Want],
    ) -> Result<Option<Vec<Answer>>, RpcError> {
        if let [Want { name, text: None }] = wanted {
            let own = self.rpc.call_if_served(&GetOwnKey { user: name.user }).await?;
            return Ok(own.map(|own| vec![Answer::Found(own)]));
        }
        let Some(reader) = reader else {
            error!(
                "keys of messages were asked for without their reader; the messages are shown without their text"
            );
            return Err(Code::Internal.into());
        };
        let texts = wanted.iter().filter_map(|want| want.text.clone()).collect();
        let keys = self.rpc.call_if_served(&GetKeysOfTexts { reader, texts }).await?;
        Ok(keys.map(|keys| keys.into_iter().map(Answer::from).collect()))
    }
}

fn found(keys: Vec<Option<IssuedKey>>) -> Vec<Answer> {
    keys.into_iter().map(Answer::Found).collect()
}

impl From<TextKey> for Answer {
    fn from(key: TextKey) -> Self {
        match key {
            TextKey::Issued(key) => Self::Found(Some(key)),
            TextKey::Absent => Self::Found(None),
            TextKey::Refused => Self::Refused,
        }
    }
}

#[cfg(test)]
mod tests {
    use natter_schemas::{
        event::Body,
        id::{ConversationId, EventId},
    };

    use super::*;

    fn want(bytes: usize) -> Want {
        let name = KeyName { user: UserId::fresh(), epoch: Some(1) };
        let body = Body::Sealed { key_version: 1, nonce: [0; 12], ciphertext: vec![0; bytes] };
        let (conversation, event) = (ConversationId::fresh(), EventId::fresh());
        Want::of_text(name, SealedText { conversation, event, author: name.user, edits: None, body })
    }

    #[test]
    fn no_call_asks_for_too_many_keys_or_shows_too_much() {
        let sizes = |wanted: Vec<Want>| Want::in_calls(wanted).iter().map(Vec::len).collect::<Vec<_>>();
        let most = limits::KEYS_IN_CALL;
        assert_eq!(sizes((0..=2 * most).map(|_| want(1)).collect()), [most, most, 1]);
        let half = TEXTS_IN_CALL / 2;
        assert_eq!(sizes(vec![want(half), want(half), want(1), want(TEXTS_IN_CALL)]), [2, 1, 1]);
        assert!(sizes(Vec::new()).is_empty());
    }
}
