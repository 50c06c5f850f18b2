//! Addresses and names in the form in which they are stored sealed.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD as BASE64};
use natter_schemas::{id::UserId, rpc::User, text::search_words};
use natter_seal::{
    DataKey, Field, Key, NoRandomness, WillNotOpen, epoch_of_field, look_up, open_field, seal_field,
};
use natter_store::profile;

const EMAIL: u8 = 1;
const WORD: u8 = 2;
/// A shorter beginning would say more about a name than it helps to find it.
const SHORTEST: usize = 2;

/// What seals one user's fields.
pub struct Sealer {
    pub user: UserId,
    /// The user's newest.
    pub key: DataKey,
    /// The deployment's: hashes are made with it.
    pub look_up: Key,
}

impl Sealer {
    /// Without an address there is nothing to seal.
    pub fn email(&self, email: &str) -> Result<String, NoRandomness> {
        if email.is_empty() {
            return Ok(String::new());
        }
        self.field(Field::Email, email, &[email_hash(email, &self.look_up)])
    }

    pub fn display_name(&self, name: &str) -> Result<String, NoRandomness> {
        self.field(Field::DisplayName, name, &name_hashes(name, &self.look_up))
    }

    fn field(&self, field: Field, text: &str, hashes: &[String]) -> Result<String, NoRandomness> {
        let DataKey { epoch, key } = &self.key;
        let sealed = seal_field(text, (self.user, field), *epoch, key)?;
        Ok(profile::sealed(hashes, &BASE64.encode(sealed)))
    }
}

/// By which an address is found, whatever its case.
pub fn email_hash(email: &str, key: &Key) -> String {
    BASE64.encode(look_up(&profile::folded(email), EMAIL, key))
}

/// By which names are found that have a word which begins so; `None`: too short.
pub fn word_hash(word: &str, key: &Key) -> Option<String> {
    (word.chars().count() >= SHORTEST).then(|| BASE64.encode(look_up(word, WORD, key)))
}

/// One for each beginning of each word, bounded as the words are: at most 16 × 31.
fn name_hashes(name: &str, key: &Key) -> Vec<String> {
    let mut hashes = Vec::new();
    for word in search_words(name) {
        let ends = word.char_indices().map(|(at, c)| at + c.len_utf8());
        hashes.extend(ends.filter_map(|end| word_hash(&word[..end], key)));
    }
    hashes.sort_unstable();
    hashes.dedup();
    hashes
}

/// Whether the fields are as this would seal them: with this key, found by these hashes.
pub fn is_current(stored: &User, opened: &User, sealer: &Sealer) -> bool {
    let current = |stored: &str, hashes: &[String]| {
        epoch(stored) == Some(sealer.key.epoch) && profile::is_found_by(stored, hashes)
    };
    (stored.email.is_empty() || current(&stored.email, &[email_hash(&opened.email, &sealer.look_up)]))
        && current(&stored.display_name, &name_hashes(&opened.display_name, &sealer.look_up))
}

/// The epoch of the key that seals a stored field; `None`: it is in clear, or damaged.
pub fn epoch(stored: &str) -> Option<u32> {
    epoch_of_field(&BASE64.decode(profile::sealed_part(stored)?).ok()?)
}

/// Epochs of the keys that a user's fields are sealed with.
pub fn epochs(stored: &User) -> impl Iterator<Item = u32> {
    [&stored.email, &stored.display_name].into_iter().filter_map(|field| epoch(field))
}

/// Whether a field is sealed.
pub fn is_sealed(stored: &User) -> bool {
    [&stored.email, &stored.display_name].into_iter().any(|field| profile::sealed_part(field).is_some())
}

