//! The plan: decided by the numbers of the command alone, so that the same command means the same people,
//! conversations and messages. Messages are drawn conversation by conversation, never all at once.

use std::collections::HashSet;

use natter_schemas::event::Shape;
use rand::{Rng, RngExt, SeedableRng, rngs::Xoshiro256PlusPlus, seq::SliceRandom};

use super::words::{Language, Words, pareto};

/// A fixed algorithm, so that another version of the library draws the same numbers.
type PlanRng = Xoshiro256PlusPlus;

#[derive(Debug, Clone, Copy)]
pub struct Size {
    pub users: usize,
    pub conversations: usize,
    pub messages: usize,
    pub seed: u64,
}

/// A conversation to create; users are numbers from 0, and the first of `members` creates it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedConversation {
    pub shape: Shape,
    pub name: Option<String>,
    pub members: Vec<usize>,
    pub message_count: usize,
    /// Decides its messages, and is part of their client ids.
    seed: u64,
}

/// A message to post, and what happens to it afterwards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedMessage {
    pub sender: usize,
    pub client_id: String,
    pub content: String,
    /// Index of one of the conversation's messages.
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
    words.name(&mut rng_for(size, 1, number))
}

pub fn conversations(size: Size, words: &Words) -> Vec<PlannedConversation> {
    let counts = message_counts(size);
    let mut pairs = HashSet::new();
    let conversation = |(number, message_count)| {
        let mut rng = rng_for(size, 2, number);
        let seed = rng.random();
        let direct = rng.random_bool(DIRECT).then(|| unused_pair(&mut rng, size.users, &mut pairs)).flatten();
        match direct {
            Some(members) => {
                PlannedConversation { shape: Shape::Direct, name: None, members, message_count, seed }
            }
            None => {
                let most = f64::from(u8::try_from(*GROUP.end()).unwrap_or(u8::MAX));
                let people = pareto(&mut rng, 3.0, 0.8, most).max(*GROUP.start()).min(size.users);
                let members = distinct_people(&mut rng, size.users, people);
                // The seed distinguishes it from a group of the same name that another command makes.
                let name = format!("{} {} ({:04x})", words.topic(&mut rng), number + 1, seed & 0xffff);
                PlannedConversation { shape: Shape::Group, name: Some(name), members, message_count, seed }
            }
        }
    };
    counts.into_iter().enumerate().map(conversation).collect()
}

impl PlannedConversation {
    /// Its messages in order.
    pub fn messages<'a>(&'a self, words: &'a Words) -> impl Iterator<Item = PlannedMessage> + 'a {
        let mut rng = PlanRng::seed_from_u64(self.seed);
        let language = words.language(&mut rng);
        let mut recent: Vec<usize> = Vec::new();
        (0..self.message_count).map(move |number| {
            let message = self.message(&mut rng, number, (words, language), &recent);
            if !message.deleted {
                recent.push(number);
                recent.drain(..recent.len().saturating_sub(RECENT));
            }
            message
        })
    }

    fn message(
        &self,
        rng: &mut PlanRng,
        number: usize,
        (words, language): (&Words, &Language),
        recent: &[usize],
    ) -> PlannedMessage {
        let sender = self.random_member(rng);
        let replies = !recent.is_empty() && rng.random_bool(0.12);
        let reply_to = replies.then(|| recent[rng.random_range(0..recent.len())]);
        let content = words.sentence(rng, language);
        let deleted = rng.random_bool(0.02);
        let edited = (!deleted && rng.random_bool(0.05)).then(|| words.sentence(rng, language));
        let mut reactions = Vec::new();
        if !deleted && rng.random_bool(0.15) {
            for _ in 0..pareto(rng, 1.0, 0.7, 5.0) {
                let member = self.random_member(rng);
                if reactions.iter().all(|(other, _)| *other != member) {
                    reactions.push((member, words.emoji(rng)));
                }
            }
        }
        let client_id = format!("seed-{:016x}-{number}", self.seed);
        PlannedMessage { sender, client_id, content, reply_to, edited, deleted, reactions }
    }

    /// Some members write much more than others.
    fn random_member(&self, rng: &mut PlanRng) -> usize {
        self.members[skewed(rng, self.members.len())]
    }

