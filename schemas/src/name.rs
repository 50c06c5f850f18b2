//! Which characters a name may have: two names that are kept and look the same should be the same. The rules are those
//! of the General Security Profile (UTS #39, section 3.1), of joiners in identifiers (UAX #31, section 2.3) and of stacked
//! marks (UTS #39, section 5.4). What is drawn by an emoji of Unicode's list is one thing, spelled as the list does.

use std::{borrow::Cow, fmt};

use icu_normalizer::{ComposingNormalizerBorrowed, DecomposingNormalizerBorrowed};
use icu_properties::{
    CodePointMapData, CodePointSetData,
    props::{
        CanonicalCombiningClass, DefaultIgnorableCodePoint, GeneralCategory, GeneralCategoryGroup,
        JoiningType, NoncharacterCodePoint, Script, WhiteSpace,
    },
};

use crate::{emoji, text};

const ZERO_WIDTH_NON_JOINER: char = '\u{200C}';
const ZERO_WIDTH_JOINER: char = '\u{200D}';
const TEXT_PRESENTATION: char = '\u{FE0E}';
/// The longest emoji of the list has ten characters.
const EMOJI_CHARACTERS: usize = 12;
/// Nonspacing marks in a row (UTS #39, section 5.4). No language is known to need more.
const MARKS: usize = 4;

/// So many characters become one at most: four of a decomposed letter (UAX #15), each of them with a selector.
pub const MOST_FOR_ONE: usize = 8;

/// Why a name is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Not seen, or not seen where it stands.
    Hidden(char),
    /// A mark that is drawn over its neighbors: it has no letter, or there are too many of them.
    Mark(char),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hidden(c) => write!(f, "must not have U+{:04X} there, which is not seen", u32::from(*c)),
            Self::Mark(c) => write!(
                f,
                "must not have the mark U+{:04X} there: a letter has at most {MARKS}, none of them twice in a row",
                u32::from(*c)
            ),
        }
    }
}

/// A name as it is kept: NFC, without white space around it, emoji of several characters as Unicode's list spells them.
pub fn normalized(name: &str) -> String {
    let composed = ComposingNormalizerBorrowed::new_nfc().normalize(name.trim());
    let characters: Vec<char> = composed.chars().collect();
    let mut kept = String::with_capacity(composed.len());
    for part in parts(&characters) {
        match part {
            Part::Emoji { spelling, listed } => kept.push_str(&kept_spelling(spelling, listed)),
            Part::Character(at) => kept.push(characters[at]),
        }
    }
    kept
}

/// The first fault of a name that is [`normalized`].
pub fn fault(name: &str) -> Option<Fault> {
    let characters: Vec<char> = name.chars().collect();
    let hidden = parts(&characters).into_iter().find_map(|part| match part {
        // A second selector, that stood behind one which was left out.
        Part::Emoji { spelling, listed } => {
            let last = spelling.last().copied();
            last.filter(|_| !kept_spelling(spelling, listed).chars().eq(spelling.iter().copied()))
                .map(Fault::Hidden)
        }
        Part::Character(at) => {
            let (before, c, after) = (&characters[..at], characters[at], &characters[at + 1..]);
            (is_hidden(c) && !is_needed_joiner(before, c, after)).then_some(Fault::Hidden(c))
        }
    });
    hidden.or_else(|| stacked_mark(name).map(Fault::Mark))
}

enum Part<'a> {
    /// An emoji of several characters, as it was sent and as it is listed.
    Emoji { spelling: &'a [char], listed: &'static str },
    /// Where it stands.
    Character(usize),
}

/// With U+FE0E the character is asked for as text, which is how it stands alone.
fn kept_spelling(spelling: &[char], listed: &'static str) -> Cow<'static, str> {
    match spelling {
        [base, TEXT_PRESENTATION] => Cow::Owned(base.to_string()),
        _ => Cow::Borrowed(listed),
    }
}

fn parts(characters: &[char]) -> Vec<Part<'_>> {
    let (mut parts, mut at) = (Vec::new(), 0);
    while at < characters.len() {
        let part = emoji_at(characters, at).unwrap_or(Part::Character(at));
        at += if let Part::Emoji { spelling, .. } = &part { spelling.len() } else { 1 };
        parts.push(part);
    }
    parts
}

