//! What will be there: decided by the numbers of the command alone, so that the same command means the same
//! people, conversations and messages. Messages are drawn conversation by conversation, never all at once.

use std::collections::HashSet;

use natter_schemas::event::Shape;
use rand::{Rng, RngExt, SeedableRng, rngs::Xoshiro256PlusPlus, seq::SliceRandom};

use super::words::{Language, Words, heavy};

/// Named, so that another version of the library draws the same.
type Dice = Xoshiro256PlusPlus;

#[derive(Debug, Clone, Copy)]
pub struct Size {
    pub users: usize,
    pub conversations: usize,
    pub messages: usize,
    pub seed: u64,
}

/// A conversation to be; people are numbers from 0, the first of `members` makes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Room {
    pub shape: Shape,
    pub name: Option<String>,
    pub members: Vec<usize>,
    pub messages: usize,
    /// Names its messages, and draws them.
    code: u64,
}

/// A message to be, and what becomes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    pub sender: usize,
    pub client_id: String,
    pub content: String,
    /// Which of the conversation's messages.
    pub reply_to: Option<usize>,
    pub edited: Option<String>,
    pub deleted: bool,
    pub reactions: Vec<(usize, &'static str)>,
}

const DIRECT: f64 = 0.6;
const GROUP: std::ops::RangeInclusive<usize> = 3..=20;
/// Replies go to one of the last few messages.
const RECENT: usize = 10;

pub fn display_name(size: Size, number: usize, words: &Words) -> String {
    words.name(&mut dice(size, 1, number))
}

pub fn rooms(size: Size, words: &Words) -> Vec<Room> {
    let counts = counts(size);
    let mut pairs = HashSet::new();
    let room = |(number, messages)| {
        let mut dice = dice(size, 2, number);
        let code = dice.random();
        let direct = dice.random_bool(DIRECT).then(|| new_pair(&mut dice, size.users, &mut pairs)).flatten();
        match direct {
            Some(members) => Room { shape: Shape::Direct, name: None, members, messages, code },
            None => {
                let most = f64::from(u8::try_from(*GROUP.end()).unwrap_or(u8::MAX));
                let people = heavy(&mut dice, 3.0, 0.8, most).max(*GROUP.start()).min(size.users);
                let members = crowd(&mut dice, size.users, people);
                // The code tells it from a group of the same name that another command makes.
                let name = format!("{} {} ({:04x})", words.topic(&mut dice), number + 1, code & 0xffff);
                Room { shape: Shape::Group, name: Some(name), members, messages, code }
            }
        }
    };
    counts.into_iter().enumerate().map(room).collect()
}

impl Room {
    /// Its messages in order.
    pub fn drafts<'a>(&'a self, words: &'a Words) -> impl Iterator<Item = Draft> + 'a {
        let mut dice = Dice::seed_from_u64(self.code);
        let language = words.language(&mut dice);
        let mut recent: Vec<usize> = Vec::new();
        (0..self.messages).map(move |number| {
            let draft = self.draft(&mut dice, number, (words, language), &recent);
            if !draft.deleted {
                recent.push(number);
                recent.drain(..recent.len().saturating_sub(RECENT));
            }
            draft
        })
    }

    fn draft(
        &self,
        dice: &mut Dice,
        number: usize,
        (words, language): (&Words, &Language),
        recent: &[usize],
    ) -> Draft {
        let sender = self.someone(dice);
        let replies = !recent.is_empty() && dice.random_bool(0.12);
        let reply_to = replies.then(|| recent[dice.random_range(0..recent.len())]);
        let content = words.sentence(dice, language);
        let deleted = dice.random_bool(0.02);
        let edited = (!deleted && dice.random_bool(0.05)).then(|| words.sentence(dice, language));
        let mut reactions = Vec::new();
        if !deleted && dice.random_bool(0.15) {
            for _ in 0..heavy(dice, 1.0, 0.7, 5.0) {
                let who = self.someone(dice);
                if reactions.iter().all(|(other, _)| *other != who) {
                    reactions.push((who, words.emoji(dice)));
                }
            }
        }
        let client_id = format!("seed-{:016x}-{number}", self.code);
        Draft { sender, client_id, content, reply_to, edited, deleted, reactions }
    }

    /// Some talk much more than others.
    fn someone(&self, dice: &mut Dice) -> usize {
        self.members[skewed(dice, self.members.len())]
    }

    /// Who has read how many of the messages: everything, some, or only up to what they wrote themselves.
    pub fn reads(&self) -> Vec<(usize, usize)> {
        let mut dice = Dice::seed_from_u64(!self.code);
        let mut reads = Vec::new();
        for member in &self.members {
            let read = match dice.random_range(0..10) {
                0..5 => self.messages,
                5..8 => dice.random_range(0..=self.messages),
                _ => 0,
            };
            if read > 0 {
                reads.push((*member, read));
            }
        }
        reads
    }
}