    /// By member, how many of the messages they have read. Who is left out has read up to their own last message.
    pub fn reads(&self) -> Vec<(usize, usize)> {
        let mut rng = PlanRng::seed_from_u64(!self.seed);
        let mut reads = Vec::new();
        for member in &self.members {
            let read = match rng.random_range(0..10) {
                0..5 => self.message_count,
                5..8 => rng.random_range(0..=self.message_count),
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
fn rng_for(size: Size, purpose: u64, number: usize) -> PlanRng {
    let mut state = size.seed;
    for part in [purpose, size.users as u64, size.conversations as u64, size.messages as u64, number as u64] {
        // SplitMix64's increment, then its mixing.
        state = (state ^ part).wrapping_add(0x9E37_79B9_7F4A_7C15);
        state = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        state = (state ^ (state >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        state ^= state >> 31;
    }
    PlanRng::seed_from_u64(state)
}

/// How many messages each conversation has: Zipf's law, in an order of its own; the sum is exact.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "parts of a whole that fits"
)]
fn message_counts(size: Size) -> Vec<usize> {
    let harmonic: f64 = (1..=size.conversations).map(|rank| 1.0 / rank as f64).sum();
    let share = |rank: usize| (size.messages as f64 / (rank as f64 * harmonic)) as usize;
    let mut counts: Vec<usize> = (1..=size.conversations).map(share).collect();
    // What rounding left over is less than one for each.
    let left = size.messages.saturating_sub(counts.iter().sum());
    counts.iter_mut().rev().take(left).for_each(|count| *count += 1);
    counts.shuffle(&mut rng_for(size, 3, 0));
    counts
}

/// The first are chosen more often than the last.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "below `count`"
)]
fn skewed(rng: &mut impl Rng, count: usize) -> usize {
    let uniform: f64 = rng.random_range(0.0..1.0);
    ((uniform * uniform * count as f64) as usize).min(count - 1)
}

/// Two users without a direct conversation; `None` when 50 random pairs all have one.
fn unused_pair(rng: &mut impl Rng, users: usize, pairs: &mut HashSet<(usize, usize)>) -> Option<Vec<usize>> {
    (0..50).find_map(|_| {
        let pair = distinct_people(rng, users, 2);
        let (a, b) = (pair[0].min(pair[1]), pair[0].max(pair[1]));
        pairs.insert((a, b)).then_some(pair)
    })
}

/// `count` different users, or all of them if there are fewer.
fn distinct_people(rng: &mut impl Rng, users: usize, count: usize) -> Vec<usize> {
    let mut people: Vec<usize> = Vec::with_capacity(count);
    while people.len() < count.min(users) {
        let mut person = skewed(rng, users);
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
        let plan = conversations(SIZE, &words);
        assert_eq!(plan, conversations(SIZE, &words));
        assert_ne!(plan, conversations(Size { seed: 8, ..SIZE }, &words));
        let messages = |conversation: &PlannedConversation| conversation.messages(&words).collect::<Vec<_>>();
        assert_eq!(messages(&plan[3]), messages(&conversations(SIZE, &words)[3]));
    }

    #[test]
    fn a_plan_has_every_message_and_a_heavy_tail() {
        let words = Words::new();
        let plan = conversations(SIZE, &words);
        assert_eq!(plan.iter().map(|conversation| conversation.message_count).sum::<usize>(), SIZE.messages);
        let most = plan.iter().map(|conversation| conversation.message_count).max();
        assert!(most > Some(SIZE.messages / 10), "{most:?}");
        let direct = plan.iter().filter(|conversation| conversation.shape == Shape::Direct).count();
        assert!((90..150).contains(&direct), "{direct} of 200 are direct");
    }

    #[test]
    fn people_are_in_a_conversation_once_and_pairs_have_one() {
        let words = Words::new();
        for size in [SIZE, Size { users: 2, ..SIZE }, Size { users: 3, ..SIZE }] {
            let plan = conversations(size, &words);
            let mut pairs = HashSet::new();
            for conversation in &plan {
                let people: HashSet<usize> = conversation.members.iter().copied().collect();
                assert_eq!(people.len(), conversation.members.len(), "{conversation:?}");
                assert!(
                    people.len() >= 2 && people.iter().all(|person| *person < size.users),
                    "{conversation:?}"
                );
                let mut pair = conversation.members.clone();
                pair.sort_unstable();
                assert!(conversation.shape == Shape::Group || pairs.insert(pair), "{conversation:?}");
            }
        }
    }

    #[test]
    fn a_deleted_message_gets_no_replies() {
        let words = Words::new();
        for conversation in conversations(SIZE, &words) {
            let messages: Vec<PlannedMessage> = conversation.messages(&words).collect();
            let replies = messages.iter().filter_map(|message| message.reply_to);
            assert!(replies.into_iter().all(|number| !messages[number].deleted));
        }
    }
}
