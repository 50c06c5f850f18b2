//! Which texts are one emoji: those of the current Unicode list, in the list's own spelling.

/// The fully qualified spelling of one emoji of Unicode's list (UTS #51, emoji-test.txt), whatever presentation
/// selectors it was sent with: ❤ and ❤️ are one. `None` when `text` is anything else.
pub fn canonical(text: &str) -> Option<&'static str> {
    emojis::get(text).map(emojis::Emoji::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits;

    #[test]
    fn every_spelling_of_an_emoji_has_one_canonical_form() {
        for (sent, kept) in
            [("❤", "❤️"), ("❤️", "❤️"), ("👍🏽", "👍🏽"), ("👩‍👩‍👧‍👦", "👩‍👩‍👧‍👦"), ("🇿🇦", "🇿🇦"), ("1️⃣", "1️⃣"), ("☺", "☺️")]
        {
            assert_eq!(canonical(sent), Some(kept), "{sent}");
        }
    }

    #[test]
    fn text_that_is_not_on_unicodes_list_is_no_emoji() {
        for text in [
            "",
            "a",
            "1",
            "👍👍",
            "👍\u{301}",
            "👍\u{FE0F}\u{FE0F}",
            "é",
            "\u{200D}",
            "👍 ",
            "≠",
            "中",
            "\u{FE0F}",
        ] {
            assert_eq!(canonical(text), None, "{text:?}");
        }
    }

    #[test]
    fn no_emoji_of_the_list_is_longer_than_the_bound() {
        assert!(
            emojis::iter()
                .flat_map(|emoji| emoji.skin_tones().into_iter().flatten().chain([emoji]))
                .all(|e| e.as_str().len() <= limits::EMOJI)
        );
    }
}
