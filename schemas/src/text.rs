//! What counts as visible text, and when two spellings are the same word. Character properties and
//! normalization come from ICU4X's compiled Unicode data.

use icu_casemap::CaseMapper;
use icu_normalizer::{ComposingNormalizerBorrowed, DecomposingNormalizerBorrowed};
use icu_properties::{
    CodePointMapData, CodePointSetData,
    props::{
        CanonicalCombiningClass, DefaultIgnorableCodePoint, GeneralCategory, GeneralCategoryGroup,
        JoiningType, WhiteSpace,
    },
};

use crate::limits;

/// Assigned a category of symbols, yet drawn as an empty cell: U+2800 BRAILLE PATTERN BLANK.
const BRAILLE_BLANK: char = '\u{2800}';
const ZERO_WIDTH_NON_JOINER: char = '\u{200C}';
const ZERO_WIDTH_JOINER: char = '\u{200D}';

/// Whether nothing of `text` would be seen: white space, controls, format characters, marks without a base, and
/// what Unicode calls default-ignorable (zero-width spaces, fillers, variation selectors).
pub fn is_blank(text: &str) -> bool {
    !text.chars().any(is_visible)
}

fn is_visible(c: char) -> bool {
    // Unassigned characters count as seen: a client may know a newer Unicode than this build.
    let category = CodePointMapData::<GeneralCategory>::new().get(c);
    let unseen = matches!(category, GeneralCategory::Control | GeneralCategory::Format)
        || GeneralCategoryGroup::Separator.union(GeneralCategoryGroup::Mark).contains(category);
    c != BRAILLE_BLANK
        && !unseen
        && !CodePointSetData::new::<WhiteSpace>().contains(c)
        && !CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c)
}

/// A name as it is kept: NFC, without white space around it. Two spellings that look the same become one.
pub fn normalized_name(text: &str) -> String {
    ComposingNormalizerBorrowed::new_nfc().normalize(text.trim()).into_owned()
}

/// The first character that may not be in a name, because it is not seen and changes what is: controls, bidi
/// controls, zero-width and other default-ignorable characters (UTS #39, section 3.1). The joiners of emoji and of
/// scripts that need them (UAX #31, section 2.3), and selectors of a presentation, are allowed where they belong.
pub fn deceptive_character(text: &str) -> Option<char> {
    let characters: Vec<char> = text.chars().collect();
    characters.iter().enumerate().map(|(at, c)| (&characters[..at], *c, &characters[at + 1..])).find_map(
        |(before, c, after)| match c {
            ZERO_WIDTH_JOINER | ZERO_WIDTH_NON_JOINER => (!joins(before, after)).then_some(c),
            '\u{FE00}'..='\u{FE0F}' => before.last().is_none_or(|base| !is_visible(*base)).then_some(c),
            // Tags spell the flags of England, Scotland and Wales.
            '\u{E0020}'..='\u{E007F}' if before.contains(&'\u{1F3F4}') => None,
            _ => is_hidden(c).then_some(c),
        },
    )
}

fn is_hidden(c: char) -> bool {
    let category = CodePointMapData::<GeneralCategory>::new().get(c);
    CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c)
        || matches!(
            category,
            GeneralCategory::Control
                | GeneralCategory::Format
                | GeneralCategory::LineSeparator
                | GeneralCategory::ParagraphSeparator
                | GeneralCategory::PrivateUse
        )
        || c == BRAILLE_BLANK
}

/// A joiner belongs after a virama, between letters that join, and between emoji.
fn joins(before: &[char], after: &[char]) -> bool {
    // U+FE0F and skin tones stand between an emoji and its joiner.
    let base = before.iter().rev().find(|c| !matches!(c, '\u{FE0F}' | '\u{1F3FB}'..='\u{1F3FF}'));
    let (Some(base), Some(next)) = (base, after.first()) else { return false };
    let joining = CodePointMapData::<JoiningType>::new();
    let joins_forward = matches!(joining.get(*base), JoiningType::DualJoining | JoiningType::LeftJoining);
    let joins_back = matches!(joining.get(*next), JoiningType::DualJoining | JoiningType::RightJoining);
    is_virama(*base) || (joins_forward && joins_back) || (is_symbol(*base) && is_symbol(*next))
}

fn is_virama(c: char) -> bool {
    CodePointMapData::<CanonicalCombiningClass>::new().get(c) == CanonicalCombiningClass::Virama
}

fn is_symbol(c: char) -> bool {
    GeneralCategoryGroup::Symbol.contains(CodePointMapData::<GeneralCategory>::new().get(c))
}

/// The words of `text` in the form they are searched in: without case, accents and compatibility forms, so that
/// `zoe` finds Zoë, and `istanbul` İstanbul. So many and so long as [`limits::SEARCH_WORDS`] and
/// [`limits::SEARCH_WORD`] allow. The words of a prefix of a word are prefixes of it.
pub fn search_words(text: &str) -> Vec<String> {
    let folded = search_form(text);
    let words = folded.split(|c: char| !c.is_alphanumeric() && !is_mark(c)).filter(|word| !word.is_empty());
    words.map(|word| word.chars().take(limits::SEARCH_WORD).collect()).take(limits::SEARCH_WORDS).collect()
}

/// Changes whenever [`search_words`] gives other words for the same text: stored words are then made again.
pub const SEARCH_FORM: u32 = 1;

