use proptest::prelude::*;

use super::*;

/// The name as it is kept, unless it is refused.
fn kept(name: &str) -> Option<String> {
    let name = normalized(name);
    (!text::is_blank(&name) && fault(&name).is_none()).then_some(name)
}

fn is_ignorable(c: char) -> bool {
    CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c)
}

fn all_characters() -> impl Iterator<Item = char> {
    (0..=u32::from(char::MAX)).filter_map(char::from_u32)
}

#[test]
fn names_are_composed_and_trimmed() {
    assert_eq!(normalized(" Zoe\u{308} \u{3000}"), "Zoë");
    assert_eq!(normalized("Ångström"), normalized("A\u{30A}ngstro\u{308}m"));
}

#[test]
fn characters_that_are_not_seen_are_found_in_names() {
    for (name, bad) in [
        ("Al\u{202E}ice", '\u{202E}'),
        ("Al\u{2066}ice", '\u{2066}'),
        ("Al\u{200B}ice", '\u{200B}'),
        ("Al\u{200D}ice", '\u{200D}'),
        ("Al\u{200C}ice", '\u{200C}'),
        ("Alice\u{FEFF}", '\u{FEFF}'),
        ("Al\u{AD}ice", '\u{AD}'),
        ("\u{FE0F}Alice", '\u{FE0F}'),
        ("al\u{FE00}ice", '\u{FE00}'),
        ("al\u{FE0F}ice", '\u{FE0F}'),
        ("al\u{E0100}ice", '\u{E0100}'),
        ("葛\u{E0100}", '\u{E0100}'),
        ("1\u{FE0F}", '\u{FE0F}'),
        ("🏴\u{E0061}\u{E007F}", '\u{E0061}'),
        ("🏴 Al\u{E0061}ice", '\u{E0061}'),
        ("👍\u{FE0E}\u{FE0E}", '\u{FE0E}'),
        ("👍\u{FE0E}\u{FE0F}", '\u{FE0F}'),
        ("👍\u{200D}👍", '\u{200D}'),
        ("س\u{200D}ل", '\u{200D}'),
        ("ر\u{200C}س", '\u{200C}'),
        ("س\u{200C}", '\u{200C}'),
        ("س\u{200C}\u{200C}ل", '\u{200C}'),
        ("क्\u{200C}", '\u{200C}'),
        ("क्\u{200D}a", '\u{200D}'),
        ("क\u{200D}ष", '\u{200D}'),
        ("Al\u{E0061}ice", '\u{E0061}'),
        ("Al\u{7}ice", '\u{7}'),
        ("Al\u{2028}ice", '\u{2028}'),
        ("A\u{3164}", '\u{3164}'),
        ("A\u{2800}", '\u{2800}'),
        ("A\u{1D159}", '\u{1D159}'),
        ("A\u{13441}", '\u{13441}'),
        ("A\u{FFFE}", '\u{FFFE}'),
        ("A\u{E000}", '\u{E000}'),
    ] {
        assert_eq!(fault(&normalized(name)), Some(Fault::Hidden(bad)), "{}", name.escape_unicode());
    }
}

#[test]
fn marks_are_neither_stacked_nor_without_a_letter() {
    let stacked = |count| format!("a{}", "\u{301}\u{302}".repeat(count));
    assert_eq!(fault(&normalized(&stacked(2))), None);
    for name in
        [stacked(3), "a".to_owned() + &"\u{301}".repeat(14), "\u{301}a".to_owned(), "a \u{301}".to_owned()]
    {
        assert!(matches!(fault(&normalized(&name)), Some(Fault::Mark(_))), "{}", name.escape_unicode());
    }
}

