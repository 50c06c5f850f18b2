//! Users are found by words of their names, the same way in every implementation.

use std::collections::BTreeSet;

use natter_schemas::{rpc::User, text::search_words};

use crate::profile;

/// By which a user is found: each word of the username and of the display name, or the words of a sealed one.
pub fn of(user: &User) -> BTreeSet<String> {
    let mut words: BTreeSet<String> = search_words(&user.username).into_iter().collect();
    match profile::words(&user.display_name) {
        Some(sealed) => words.extend(sealed),
        None => words.extend(search_words(&user.display_name)),
    }
    words
}

/// What a search is for: users who have, for each of its words, one that begins with it, or a sealed one that is found by
/// its hash.
pub struct Query(Vec<Wanted>);

struct Wanted {
    begun: String,
    sealed: Option<String>,
}

impl Query {
    /// `None` when there is no word in it, as in an empty one: it finds no user.
    pub fn parse(query: &str) -> Option<Self> {
        let (text, hashes) = profile::searched(query);
        let mut hashes = hashes.into_iter();
        let words = search_words(text).into_iter();
        let words: Vec<Wanted> =
            words.map(|begun| Wanted { begun, sealed: hashes.next().flatten() }).collect();
        (!words.is_empty()).then_some(Self(words))
    }

    /// The beginnings with which to look into the index: those of the word that leaves the fewest users.
    pub fn begins(&self) -> impl Iterator<Item = &str> {
        let longest = self.0.iter().max_by_key(|word| word.begun.len());
        longest.into_iter().flat_map(|word| [Some(word.begun.as_str()), word.sealed.as_deref()]).flatten()
    }

    pub fn finds(&self, user: &User) -> bool {
        let words = of(user);
        let has = |wanted: &Wanted| {
            wanted.sealed.as_ref().is_some_and(|sealed| words.contains(sealed))
                || words.iter().any(|word| word.starts_with(&wanted.begun))
        };
        self.0.iter().all(has)
    }
}
