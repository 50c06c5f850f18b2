use futures_util::future::{BoxFuture, ready};
use natter_schemas::id::UserId;
use natter_seal::{Key, unwrap, wrap};

use super::roots::{Root, RootError};

/// A root whose key is a setting or a file: as safe as these are.
pub struct LocalRoot {
    key: Key,
    name: String,
}

impl LocalRoot {
    /// Its name follows from the key, so that a list of keys needs no names.
    pub fn new(key: Key) -> Self {
        let hash = blake3::derive_key("natter 2026 name of a root of keys", key.bytes());
        let name = hash[..8].iter().fold("local-".to_owned(), |name, byte| format!("{name}{byte:02x}"));
        Self { key, name }
    }
}

impl Root for LocalRoot {
    fn name(&self) -> &str {
        &self.name
    }

    fn wrap<'a>(&'a self, user: UserId, key: &'a Key) -> BoxFuture<'a, Result<Vec<u8>, RootError>> {
        let wrapped = wrap(key, &self.key, &place(user));
        Box::pin(ready(wrapped.map_err(|error| RootError(error.to_string()))))
    }

    fn unwrap<'a>(
        &'a self,
        wrapped: &'a [(UserId, &'a [u8])],
    ) -> BoxFuture<'a, Result<Vec<Option<Key>>, RootError>> {
        let open = |(user, wrapped): &(UserId, &[u8])| unwrap(wrapped, &self.key, &place(*user));
        Box::pin(ready(Ok(wrapped.iter().map(open).collect())))
    }
}

fn place(user: UserId) -> Vec<u8> {
    [b"natter user key 1".as_slice(), user.as_bytes()].concat()
}