/// Independent of every other draw, so that no change in one moves another.
fn dice(size: Size, purpose: u64, number: usize) -> Dice {
    let mut state = size.seed;
    for part in [purpose, size.users as u64, size.conversations as u64, size.messages as u64, number as u64] {
        // SplitMix64's increment, then its mixing.
        state = (state ^ part).wrapping_add(0x9E37_79B9_7F4A_7C15);
        state = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        state = (state ^ (state >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        state ^= state >> 31;
    }
    Dice::seed_from_u64(state)
}

/// How many messages each conversation has: Zipf's law, in an order of its own; the sum is exact.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "parts of a whole that fits"
)]
fn counts(size: Size) -> Vec<usize> {
    let harmonic: f64 = (1..=size.conversations).map(|rank| 1.0 / rank as f64).sum();
    let share = |rank: usize| (size.messages as f64 / (rank as f64 * harmonic)) as usize;
    let mut counts: Vec<usize> = (1..=size.conversations).map(share).collect();
    // What rounding left over is less than one for each.
    let left = size.messages.saturating_sub(counts.iter().sum());
    counts.iter_mut().rev().take(left).for_each(|count| *count += 1);
    counts.shuffle(&mut dice(size, 3, 0));
    counts
}

/// The first are chosen more often than the last.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "below `count`"
)]
fn skewed(dice: &mut impl Rng, count: usize) -> usize {
    let uniform: f64 = dice.random_range(0.0..1.0);
    ((uniform * uniform * count as f64) as usize).min(count - 1)
}

/// Two people without a direct conversation; `None` when none were found in some tries.
fn new_pair(dice: &mut impl Rng, users: usize, pairs: &mut HashSet<(usize, usize)>) -> Option<Vec<usize>> {
    (0..50).find_map(|_| {
        let pair = crowd(dice, users, 2);
        let (a, b) = (pair[0].min(pair[1]), pair[0].max(pair[1]));
        pairs.insert((a, b)).then_some(pair)
    })
}

/// So many different people.
fn crowd(dice: &mut impl Rng, users: usize, count: usize) -> Vec<usize> {
    let mut people: Vec<usize> = Vec::with_capacity(count);
    while people.len() < count.min(users) {
        let mut person = skewed(dice, users);
        while people.contains(&person) {
            person = (person + 1) % users;
        }
        people.push(person);
    }
    people
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Size = Size { users: 50, conversations: 200, messages: 10_000, seed: 7 };

    #[test]
    fn the_same_numbers_mean_the_same_plan_and_others_another() {
        let words = Words::new();
        let plan = rooms(SIZE, &words);
        assert_eq!(plan, rooms(SIZE, &words));
        assert_ne!(plan, rooms(Size { seed: 8, ..SIZE }, &words));
        let drafts = |room: &Room| room.drafts(&words).collect::<Vec<_>>();
        assert_eq!(drafts(&plan[3]), drafts(&rooms(SIZE, &words)[3]));
    }

    #[test]
    fn a_plan_has_every_message_and_a_heavy_tail() {
        let words = Words::new();
        let plan = rooms(SIZE, &words);
        assert_eq!(plan.iter().map(|room| room.messages).sum::<usize>(), SIZE.messages);
        let most = plan.iter().map(|room| room.messages).max();
        assert!(most > Some(SIZE.messages / 10), "{most:?}");
        let direct = plan.iter().filter(|room| room.shape == Shape::Direct).count();
        assert!((90..150).contains(&direct), "{direct} of 200 are direct");
    }

    #[test]
    fn people_are_in_a_conversation_once_and_pairs_have_one() {
        let words = Words::new();
        for size in [SIZE, Size { users: 2, ..SIZE }, Size { users: 3, ..SIZE }] {
            let plan = rooms(size, &words);
            let mut pairs = HashSet::new();
            for room in &plan {
                let people: HashSet<usize> = room.members.iter().copied().collect();
                assert_eq!(people.len(), room.members.len(), "{room:?}");
                assert!(people.len() >= 2 && people.iter().all(|person| *person < size.users), "{room:?}");
                let mut pair = room.members.clone();
                pair.sort_unstable();
                assert!(room.shape == Shape::Group || pairs.insert(pair), "{room:?}");
            }
        }
    }

    #[test]
    fn nobody_replies_to_what_was_deleted() {
        let words = Words::new();
        for room in rooms(SIZE, &words) {
            let drafts: Vec<Draft> = room.drafts(&words).collect();
            let replies = drafts.iter().filter_map(|draft| draft.reply_to);
            assert!(replies.into_iter().all(|number| !drafts[number].deleted));
        }
    }
}