/// A stored user in clear.
///
/// # Errors
/// [`WillNotOpen`]: a key is not there, or a field is damaged.
pub fn open(stored: &User, key: impl Fn(u32) -> Option<Key>) -> Result<User, WillNotOpen> {
    let field = |field: Field, stored_field: &str| {
        let Some(sealed) = profile::sealed_part(stored_field) else { return Ok(stored_field.to_owned()) };
        let sealed = BASE64.decode(sealed).map_err(|_| WillNotOpen)?;
        let key = epoch_of_field(&sealed).and_then(&key).ok_or(WillNotOpen)?;
        open_field(&sealed, (stored.id, field), &key)
    };
    let email = field(Field::Email, &stored.email)?;
    let display_name = field(Field::DisplayName, &stored.display_name)?;
    Ok(User { email, display_name, ..stored.clone() })
}

/// What is shown of a user whose fields do not open: the username, which is never sealed.
pub fn without_key(stored: &User) -> User {
    let in_clear = |field: &str| profile::sealed_part(field).is_none().then(|| field.to_owned());
    let email = in_clear(&stored.email).unwrap_or_default();
    let display_name = in_clear(&stored.display_name).unwrap_or_else(|| stored.username.clone());
    User { email, display_name, ..stored.clone() }
}

#[cfg(test)]
mod tests {
    use natter_schemas::event::Timestamp;

    use super::*;

    fn zoe() -> User {
        User {
            id: UserId::fresh(),
            username: "zoe".to_owned(),
            email: "Zoe@Example.org".to_owned(),
            display_name: "Zoë Müller".to_owned(),
            created_at: Timestamp(1),
        }
    }

    fn sealer(user: UserId, epoch: u8) -> Sealer {
        Sealer {
            user,
            key: DataKey { epoch: epoch.into(), key: Key::from([epoch; 32]) },
            look_up: Key::from([9; 32]),
        }
    }

    fn sealed(user: &User, by: &Sealer) -> User {
        let (email, display_name) =
            (by.email(&user.email).unwrap(), by.display_name(&user.display_name).unwrap());
        User { email, display_name, ..user.clone() }
    }

    #[test]
    fn a_sealed_user_has_nothing_in_clear_but_the_username() {
        let user = zoe();
        let by = sealer(user.id, 3);
        let stored = sealed(&user, &by);
        let text = format!("{}{}", stored.email, stored.display_name).to_lowercase();
        assert!(!text.contains("example") && !text.contains("ller"), "{text}");
        assert_eq!(epochs(&stored).collect::<Vec<_>>(), [3, 3]);
        let key = |epoch| (epoch == 3).then(|| by.key.key.clone());
        assert_eq!(open(&stored, key).unwrap(), user);
        assert_eq!(open(&user, |_| None).unwrap(), user, "in clear");
        assert!(open(&stored, |_| None).is_err());
        let shown = without_key(&stored);
        assert_eq!((shown.display_name.as_str(), shown.email.as_str()), ("zoe", ""));
    }

    #[test]
    fn a_name_is_found_by_every_beginning_of_two_letters() {
        let key = Key::from([9; 32]);
        let hashes = name_hashes("Zoë Müller", &key);
        assert_eq!(hashes.len(), 2 + 5);
        for begun in ["zo", "zoe", "mu", "muller"] {
            assert!(hashes.contains(&word_hash(begun, &key).unwrap()), "{begun}");
        }
        assert!(!hashes.contains(&word_hash("oe", &key).unwrap()));
        assert!(word_hash("z", &key).is_none());
        assert_eq!(email_hash("A@B.org", &key), email_hash("a@b.ORG", &key));
    }

    #[test]
    fn fields_of_an_older_key_or_other_hashes_are_not_current() {
        let user = zoe();
        let (old, new) = (sealer(user.id, 1), sealer(user.id, 2));
        assert!(is_current(&sealed(&user, &new), &user, &new));
        assert!(!is_current(&sealed(&user, &old), &user, &new));
        assert!(!is_current(&user, &user, &new));
        let other = Sealer { look_up: Key::from([8; 32]), ..sealer(user.id, 2) };
        assert!(!is_current(&sealed(&user, &other), &user, &new));
    }
}
