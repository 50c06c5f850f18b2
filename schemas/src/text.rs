//! What counts as visible text, and which words it is searched by. Character properties and
//! normalization come from ICU4X's compiled Unicode data.

use icu_casemap::CaseMapper;
use icu_normalizer::DecomposingNormalizerBorrowed;
use icu_properties::{
    CodePointMapData, CodePointSetData,
    props::{
        CanonicalCombiningClass, DefaultIgnorableCodePoint, GeneralCategory, GeneralCategoryGroup,
        NoncharacterCodePoint, WhiteSpace,
    },
};

use crate::limits;

/// Letters and symbols by their category, yet drawn as nothing: no property says so, only their names and glyphs.
/// BRAILLE PATTERN BLANK, OBJECT REPLACEMENT CHARACTER, EGYPTIAN HIEROGLYPH FULL BLANK and HALF BLANK, MUSICAL SYMBOL NULL
/// NOTEHEAD.
const DRAWN_BLANK: [char; 5] = ['\u{2800}', '\u{FFFC}', '\u{13441}', '\u{13442}', '\u{1D159}'];

pub(crate) fn is_drawn_blank(c: char) -> bool {
    DRAWN_BLANK.contains(&c)
}

/// Whether nothing of `text` would be seen: white space, controls, format characters, noncharacters, marks without a
/// base, and what Unicode calls default-ignorable (zero-width spaces, fillers, variation selectors).
pub fn is_blank(text: &str) -> bool {
    !text.chars().any(is_visible)
}

fn is_visible(c: char) -> bool {
    // Unassigned characters count as seen: a client may know a newer Unicode than this build.
    let category = CodePointMapData::<GeneralCategory>::new().get(c);
    let unseen = matches!(category, GeneralCategory::Control | GeneralCategory::Format)
        || GeneralCategoryGroup::Separator.union(GeneralCategoryGroup::Mark).contains(category);
    !is_drawn_blank(c)
        && !unseen
        && !CodePointSetData::new::<WhiteSpace>().contains(c)
        && !CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c)
        && !CodePointSetData::new::<NoncharacterCodePoint>().contains(c)
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
            "\u{1D159}",
            "\u{13441}\u{13442}",
            "\u{FFFC}",
            "\u{FFFE}",
            "\u{FDD0}",
            "\u{10FFFF}",
        ] {
            assert!(is_blank(blank), "{blank:?}");
        }
        for seen in ["a", ".", "👍", "\u{200B}a", "é", "नि", "ก", "٣", "\u{2801}", "\u{1FAFF}"] {
            assert!(!is_blank(seen), "{seen:?}");
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
