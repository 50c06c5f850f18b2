//! `JWT_*`: the keys of access tokens. Several can be valid at once, so that one follows another without a log-out.

use natter_schemas::limits::{JWT_KEY_ID, JWT_KEYS, JWT_SECRET_MIN};
use secrecy::{ExposeSecret, SecretSlice, SecretString};

use super::{BadSetting, Source, bad, read_file, secret, text};

#[derive(Debug, Clone)]
pub struct TokenSecret {
    /// The `kid` of its tokens; `None`: they have none.
    pub id: Option<String>,
    pub key: SecretSlice<u8>,
}

#[derive(Debug, Clone)]
pub struct PemKey {
    /// The `kid` of its tokens.
    pub id: String,
    pub pem: SecretString,
}

/// New tokens are signed by the private key, without one by the first secret. All of them verify.
#[derive(Debug, Clone, Default)]
pub struct TokenKeys {
    pub secrets: Vec<TokenSecret>,
    /// Ed25519, PKCS #8.
    pub private: Option<PemKey>,
    /// Ed25519, SPKI; they verify what others sign.
    pub public: Vec<PemKey>,
}

impl TokenKeys {
    /// One secret, whose tokens name no key.
    pub fn unnamed(secret: Vec<u8>) -> Self {
        Self { secrets: vec![TokenSecret { id: None, key: secret.into() }], ..Self::default() }
    }

    pub const fn can_sign(&self) -> bool {
        !self.secrets.is_empty() || self.private.is_some()
    }
}

/// What workers do with a call of an edge that carries no access token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallProof {
    /// It is refused.
    Required,
    /// It is answered: edges of a version that sends none are still running.
    Accepted,
}

pub fn call_proof(source: &Source<'_>) -> Result<CallProof, BadSetting> {
    match text(source, "CALL_PROOF").as_deref() {
        None | Some("required") => Ok(CallProof::Required),
        Some("accepted") => Ok(CallProof::Accepted),
        Some(other) => Err(bad("CALL_PROOF", other, "required, or accepted while older edges still run")),
    }
}

pub fn read(source: &Source<'_>, needed: bool) -> Result<TokenKeys, BadSetting> {
    let keys = TokenKeys { secrets: secrets(source)?, private: private(source)?, public: public(source)? };
    if needed && !keys.can_sign() {
        return Err(short("JWT_SECRET", "is missing".to_owned()));
    }
    distinct(&keys)?;
    Ok(keys)
}

fn is_short(secret: &str) -> bool {
    secret.len() < JWT_SECRET_MIN
}

fn short(name: &'static str, wrong: String) -> BadSetting {
    let allowed =
        format!("a secret of at least {JWT_SECRET_MIN} bytes, for example from `openssl rand -hex 32`");
    BadSetting { name, wrong, allowed }
}

/// `JWT_SECRET` is short for one entry without an id.
fn secrets(source: &Source<'_>) -> Result<Vec<TokenSecret>, BadSetting> {
    let unnamed = secret(source, "JWT_SECRET", "JWT_SECRET_FILE")?;
    let list = secret(source, "JWT_SECRETS", "JWT_SECRETS_FILE")?;
    match (unnamed, list) {
        (Some(_), Some(_)) => Err(BadSetting {
            name: "JWT_SECRETS",
            wrong: "is set beside JWT_SECRET".to_owned(),
            allowed: "one of them; the secret of JWT_SECRET as an entry without an id, :secret".to_owned(),
        }),
        (Some(secret), None) if is_short(secret.expose_secret()) => {
            Err(short("JWT_SECRET", "is too short".to_owned()))
        }
        (Some(secret), None) => Ok(TokenKeys::unnamed(secret.expose_secret().as_bytes().to_vec()).secrets),
        (None, Some(list)) => entries(list.expose_secret()),
        (None, None) => Ok(Vec::new()),
    }
}

fn entries(list: &str) -> Result<Vec<TokenSecret>, BadSetting> {
    let entries = list.split([',', '\n']).map(str::trim).filter(|entry| !entry.is_empty());
    let entries = entries.enumerate().map(|(number, entry)| {
        // Entries are not repeated: what looks like an id may be a part of a secret.
        let wrong = |wrong: &str| format!("{wrong} in entry {}", number + 1);
        let Some((id, secret)) = entry.split_once(':') else {
            let allowed = "id:secret, comma-separated".to_owned();
            return Err(BadSetting { name: "JWT_SECRETS", wrong: wrong("has no id"), allowed });
        };
        let id = (!id.is_empty()).then(|| id.to_owned());
        if id.as_deref().is_some_and(|id| !is_id(id)) {
            return Err(BadSetting { name: "JWT_SECRETS", wrong: wrong("has a bad id"), allowed: ids() });
        }
        if is_short(secret) {
            return Err(short("JWT_SECRETS", wrong("has too short a secret")));
        }
        Ok(TokenSecret { id, key: secret.as_bytes().to_vec().into() })
    });
    entries.collect()
}

fn private(source: &Source<'_>) -> Result<Option<PemKey>, BadSetting> {
    const NAME: &str = "JWT_PRIVATE_KEY";
    text(source, NAME).map(|entry| pem(NAME, &entry)).transpose()
}

fn public(source: &Source<'_>) -> Result<Vec<PemKey>, BadSetting> {
    const NAME: &str = "JWT_PUBLIC_KEYS";
    let list = text(source, NAME).unwrap_or_default();
    let entries = list.split(',').map(str::trim).filter(|entry| !entry.is_empty());
    entries.map(|entry| pem(NAME, entry)).collect()
}

