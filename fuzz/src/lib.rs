//! Fuzzing on the stable toolchain: a target is a test that runs a check over its corpus, and over mutations of it.
//!
//! Usually every input of the corpus runs, and some thousand mutations, always the same; with `FUZZ_SECONDS` others for so
//! long (`make fuzz`). An input that fails is made small and kept in the corpus. What a check returns guides the search: an
//! input that is answered as no other was is mutated further.
#![allow(clippy::missing_panics_doc, clippy::unwrap_used, reason = "a target that fails panics")]

mod mutate; // inputs from inputs

use std::{
    collections::HashSet,
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    time::{Duration, Instant, UNIX_EPOCH},
};

use mutate::Mutator;

/// In a usual run: a second or two for the slowest target in a debug build.
const MUTATIONS: u64 = 1_000;
/// Inputs that are mutated further: answers that repeat what they were asked are all new.
const POOL: usize = 2_000;

/// Runs `check` on the corpus of the target, the samples and mutations of both.
pub fn fuzz<O: Hash>(target: &str, samples: &[Vec<u8>], check: impl Fn(&[u8]) -> O) {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    let mut pool = corpus(&folder);
    pool.extend_from_slice(samples);
    assert!(!pool.is_empty(), "{} has no input to begin with", folder.display());
    let mut answers: HashSet<u64> = pool.iter().map(|input| digest(&check(input))).collect();
    // What a check leaves behind when it panics is used to make the input small, and by nothing else.
    let checked = |input: &[u8]| catch_unwind(AssertUnwindSafe(|| digest(&check(input))));
    let seconds = std::env::var("FUZZ_SECONDS").ok();
    let time = seconds.map(|text| Duration::from_secs(text.parse().expect("FUZZ_SECONDS is a number")));
    let seed = time.map_or(1, |_| seed());
    let (mut mutator, begun, mut done) = (Mutator::new(seed), Instant::now(), 0);
    while time.map_or(done < MUTATIONS, |time| begun.elapsed() < time) {
        let input = mutator.input(&pool);
        let Ok(answer) = checked(&input) else {
            let small = smaller(input, |input| checked(input).is_err());
            let kept = folder.join(format!("found-{:016x}", digest(&small)));
            fs::write(&kept, &small).unwrap();
            panic!("{target} fails with {:?}, kept as {}", String::from_utf8_lossy(&small), kept.display());
        };
        if pool.len() < POOL && answers.insert(answer) {
            pool.push(input);
        }
        done += 1;
    }
}

/// The inputs in a folder, in the order of their names.
fn corpus(folder: &PathBuf) -> Vec<Vec<u8>> {
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

fn digest(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

#[expect(clippy::disallowed_methods, reason = "another search each time; no time is compared")]
fn seed() -> u64 {
    std::time::SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// The input without every part that it fails without.
fn smaller(mut input: Vec<u8>, fails: impl Fn(&[u8]) -> bool) -> Vec<u8> {
    let mut part = input.len();
    while part > 0 {
        let mut at = 0;
        while at < input.len() {
            let mut shorter = input.clone();
            shorter.drain(at..(at + part).min(input.len()));
            if fails(&shorter) {
                input = shorter;
            } else {
                at += part;
            }
        }
        part /= 2;
    }
    input
}

/// What a reader said of an input, without the numbers and quotations in it: the same fault at another place is no news.
pub fn kind_of(text: &str) -> String {
    let words = text.split(|c: char| !c.is_ascii_alphabetic()).filter(|word| !word.is_empty());
    words.take(8).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_input_is_found_and_made_small() {
        let seeds = [b"{\"type\":\"ping\"}".to_vec()];
        let mut mutator = Mutator::new(1);
        let fails = |input: &[u8]| input.windows(4).any(|part| part == b"null");
        let found = (0..10_000).map(|_| mutator.input(&seeds)).find(|input| fails(input));
        assert_eq!(smaller(found.expect("a word is put in"), fails), b"null");
    }

    #[test]
    fn answers_that_differ_in_numbers_and_quotations_are_one_kind() {
        assert_eq!(kind_of("expected `,` at line 1 column 7"), kind_of("expected `,` at line 20 column 75"));
        assert_ne!(kind_of("missing field `a`"), kind_of("unknown variant `a`"));
    }
}
