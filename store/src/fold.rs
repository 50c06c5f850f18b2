//! Upper and lower case made alike, the same way for every implementation: what is unique and what is found
//! must not depend on the database.

/// Through upper to lower case, character by character: `ß` and `SS`, `ς` and `Σ` meet. Without regard to
/// neighbours, so that the fold of a prefix is a prefix of the fold.
pub fn fold(text: &str) -> String {
    text.chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_take_for_the_same_word_folds_alike() {
        for (a, b) in [("Alice", "aLICE"), ("ÅSA", "åsa"), ("Straße", "STRASSE"), ("ΝΙΚΟΣ", "νικος")]
        {
            assert_eq!(fold(a), fold(b), "{a} {b}");
        }
        assert_ne!(fold("é"), fold("e"));
    }

    #[test]
    fn the_fold_of_a_prefix_is_a_prefix_of_the_fold() {
        let name = "ΝΙΚΟΣ ẞtraße İ";
        for (end, _) in name.char_indices() {
            assert!(fold(name).starts_with(&fold(&name[..end])), "{}", &name[..end]);
        }
    }
}
