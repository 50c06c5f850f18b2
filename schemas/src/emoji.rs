//! Which texts are one emoji: those of the current Unicode list, in the list's own spelling.

use std::{collections::HashMap, sync::LazyLock};

use icu_properties::{CodePointSetData, props::Emoji};

/// U+FE0E asks for the presentation as text, U+FE0F for that as an emoji.
const PRESENTATION_SELECTORS: [char; 2] = ['\u{FE0E}', '\u{FE0F}'];

/// The list by its spellings without selectors. Those that are not fully qualified are not left to the `emojis` crate:
/// to some it gives other skin tones, and to a digit with U+FE0F a keycap.
static LIST: LazyLock<HashMap<String, &'static str>> =
    LazyLock::new(|| listed().map(|emoji| (emoji.replace(PRESENTATION_SELECTORS, ""), emoji)).collect());

fn listed() -> impl Iterator<Item = &'static str> {
    let toned = emojis::iter().flat_map(|emoji| emoji.skin_tones().into_iter().flatten().chain([emoji]));
    toned.map(emojis::Emoji::as_str)
}

/// The fully qualified spelling of one emoji of Unicode's list (UTS #51, emoji-test.txt), whatever presentation
/// selectors it was sent with: ❤, ❤️ and ❤︎ are one. `None` when `text` is anything else.
pub fn canonical(text: &str) -> Option<&'static str> {
    LIST.get(&without_selectors(text)?).copied()
}

/// `None` when one of them does not follow the character of an emoji (UTS #51, ED-8a and ED-9a).
fn without_selectors(text: &str) -> Option<String> {
    let (mut bare, mut before) = (String::with_capacity(text.len()), None);
    for c in text.chars() {
        if !PRESENTATION_SELECTORS.contains(&c) {
            bare.push(c);
        } else if !before.is_some_and(|base| CodePointSetData::new::<Emoji>().contains(base)) {
            return None;
        }
        before = Some(c);
    }
    Some(bare)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits;

    #[test]
    fn every_spelling_of_an_emoji_has_one_canonical_form() {
        for (sent, kept) in [
            ("❤", "❤️"),
            ("❤️", "❤️"),
            ("👍🏽", "👍🏽"),
            ("👩‍👩‍👧‍👦", "👩‍👩‍👧‍👦"),
            ("🇿🇦", "🇿🇦"),
            ("1️⃣", "1️⃣"),
            ("☺", "☺️"),
            ("❤\u{FE0E}", "❤️"),
            ("👍\u{FE0E}", "👍"),
            ("👍\u{FE0F}", "👍"),
            ("☺\u{FE0E}", "☺️"),
            ("1\u{FE0E}\u{20E3}", "1️⃣"),
            ("1\u{20E3}", "1️⃣"),
            ("❤\u{200D}🔥", "❤️‍🔥"),
            ("👁\u{FE0F}\u{200D}🗨", "👁️‍🗨️"),
            ("👁\u{200D}🗨\u{FE0E}", "👁️‍🗨️"),
            ("☝\u{FE0F}🏽", "☝🏽"),
        ] {
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
            "\u{FE0E}",
            "❤\u{FE0E}\u{FE0F}",
            "\u{FE0F}❤",
            "👁\u{200D}\u{FE0F}🗨",
            "1\u{20E3}\u{FE0F}",
            "1\u{FE0F}",
            "❤\u{FE00}",
            "❤\u{E0100}",
        ] {
            assert_eq!(canonical(text), None, "{text:?}");
        }
    }

    #[test]
    fn no_selector_makes_another_emoji() {
        for emoji in listed() {
            let mut spellings = vec![String::new()];
            for c in emoji.chars().filter(|c| !PRESENTATION_SELECTORS.contains(c)) {
                let selectors: &[&str] = if CodePointSetData::new::<Emoji>().contains(c) {
                    &["", "\u{FE0E}", "\u{FE0F}"]
                } else {
                    &[""]
                };
                let longer = |begun: &String| {
                    selectors.iter().map(|selector| format!("{begun}{c}{selector}")).collect::<Vec<_>>()
                };
                spellings = spellings.iter().flat_map(longer).collect();
            }
            for spelling in spellings {
                assert_eq!(canonical(&spelling), Some(emoji), "{}", spelling.escape_unicode());
            }
        }
    }

    #[test]
    fn no_emoji_of_the_list_is_longer_than_the_bound() {
        assert!(listed().all(|emoji| emoji.len() <= limits::EMOJI));
    }
}