fn search_form(text: &str) -> String {
    let decomposed = DecomposingNormalizerBorrowed::new_nfkd().normalize(text);
    let bare: String = decomposed.chars().filter(|c| !is_accent(*c)).collect();
    CaseMapper::new().fold_string(&bare).into_owned()
}

fn is_mark(c: char) -> bool {
    GeneralCategoryGroup::Mark.contains(CodePointMapData::<GeneralCategory>::new().get(c))
}

/// Marks above and below a letter. Vowel signs of Indic scripts are marks as well, but spacing or of a class of their
/// own: a word without them is another word.
fn is_accent(c: char) -> bool {
    use CanonicalCombiningClass as Class;
    let nonspacing = CodePointMapData::<GeneralCategory>::new().get(c) == GeneralCategory::NonspacingMark;
    nonspacing
        && matches!(
            CodePointMapData::<Class>::new().get(c),
            Class::AttachedBelow
                | Class::AttachedAbove
                | Class::AttachedAboveRight
                | Class::BelowLeft
                | Class::Below
                | Class::BelowRight
                | Class::Left
                | Class::Right
                | Class::AboveLeft
                | Class::Above
                | Class::AboveRight
                | Class::DoubleBelow
                | Class::DoubleAbove
                | Class::IotaSubscript
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_unseen_characters_is_blank() {
        for blank in [
            "",
            " ",
            "\n\t",
            "\u{200B}",
            "\u{3164}",
            "\u{2800}",
            "\u{2060}",
            "\u{AD}",
            "\u{FE0F}",
            "\0",
            "\u{202E}",
            "\u{115F}\u{1160}",
            "\u{FFA0}",
            "\u{200E} \u{200F}",
            "\u{301}",
        ] {
            assert!(is_blank(blank), "{blank:?}");
        }
        for seen in ["a", ".", "👍", "\u{200B}a", "é", "नि", "ก", "٣", "\u{2801}", "\u{1FAFF}"] {
            assert!(!is_blank(seen), "{seen:?}");
        }
    }

    #[test]
    fn names_are_composed_and_trimmed() {
        assert_eq!(normalized_name(" Zoe\u{308} \u{3000}"), "Zoë");
        assert_eq!(normalized_name("Ångström"), normalized_name("A\u{30A}ngstro\u{308}m"));
    }

    #[test]
    fn characters_that_deceive_are_found_in_names() {
        for (name, bad) in [
            ("Al\u{202E}ice", '\u{202E}'),
            ("Al\u{2066}ice", '\u{2066}'),
            ("Al\u{200B}ice", '\u{200B}'),
            ("Al\u{200D}ice", '\u{200D}'),
            ("Al\u{200C}ice", '\u{200C}'),
            ("Alice\u{FEFF}", '\u{FEFF}'),
            ("Al\u{AD}ice", '\u{AD}'),
            ("\u{FE0F}Alice", '\u{FE0F}'),
            ("Al\u{E0061}ice", '\u{E0061}'),
            ("Al\u{7}ice", '\u{7}'),
            ("Al\u{2028}ice", '\u{2028}'),
            ("A\u{3164}", '\u{3164}'),
        ] {
            assert_eq!(deceptive_character(name), Some(bad), "{name:?}");
        }
    }

    #[test]
    fn joiners_are_allowed_where_scripts_and_emoji_need_them() {
        for name in [
            "The family 👨‍👩‍👧‍👦",
            "Ana 👩🏽‍🚀",
            "❤️‍🔥",
            "🏴󠁧󠁢󠁳󠁣󠁴󠁿",
            "می\u{200C}خواهم",
            "क्\u{200D}ष",
            "Renée",
            "O’Brien-Smith 3rd",
            "日本語",
        ] {
            assert_eq!(deceptive_character(name), None, "{name:?}");
        }
    }

    #[test]
    fn words_are_found_without_case_accents_and_form() {
        assert_eq!(search_words("Zoë Smith-Jones"), ["zoe", "smith", "jones"]);
        assert_eq!(search_words("İstanbul"), ["istanbul"]);
        assert_eq!(search_words("Straße"), search_words("STRASSE"));
        assert_eq!(search_words("ＦＵＬＬ ①"), ["full", "1"]);
        assert_eq!(search_words("Ångström"), search_words("A\u{30A}ngstro\u{308}m"));
        assert_ne!(search_words("कि"), search_words("क"), "a vowel sign is no accent");
        assert_eq!(search_words("👍 …"), Vec::<String>::new());
        assert_eq!(search_words("क्ष"), ["क्ष"], "a sign within a word does not end it");
    }

    #[test]
    fn the_beginning_of_a_word_is_the_beginning_of_its_form() {
        for word in ["Zoë", "İstanbul", "Straße", "ﬁnn", "한글", "Ångström", "ΝΙΚΟΣ", "Nguyễn", "क्षमा"]
        {
            let whole = &search_words(word)[0];
            for (end, _) in word.char_indices().skip(1) {
                let begun = &search_words(&word[..end])[0];
                assert!(whole.starts_with(begun.as_str()), "{whole} {begun}");
            }
        }
    }

    #[test]
    fn a_name_has_no_more_words_than_are_searched() {
        let many = search_words(&"a ".repeat(500));
        assert_eq!(many.len(), limits::SEARCH_WORDS);
        // One character that stands for eighteen.
        let long = search_words(&"\u{FDFA}".repeat(100));
        assert!(long.iter().all(|word| word.chars().count() <= limits::SEARCH_WORD), "{long:?}");
    }
}