#[test]
fn real_names_are_accepted_as_they_are() {
    for name in [
        "The family 👨‍👩‍👧‍👦",
        "Ana 👩🏽‍🚀",
        "❤️‍🔥",
        "❤",
        "❤️",
        "1️⃣ team",
        "🏴󠁧󠁢󠁳󠁣󠁴󠁿",
        "🇿🇦 Cape Town",
        "Acme™ © 2026",
        "می\u{200C}خواهم",
        "کتاب\u{200C}ها",
        "مُحَمَّد",
        "عبد الرحمن",
        "शिवाजी",
        "क्\u{200D}ष",
        "श्री",
        "র\u{200D}্যাব",
        "ක්\u{200D}රිස්",
        "നന്\u{200D}മ",
        "Nguyễn Thị Mỹ Ệ",
        "สมชาย น้ำผึ้ง",
        "ကြည်",
        "בְּרֵאשִׁית",
        "한글",
        "日本語",
        "Zoë",
        "İstanbul",
        "Renée",
        "O’Brien-Smith 3rd",
    ] {
        let composed = ComposingNormalizerBorrowed::new_nfc().normalize(name);
        assert_eq!(kept(name).as_deref(), Some(&*composed), "{}", name.escape_unicode());
    }
}

#[test]
fn emoji_are_kept_in_one_spelling() {
    for (sent, listed) in [
        ("👁‍🗨", "👁️‍🗨️"),
        ("1\u{20E3}", "1️⃣"),
        ("a ❤‍🔥 b", "a ❤️‍🔥 b"),
        ("❤\u{FE0E}", "❤"),
        ("👍\u{FE0F}", "👍"),
        ("👍\u{FE0E}", "👍"),
    ] {
        assert_eq!(kept(sent).as_deref(), Some(listed), "{}", sent.escape_unicode());
    }
}

#[test]
fn nothing_that_is_unseen_is_a_name_or_a_content() {
    let blank = |c: char| {
        let noncharacter = u32::from(c) & 0xFFFE == 0xFFFE || ('\u{FDD0}'..='\u{FDEF}').contains(&c);
        noncharacter || c.is_control() || c.is_whitespace() || text::is_drawn_blank(c) || is_ignorable(c)
    };
    for c in all_characters().filter(|c| blank(*c)) {
        let (alone, within) = (c.to_string(), format!("a{c}b"));
        assert!(text::is_blank(&alone) && kept(&alone).is_none(), "{}", c.escape_unicode());
        let space = category(c) == GeneralCategory::SpaceSeparator;
        assert!(space || kept(&within).is_none(), "{}", c.escape_unicode());
    }
}

#[test]
fn no_ignorable_character_makes_another_name() {
    for (before, after) in
        [("al", "ice"), ("日本", "語"), ("Зо", "я"), ("ا", "ا"), ("한", "글"), ("7", "7"), ("👍", "a")]
    {
        let bare = format!("{before}{after}");
        for c in all_characters().filter(|c| is_ignorable(*c)) {
            let kept = kept(&format!("{before}{c}{after}"));
            assert!(kept.is_none_or(|kept| kept == bare), "{bare} with {}", c.escape_unicode());
        }
    }
}

proptest! {
    #[test]
    fn a_kept_name_is_kept_as_it_is(name in "\\PC{1,12}") {
        if let Some(name) = kept(&name) {
            prop_assert_eq!(kept(&name), Some(name));
        }
    }

    #[test]
    fn names_that_differ_in_what_is_ignorable_are_one(
        letters in prop::collection::vec(prop::sample::select(vec!['a', 'Z', 'é', '本', 'я', '1', '👍', 'ا', 'ᄒ']), 1..8),
        extra in prop::collection::vec((0_usize..8, prop::sample::select(vec![
            '\u{FE00}', '\u{FE0E}', '\u{FE0F}', '\u{E0100}', '\u{E0061}', '\u{200B}', '\u{200D}', '\u{2060}', '\u{AD}',
            '\u{34F}', '\u{180B}', '\u{3164}',
        ])), 1..4),
    ) {
        let bare: String = letters.iter().collect();
        let mut filled = letters;
        for (at, c) in extra {
            filled.insert(at.min(filled.len()), c);
        }
        let filled: String = filled.iter().collect();
        if let (Some(filled), Some(bare)) = (kept(&filled), kept(&bare)) {
            prop_assert_eq!(filled, bare);
        }
    }
}
