//! A user's email address and display name as they are stored: in clear, or sealed beside what they are found by.
//!
//! ```text
//! U+0001, what it is found by, U+0001, sealed
//! ```
//!
//! No address and no name has the character, so neither kind of field is taken for the other, and rows of both kinds are
//! side by side. An address is found by one hash, a name by one for each beginning of each of its words. What is stored and
//! looked for here is opaque: `natter_workers` seals and hashes.

use natter_schemas::text;

use crate::fold::fold;

const MARK: char = '\u{1}';
/// In a search, for a word by which no sealed name is found.
const NONE: &str = "-";

/// A sealed field as it is stored. `found_by`: hashes without blanks.
#[must_use]
pub fn sealed(found_by: &[String], sealed: &str) -> String {
    format!("{MARK}{}{MARK}{sealed}", found_by.join(" "))
}

/// What is sealed in a stored field; `None` for one in clear.
#[must_use]
pub fn sealed_part(stored: &str) -> Option<&str> {
    let (_, sealed) = stored.strip_prefix(MARK)?.split_once(MARK)?;
    Some(sealed)
}

/// Whether a stored field is found by these hashes, in this order.
#[must_use]
pub fn is_found_by(stored: &str, hashes: &[String]) -> bool {
    words(stored).is_some_and(|words| words.eq(hashes.iter().map(|hash| word(hash))))
}

/// Whether it could be taken for what is only made here: no one has typed it.
#[must_use]
pub fn is_reserved(typed: &str) -> bool {
    typed.contains(MARK)
}

/// By this a user is looked for whose sealed address has the hash.
#[must_use]
pub fn word(hash: &str) -> String {
    format!("{MARK}{hash}")
}

/// By this users are searched: for each word of `text` one that begins with it, or a sealed one that is found by the hash.
#[must_use]
pub fn search(text: &str, hash: impl Fn(&str) -> Option<String>) -> String {
    let hashes: Vec<String> =
        text::search_words(text).iter().map(|word| hash(word).unwrap_or_else(|| NONE.to_owned())).collect();
    format!("{text}{MARK}{}", hashes.join(" "))
}

/// The text of a search, and the hashes of its words.
pub(crate) fn searched(query: &str) -> (&str, Vec<Option<String>>) {
    let (text, hashes) = query.split_once(MARK).unwrap_or((query, ""));
    (text, hashes.split(' ').map(|hash| (hash != NONE && !hash.is_empty()).then(|| word(hash))).collect())
}

/// Whether it is such a word.
pub(crate) fn is_word(text: &str) -> bool {
    text.starts_with(MARK)
}

/// The words by which a sealed field is found; `None` for one in clear.
pub(crate) fn words(stored: &str) -> Option<impl Iterator<Item = String> + '_> {
    let (words, _) = stored.strip_prefix(MARK)?.split_once(MARK)?;
    Some(words.split(' ').filter(|word| !word.is_empty()).map(word))
}

/// The form in which an address is unique, whatever the case.
#[must_use]
pub fn folded(email: &str) -> String {
    fold(email)
}

/// By what an address is unique: its fold, or the word of a sealed one. The same for a login that may be an address.
pub(crate) fn email_key(stored: &str) -> String {
    match words(stored) {
        Some(mut words) => words.next().unwrap_or_default(),
        None if is_word(stored) => stored.to_owned(),
        None => fold(stored),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_field_has_its_words_and_its_text_apart() {
        let stored = sealed(&["ab".to_owned(), "cd".to_owned()], "c2VhbGVk");
        assert_eq!(sealed_part(&stored), Some("c2VhbGVk"));
        assert_eq!(words(&stored).unwrap().collect::<Vec<_>>(), [word("ab"), word("cd")]);
        assert_eq!(email_key(&stored), word("ab"));
        assert_eq!(email_key(&word("aB")), word("aB"), "what is looked for is not folded");
        let clear = "Zoë@Example.org";
        assert!(sealed_part(clear).is_none() && words(clear).is_none());
        assert_eq!(email_key(clear), fold(clear));
        assert_eq!(words(&sealed(&[], "x")).unwrap().count(), 0);
    }

    #[test]
    fn a_search_has_a_hash_for_each_word_that_has_one() {
        let query = search("Zoë M", |word| (word.len() > 1).then(|| format!("h{word}")));
        assert_eq!(searched(&query), ("Zoë M", vec![Some(word("hzoe")), None]));
        assert_eq!(searched("Zoë").0, "Zoë");
    }
}
