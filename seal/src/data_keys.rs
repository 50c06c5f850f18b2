use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use natter_nats::service::RpcClient;
use natter_schemas::{
    code::Code,
    event::Body,
    id::UserId,
    rpc::{IssuedKey, KeyName, RpcError},
};
use parking_lot::Mutex;
use tracing::{debug, error, info, warn};

use crate::{
    ask::{Answer, Asker, Want},
    cache::{Cache, DataKey, Known},
    content::{Place, seal},
    key::Key,
};

/// How often what was revoked is dropped: with the way of the news there, in less than two seconds.
const SWEEP_EVERY: Duration = Duration::from_secs(1);
/// How often what is too old is dropped, in sweeps.
const EXPIRE_EVERY: u32 = 10;
/// A key that is revoked while it is asked for is asked for again.
const ATTEMPTS: usize = 3;
/// A service that did not answer is asked again after this; until then callers go on without.
const PROBE_EVERY: Duration = Duration::from_secs(1);

/// Data keys that this process has. Clones share them.
#[derive(Clone)]
pub struct KnownKeys(Arc<Mutex<Cache>>);

impl KnownKeys {
    /// None yet; each is used so long after it was asked for.
    pub fn keeping(kept: Duration) -> Self {
        Self(Arc::new(Mutex::new(Cache::keeping(kept))))
    }

    pub(crate) fn get(&self, name: KeyName) -> Known {
        self.0.lock().get(name, Instant::now())
    }

    /// A key that is here.
    pub fn key(&self, name: KeyName) -> Option<Key> {
        match self.get(name) {
            Known::Key(key) => Some(key.key),
            Known::Absent | Known::No => None,
        }
    }

    /// What the service answered to a question of this time. Answers whether it is used: not if it was revoked since.
    pub fn put(&self, name: KeyName, issued: Option<IssuedKey>, asked: Instant) -> bool {
        let key = issued.map(|issued| DataKey { epoch: issued.epoch, key: issued.key.into() });
        let mut cache = self.0.lock();
        // What is sealed with the newest is opened by its epoch a moment later.
        if let (None, Some(key)) = (name.epoch, &key) {
            let name = KeyName { user: name.user, epoch: Some(key.epoch) };
            cache.put(name, Some(key.clone()), asked);
        }
        cache.put(name, key, asked)
    }

    /// The user's keys are asked for again before they are used again.
    pub fn revoke(&self, user: UserId) {
        self.0.lock().revoke(user, Instant::now());
    }

    /// The same for everyone's, when it is not known whose were revoked.
    pub fn revoke_all(&self) {
        self.0.lock().revoke_all(Instant::now());
    }
}

/// The data keys of users, from the service `keys`. Clones share them.
#[derive(Clone)]
pub struct DataKeys {
    asker: Asker,
    known: KnownKeys,
    /// The service did not answer; when it is asked again.
    away_until: Arc<Mutex<Option<Instant>>>,
}

impl DataKeys {
    /// Of messages, for a worker, which may open all of them. None yet; each is used so long after it was asked for.
    pub fn new(rpc: RpcClient, kept: Duration) -> Self {
        Self::asked_by(Asker::of_worker(rpc), kept)
    }

    /// The same of profiles.
    pub fn of_profiles(rpc: RpcClient, kept: Duration) -> Self {
        Self::asked_by(Asker::of_profiles(rpc), kept)
    }

    /// Of messages, for an edge: those that open are asked for by [`for_reader`](Self::for_reader).
    pub fn of_readers(rpc: RpcClient, kept: Duration) -> Self {
        Self::asked_by(Asker::of_readers(rpc), kept)
    }

    fn asked_by(asker: Asker, kept: Duration) -> Self {
        Self { asker, known: KnownKeys::keeping(kept), away_until: Arc::default() }
    }