/// `id:path` of a PEM file.
fn pem(name: &'static str, entry: &str) -> Result<PemKey, BadSetting> {
    let (id, path) =
        entry.split_once(':').ok_or_else(|| bad(name, entry, "id:path of a PEM file (Ed25519)"))?;
    if !is_id(id) {
        return Err(bad(name, entry, ids()));
    }
    Ok(PemKey { id: id.to_owned(), pem: read_file(name, path)? })
}

fn is_id(id: &str) -> bool {
    JWT_KEY_ID.contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
}

fn ids() -> String {
    format!("ids of {} to {} of A-Z a-z 0-9 . _ -", JWT_KEY_ID.start(), JWT_KEY_ID.end())
}

/// By its id a token's key is found: two keys of one id would make it a matter of luck.
fn distinct(keys: &TokenKeys) -> Result<(), BadSetting> {
    let secrets = keys.secrets.iter().map(|key| ("JWT_SECRETS", key.id.as_deref()));
    let private = keys.private.iter().map(|key| ("JWT_PRIVATE_KEY", Some(key.id.as_str())));
    let public = keys.public.iter().map(|key| ("JWT_PUBLIC_KEYS", Some(key.id.as_str())));
    let all: Vec<_> = secrets.chain(private).chain(public).collect();
    for (number, (name, id)) in all.iter().enumerate() {
        if all[..number].iter().any(|(_, earlier)| earlier == id) {
            let wrong = match id {
                Some(id) => format!("has id {id}, which another key has"),
                None => "has two secrets without an id".to_owned(),
            };
            return Err(BadSetting { name, wrong, allowed: "one key for each id".to_owned() });
        }
    }
    match all.get(JWT_KEYS) {
        Some((name, _)) => {
            let wrong = format!("has too many keys: {} with those of the other settings", all.len());
            Err(BadSetting { name, wrong, allowed: format!("at most {JWT_KEYS} keys") })
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    const B: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

    fn of(pairs: &[(&str, String)]) -> Result<TokenKeys, BadSetting> {
        read(&|name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| value.clone()), true)
    }

    #[test]
    fn secrets_have_ids_and_keep_their_order() {
        let keys = of(&[("JWT_SECRETS", format!("2026-12:{A}, 2026-11:{B},:{B}"))]).expect("three");
        let ids: Vec<_> = keys.secrets.iter().map(|key| key.id.as_deref()).collect();
        assert_eq!(ids, [Some("2026-12"), Some("2026-11"), None]);
        assert_eq!(keys.secrets[0].key.expose_secret(), A.as_bytes());
        let one = of(&[("JWT_SECRET", A.to_owned())]).expect("a secret");
        assert!(one.can_sign() && one.secrets[0].id.is_none());
    }

    #[test]
    fn a_secret_is_read_from_a_file_as_from_a_variable() {
        let file = std::env::temp_dir().join(format!("natter-token-keys-{}", std::process::id()));
        std::fs::write(&file, format!("new:{A}\nold:{B}\n")).expect("written");
        let path = file.display().to_string();
        let keys = of(&[("JWT_SECRETS_FILE", path.clone())]).expect("two secrets");
        assert_eq!(keys.secrets.len(), 2);
        let both = of(&[("JWT_SECRETS_FILE", path), ("JWT_SECRETS", format!("x:{A}"))]);
        assert!(both.expect_err("one of two").to_string().starts_with("JWT_SECRETS_FILE is set beside"));
        std::fs::remove_file(&file).expect("it was there");
        let gone = of(&[("JWT_SECRET_FILE", file.display().to_string())]).expect_err("no file").to_string();
        assert!(gone.starts_with("JWT_SECRET_FILE names ") && gone.contains("cannot be read"), "{gone}");
    }

    #[test]
    fn keys_that_cannot_be_told_apart_or_guessed_are_refused() {
        let many = (0..=JWT_KEYS).map(|id| format!("{id}:{A}")).collect::<Vec<_>>().join(",");
        for (name, value) in [
            ("JWT_SECRETS", format!("a:{A},a:{B}")),
            ("JWT_SECRETS", format!("a:{A},{B}")),
            ("JWT_SECRETS", format!("a b:{A}")),
            ("JWT_SECRETS", format!(":{A},:{B}")),
            ("JWT_SECRETS", "a:hunter2".to_owned()),
            ("JWT_SECRETS", many),
            ("JWT_SECRETS", " , ".to_owned()),
            ("JWT_PRIVATE_KEY", "/a/path".to_owned()),
            ("JWT_PRIVATE_KEY", "a:/no/such/file".to_owned()),
            ("JWT_PUBLIC_KEYS", "a:/no/such/file".to_owned()),
        ] {
            let error = of(&[(name, value)]).expect_err(name).to_string();
            assert!(error.starts_with("JWT_") && error.contains("allowed: "), "{error}");
            assert!(![A, B, "hunter2"].iter().any(|secret| error.contains(secret)), "{error}");
        }
    }

    #[test]
    fn keys_are_not_printed() {
        let keys = of(&[("JWT_SECRETS", format!("a:{A},:{B}"))]).expect("keys");
        let both = [("JWT_SECRET", A.to_owned()), ("JWT_SECRETS", format!("b:{B}"))];
        let both = of(&both).expect_err("one of two").to_string();
        assert!(both.starts_with("JWT_SECRETS is set beside JWT_SECRET;"), "{both}");
        assert!(![A, B].iter().any(|secret| format!("{keys:?}").contains(secret)));
    }
}
