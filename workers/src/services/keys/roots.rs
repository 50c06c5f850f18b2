use std::{collections::HashMap, sync::Arc};

use futures_util::future::BoxFuture;
use natter_schemas::id::UserId;
use natter_seal::Key;
use natter_store::WrappedUserKey;
use tracing::error;

/// A root does not wrap or unwrap now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the root of keys cannot be used: {0}")]
pub struct RootError(pub String);

/// Wraps the keys of users; what it does that with never leaves it.
pub trait Root: Send + Sync + 'static {
    /// Stored with what it wrapped, and never changed.
    fn name(&self) -> &str;
    /// Wraps a key for this user: it opens for no other.
    fn wrap<'a>(&'a self, user: UserId, key: &'a Key) -> BoxFuture<'a, Result<Vec<u8>, RootError>>;
    /// Each of the keys, `None` for one that is damaged or another user's.
    fn unwrap<'a>(
        &'a self,
        wrapped: &'a [(UserId, &'a [u8])],
    ) -> BoxFuture<'a, Result<Vec<Option<Key>>, RootError>>;
}

/// The roots of a deployment. The first wraps new keys, the others unwrap what they wrapped before.
#[derive(Clone)]
pub struct Roots(Arc<[Box<dyn Root>]>);

impl Roots {
    /// `None` without any.
    pub fn new(roots: Vec<Box<dyn Root>>) -> Option<Self> {
        (!roots.is_empty()).then(|| Self(roots.into()))
    }

    /// In their order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|root| root.name())
    }

    /// Whether it was wrapped by the root that wraps new keys.
    pub fn wraps_by_first(&self, key: &WrappedUserKey) -> bool {
        self.names().next() == Some(key.root.as_str())
    }

    pub async fn wrap(&self, user: UserId, key: &Key) -> Result<WrappedUserKey, RootError> {
        let root = self.0.first().ok_or_else(|| RootError("there is none".to_owned()))?;
        Ok(WrappedUserKey { root: root.name().to_owned(), wrapped: root.wrap(user, key).await? })
    }

    /// In the order of `wrapped`; `None` for a key of a root that is not here, and for one that is damaged.
    pub async fn unwrap(&self, wrapped: &[(UserId, &WrappedUserKey)]) -> Result<Vec<Option<Key>>, RootError> {
        let mut by_root: HashMap<&str, Vec<usize>> = HashMap::new();
        for (at, (_, key)) in wrapped.iter().enumerate() {
            by_root.entry(&key.root).or_default().push(at);
        }
        let mut opened = vec![None; wrapped.len()];
        for (name, places) in by_root {
            let Some(root) = self.0.iter().find(|root| root.name() == name) else {
                error!(
                    root = name,
                    users = places.len(),
                    "keys of users are wrapped by a root that is not set"
                );
                continue;
            };
            let keys: Vec<(UserId, &[u8])> =
                places.iter().map(|at| (wrapped[*at].0, wrapped[*at].1.wrapped.as_slice())).collect();
            for ((at, (user, _)), key) in places.iter().zip(&keys).zip(root.unwrap(&keys).await?) {
                if key.is_none() {
                    error!(%user, root = name, "the stored key of a user is damaged: what it sealed cannot be read");
                }
                opened[*at] = key;
            }
        }
        Ok(opened)
    }
}
