//! Users are found by words of their names, the same way in every implementation.

use std::collections::BTreeSet;

use natter_schemas::{rpc::User, text::search_words};

/// By which a user is found: each word of the username and of the display name.
pub fn of(user: &User) -> BTreeSet<String> {
    [&user.username, &user.display_name].into_iter().flat_map(|name| search_words(name)).collect()
}

/// What a search is for: users who have, for each of its words, one that begins with it.
pub struct Query(Vec<String>);

impl Query {
    /// `None` when there is no word in it, as in an empty one: it finds no user.
    pub fn parse(text: &str) -> Option<Self> {
        let words = search_words(text);
        (!words.is_empty()).then_some(Self(words))
    }

    /// The word with which to look into the index: it leaves the fewest users.
    pub fn longest(&self) -> &str {
        self.0.iter().max_by_key(|word| word.len()).map_or("", String::as_str)
    }

    pub fn finds(&self, user: &User) -> bool {
        let words = of(user);
        self.0.iter().all(|begun| words.iter().any(|word| word.starts_with(begun.as_str())))
    }
}