fn emoji_at(characters: &[char], at: usize) -> Option<Part<'_>> {
    let most = EMOJI_CHARACTERS.min(characters.len() - at);
    (2..=most).rev().find_map(|length| {
        let spelling = &characters[at..at + length];
        let listed = emoji::canonical(&spelling.iter().collect::<String>())?;
        Some(Part::Emoji { spelling, listed })
    })
}

/// Variation selectors and tags are among the default-ignorable ones: outside of emoji no name needs them. Unassigned
/// characters are allowed: a client may know a newer Unicode than this build.
fn is_hidden(c: char) -> bool {
    text::is_drawn_blank(c)
        || CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c)
        || CodePointSetData::new::<NoncharacterCodePoint>().contains(c)
        || matches!(
            category(c),
            GeneralCategory::Control
                | GeneralCategory::Format
                | GeneralCategory::LineSeparator
                | GeneralCategory::ParagraphSeparator
                | GeneralCategory::PrivateUse
        )
}

/// UAX #31, section 2.3, and the Unicode Standard, sections 12.2 and 12.8: elsewhere a joiner changes nothing that is seen.
fn is_needed_joiner(before: &[char], joiner: char, after: &[char]) -> bool {
    let (Some(last), Some(next)) = (before.last().copied(), after.first().copied()) else { return false };
    let script = CodePointMapData::<Script>::new();
    let in_script_of_last = |c: char| script.get(c) == script.get(last);
    let letter_follows = after
        .iter()
        .copied()
        .find(|c| !is_nonspacing(*c))
        .is_some_and(|c| is_letter(c) && in_script_of_last(c));
    match joiner {
        // A1: it keeps apart letters that would join. A2: it keeps the virama visible.
        ZERO_WIDTH_NON_JOINER => parts_cursive_letters(before, after) || (is_virama(last) && letter_follows),
        // B: a half form. Ra keeps its form before a virama in Bengali and Kannada.
        ZERO_WIDTH_JOINER => {
            (is_virama(last) && is_letter(next) && in_script_of_last(next))
                || (matches!(last, '\u{09B0}' | '\u{0CB0}') && is_virama(next) && in_script_of_last(next))
        }
        _ => false,
    }
}

fn parts_cursive_letters(before: &[char], after: &[char]) -> bool {
    let joining = CodePointMapData::<JoiningType>::new();
    let solid = |c: &&char| joining.get(**c) != JoiningType::Transparent;
    let base = before.iter().rev().find(solid).map(|c| joining.get(*c));
    let next = after.iter().find(solid).map(|c| joining.get(*c));
    matches!(base, Some(JoiningType::DualJoining | JoiningType::LeftJoining))
        && matches!(next, Some(JoiningType::DualJoining | JoiningType::RightJoining))
}

/// In the decomposed form, in which a letter has all its marks.
fn stacked_mark(name: &str) -> Option<char> {
    let decomposed = DecomposingNormalizerBorrowed::new_nfd().normalize(name);
    let (mut has_base, mut marks, mut before) = (false, 0, None);
    for c in decomposed.chars() {
        if is_nonspacing(c) {
            marks += 1;
            if !has_base || marks > MARKS || before == Some(c) {
                return Some(c);
            }
        } else {
            (has_base, marks) = (!CodePointSetData::new::<WhiteSpace>().contains(c), 0);
        }
        before = Some(c);
    }
    None
}

fn category(c: char) -> GeneralCategory {
    CodePointMapData::<GeneralCategory>::new().get(c)
}

fn is_nonspacing(c: char) -> bool {
    matches!(category(c), GeneralCategory::NonspacingMark | GeneralCategory::EnclosingMark)
        // Selectors have a place of their own, within emoji.
        && !CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c)
}

fn is_letter(c: char) -> bool {
    GeneralCategoryGroup::Letter.contains(category(c))
}

fn is_virama(c: char) -> bool {
    CodePointMapData::<CanonicalCombiningClass>::new().get(c) == CanonicalCombiningClass::Virama
}

#[cfg(test)]
mod tests;
