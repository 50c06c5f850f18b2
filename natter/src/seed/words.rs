//! Names of people and texts of messages: from the committed list, chosen by a given random generator.

use rand::{Rng, RngExt};

const LIST: &str = include_str!("words.txt");

pub struct Words {
    first: Vec<&'static str>,
    last: Vec<&'static str>,
    topics: Vec<&'static str>,
    emoji: Vec<&'static str>,
    languages: Vec<Language>,
}

pub struct Language {
    words: Vec<&'static str>,
    between: &'static str,
    ends: [&'static str; 4],
}

/// More words than this make a page, not a message.
const LONGEST: f64 = 80.0;

impl Words {
    pub fn new() -> Self {
        let languages = ["en", "en", "de", "fr", "es", "tr", "pl", "el", "ar", "ja"];
        Self {
            first: list("first").split_whitespace().collect(),
            last: list("last").split_whitespace().collect(),
            topics: list("topics").split('|').collect(),
            emoji: list("emoji").split_whitespace().collect(),
            languages: languages.into_iter().map(language).collect(),
        }
    }

    pub fn name(&self, rng: &mut impl Rng) -> String {
        format!("{} {}", pick(rng, &self.first), pick(rng, &self.last))
    }

    pub fn topic(&self, rng: &mut impl Rng) -> &'static str {
        pick(rng, &self.topics)
    }

    pub fn emoji(&self, rng: &mut impl Rng) -> &'static str {
        pick(rng, &self.emoji)
    }

    /// The one a conversation is held in.
    pub fn language(&self, rng: &mut impl Rng) -> &Language {
        &self.languages[rng.random_range(0..self.languages.len())]
    }

    /// Mostly short, now and then long; one in twelve is an emoji alone.
    pub fn sentence(&self, rng: &mut impl Rng, language: &Language) -> String {
        if rng.random_bool(1.0 / 12.0) {
            return self.emoji(rng).to_owned();
        }
        let words = pareto(rng, 3.0, 0.6, LONGEST);
        let mut text = String::new();
        for number in 0..words {
            let word = pick(rng, &language.words);
            if number == 0 {
                text.extend(word.chars().next().into_iter().flat_map(char::to_uppercase));
                text.extend(word.chars().skip(1));
            } else {
                text.push_str(language.between);
                text.push_str(word);
            }
        }
        text.push_str(pick(rng, &language.ends));
        if rng.random_bool(0.15) {
            text.push(' ');
            text.push_str(self.emoji(rng));
        }
        text
    }
}

/// At least `least`, rarely much more: a Pareto distribution, cut off at `most`.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and `most`")]
pub fn pareto(rng: &mut impl Rng, least: f64, tail: f64, most: f64) -> usize {
    let uniform: f64 = rng.random_range(1e-9..1.0);
    (least * uniform.powf(-tail)).min(most) as usize
}

fn pick(rng: &mut impl Rng, all: &[&'static str]) -> &'static str {
    all[rng.random_range(0..all.len())]
}

fn list(name: &str) -> &'static str {
    let named = |line: &'static str| line.split_once(": ").filter(|(key, _)| *key == name);
    LIST.lines().find_map(named).map(|(_, words)| words).expect("the list is committed with the program")
}

fn language(name: &str) -> Language {
    let words = list(name).split_whitespace().collect();
    let (between, ends) = match name {
        "ja" => ("", ["。", "。", "？", "！"]),
        "ar" => (" ", [".", "", "؟", "!"]),
        "el" => (" ", [".", "", ";", "!"]),
        _ => (" ", [".", "", "?", "!"]),
    };
    Language { words, between, ends }
}

#[cfg(test)]
mod tests {
    use natter_schemas::{limits::Limits, rest::check};
    use rand::{SeedableRng, rngs::Xoshiro256PlusPlus};

    use super::*;

    #[test]
    fn every_text_made_of_the_list_passes_the_rules_for_names_and_messages() {
        let (words, mut rng) = (Words::new(), Xoshiro256PlusPlus::seed_from_u64(1));
        let limits = Limits::default();
        for emoji in &words.emoji {
            assert!(check::emoji(emoji, &()).is_ok(), "{emoji}");
        }
        for _ in 0..1_000 {
            assert!(check::name(&words.name(&mut rng), &limits).is_ok());
            let language = words.language(&mut rng);
            let sentence = words.sentence(&mut rng, language);
            assert!(check::content(&sentence, &limits).is_ok(), "{sentence}");
        }
    }
}