    /// The same keys; those that are not here are asked for as this user, who is to read what they open.
    #[must_use]
    pub fn for_reader(&self, reader: UserId) -> Self {
        Self { asker: self.asker.for_reader(reader), ..self.clone() }
    }

    /// Those that are here, for whoever cannot wait.
    pub const fn known(&self) -> &KnownKeys {
        &self.known
    }

    /// Drops keys that are revoked or too old, for ever.
    pub async fn expire(self) {
        loop {
            for _ in 0..EXPIRE_EVERY {
                tokio::time::sleep(SWEEP_EVERY).await;
                self.known.0.lock().sweep();
            }
            self.known.0.lock().expire(Instant::now());
        }
    }

    /// Seals a text with its author's newest key.
    ///
    /// # Errors
    /// `unavailable` without a key: a text that should be sealed is not sent in clear.
    pub async fn seal(&self, text: &str, place: &Place) -> Result<Body, RpcError> {
        let DataKey { epoch, key } = self.newest(place.author).await?;
        seal(text, place, epoch, &key).map_err(|error| {
            error!(%error, "a message was not sealed and not sent");
            Code::Internal.into()
        })
    }

    /// The user's newest key, which is made if there is none.
    ///
    /// # Errors
    /// `unavailable` without a key.
    pub async fn newest(&self, user: UserId) -> Result<DataKey, RpcError> {
        let name = KeyName { user, epoch: None };
        for _ in 0..ATTEMPTS {
            match self.known.get(name) {
                Known::Key(key) => return Ok(key),
                Known::Absent => break,
                // Or it was revoked since.
                Known::No => self.get(vec![Want::of_name(name)]).await?,
            }
        }
        match self.known.get(name) {
            Known::Key(key) => Ok(key),
            Known::Absent | Known::No => {
                debug!(%user, "there is no key to seal with: what should be sealed is refused");
                Err(Code::Unavailable.into())
            }
        }
    }

    /// Asks for keys by their names; each is known then, or known to be absent. `unavailable` at once if there was no answer a
    /// moment ago.
    ///
    /// # Errors
    /// What the service fails with.
    pub async fn fetch(&self, names: &[KeyName]) -> Result<(), RpcError> {
        self.get(names.iter().map(|name| Want::of_name(*name)).collect()).await
    }

    /// The same; a key that the reader is not shown is not known then.
    pub(crate) async fn get(&self, wanted: Vec<Want>) -> Result<(), RpcError> {
        if self.away_until.lock().is_some_and(|until| until > Instant::now()) {
            return Err(Code::Unavailable.into());
        }
        for mut wanted in Want::in_calls(wanted) {
            for _ in 0..ATTEMPTS {
                wanted = self.ask(wanted).await?;
                if wanted.is_empty() {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Answers those that were revoked meanwhile.
    async fn ask(&self, wanted: Vec<Want>) -> Result<Vec<Want>, RpcError> {
        let asked = Instant::now();
        let found = self.asker.ask(&wanted).await;
        self.note(found.as_ref().is_err_and(|error| error.code == Code::Unavailable));
        let found = found?;
        if found.len() != wanted.len() {
            error!("the service of keys answered with another number of keys than it was asked for");
            return Err(Code::Internal.into());
        }
        let answered = wanted.into_iter().zip(found);
        Ok(answered
            .filter_map(|(want, answer)| match answer {
                Answer::Found(issued) => (!self.known.put(want.name, issued, asked)).then_some(want),
                Answer::Refused => None,
            })
            .collect())
    }

    fn note(&self, away: bool) {
        let until = away.then(|| Instant::now() + PROBE_EVERY);
        match (std::mem::replace(&mut *self.away_until.lock(), until), away) {
            (None, true) => warn!(
                "no keys to be had: messages and names whose keys are not here are not shown, and those to be sealed with \
                 them are refused"
            ),
            (Some(_), false) => info!("keys can be had again"),
            _ => {}
        }
    }
}
