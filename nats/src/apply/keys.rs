//! What a deployment agrees on, in the bucket: made once, by whoever provisions first.

use async_nats::jetstream::{
    Context,
    kv::{CreateErrorKind, Store},
};
use bytes::Bytes;
use data_encoding::HEXLOWER_PERMISSIVE;
use natter_schemas::{decision::DecisionKey, id::EventKey};

use super::{ApplyError, Deployment, Difference};
use crate::{
    secret,
    topology::{
        BUCKET, DECISION_KEY_KEY as DECISION_KEY, EPOCH_KEY as EPOCH, EVENT_KEY_KEY as EVENT_KEY,
        PARTITIONS_KEY as PARTITIONS, WORKERS_BUCKET, bucket_subject,
    },
};

pub struct Keys {
    store: Store,
}

impl Keys {
    pub async fn open(js: &Context) -> Result<Self, ApplyError> {
        Self::of(js, BUCKET).await
    }

    /// Those that workers alone may read.
    pub async fn of_workers(js: &Context) -> Result<Self, ApplyError> {
        Self::of(js, WORKERS_BUCKET).await
    }

    async fn of(js: &Context, bucket: &str) -> Result<Self, ApplyError> {
        let store = js.get_key_value(bucket).await.map_err(|e| ApplyError::Unavailable(e.to_string()))?;
        Ok(Self { store })
    }

    pub async fn decision_key(&self) -> Result<DecisionKey, ApplyError> {
        let missing = || ApplyError::Missing { what: format!("key {DECISION_KEY}") };
        let text = self.get(DECISION_KEY).await?.ok_or_else(missing)?;
        let reason = || ApplyError::Key { key: DECISION_KEY, reason: "not 64 hexadecimal digits".to_owned() };
        Ok(DecisionKey(key_of(&text).ok_or_else(reason)?))
    }

    pub async fn make_decision_key(&self, differences: &mut Vec<Difference>) -> Result<(), ApplyError> {
        self.get_or_create(DECISION_KEY, secret::random::<32>(), differences).await.map(drop)
    }

    pub async fn partitions(&self) -> Result<Option<String>, ApplyError> {
        self.get(PARTITIONS).await
    }

    /// What is stored; a key that is missing means that provisioning was not finished.
    pub async fn read(&self, partitions: u16) -> Result<Deployment, ApplyError> {
        let missing = |key| ApplyError::Missing { what: format!("key {key}") };
        let stored = self.get(PARTITIONS).await?.ok_or_else(|| missing(PARTITIONS))?;
        let epoch = self.get(EPOCH).await?.ok_or_else(|| missing(EPOCH))?;
        let event_key = self.get(EVENT_KEY).await?.ok_or_else(|| missing(EVENT_KEY))?;
        deployment(partitions, stored, epoch, &event_key)
    }

    pub async fn read_or_create(
        &self,
        partitions: u16,
        differences: &mut Vec<Difference>,
    ) -> Result<Deployment, ApplyError> {
        let stored = self.get_or_create(PARTITIONS, partitions.to_string(), differences).await?;
        let epoch = self.get_or_create(EPOCH, secret::random::<16>(), differences).await?;
        let event_key = self.get_or_create(EVENT_KEY, secret::random::<32>(), differences).await?;
        deployment(partitions, stored, epoch, &event_key)
    }

    /// Of another server, if this one has none yet.
    pub async fn adopt_event_key(&self, key: &EventKey) -> Result<(), ApplyError> {
        let text = HEXLOWER_PERMISSIVE.encode(&key.0);
        let stored = self.get_or_create(EVENT_KEY, text.clone(), &mut Vec::new()).await?;
        if stored == text {
            return Ok(());
        }
        Err(ApplyError::Key { key: EVENT_KEY, reason: "another one is there".to_owned() })
    }

    /// A key is written once: the old epoch goes first. In between there is none, and the next attempt makes one.
    pub async fn renew_epoch(&self, differences: &mut Vec<Difference>) -> Result<String, ApplyError> {
        let unavailable = |error: String| ApplyError::Unavailable(error);
        let old = self.store.stream.purge().filter(bucket_subject(EPOCH));
        old.await.map_err(|error| unavailable(error.to_string()))?;
        let epoch = secret::random::<16>();
        self.store.put(EPOCH, epoch.clone().into()).await.map_err(|error| unavailable(error.to_string()))?;
        differences.push(Difference::EpochRenewed);
        Ok(epoch)
    }

    async fn get(&self, key: &'static str) -> Result<Option<String>, ApplyError> {
        let value = self.store.get(key).await.map_err(|e| ApplyError::Unavailable(e.to_string()))?;
        let text = |bytes: Bytes| String::from_utf8(bytes.into());
        value.map(text).transpose().map_err(|_| ApplyError::Key { key, reason: "not text".to_owned() })
    }

    async fn get_or_create(
        &self,
        key: &'static str,
        value: String,
        differences: &mut Vec<Difference>,
    ) -> Result<String, ApplyError> {
        if let Some(stored) = self.get(key).await? {
            return Ok(stored);
        }
        match self.store.create(key, value.clone().into()).await {
            Ok(_) => {
                differences.push(Difference::KeySet { key });
                Ok(value)
            }
            // Another process was faster: its value counts.
            Err(error) if error.kind() == CreateErrorKind::AlreadyExists => {
                let stored = self.get(key).await?;
                stored.ok_or_else(|| ApplyError::Key { key, reason: "it comes and goes".to_owned() })
            }
            Err(error) => Err(ApplyError::Unavailable(error.to_string())),
        }
    }
}

fn deployment(wanted: u16, stored: String, epoch: String, event_key: &str) -> Result<Deployment, ApplyError> {
    if stored != wanted.to_string() {
        return Err(ApplyError::Partitions { wanted, stored });
    }
    let event_key = key_of(event_key)
        .ok_or_else(|| ApplyError::Key { key: EVENT_KEY, reason: "not 64 hexadecimal digits".to_owned() })?;
    Ok(Deployment { partitions: wanted, epoch, event_key: EventKey(event_key) })
}

fn key_of(text: &str) -> Option<[u8; 32]> {
    HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_key_survives_its_text() {
        let text = secret::random::<32>();
        let key = key_of(&text).unwrap();
        assert_eq!(data_encoding::HEXLOWER.encode(&key), text);
        assert_eq!(key_of(&text.to_uppercase()), Some(key));
        for other in ["zz", "", &text[..62], &"é".repeat(32)] {
            assert_eq!(key_of(other), None, "{other}");
        }
    }
}
