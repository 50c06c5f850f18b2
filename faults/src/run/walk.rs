//! Scenarios made of a seed: faults one after the other, each healed again. The same seed makes the same scenario, with
//! any version of any library.

use std::time::Duration;

use super::{link::Conduct, part::Part, scenario::Scenario, steps::Step};

const PARTS: [Part; 6] =
    [Part::Nats, Part::Redis, Part::Worker(0), Part::Worker(1), Part::Edge(0), Part::Edge(1)];

/// So many faults, of this seed.
pub fn walk(seed: u64, faults: usize) -> Scenario {
    let mut dice = Dice(seed);
    let mut steps = vec![Step::Load(Duration::from_secs(2))];
    for _ in 0..faults {
        let (breaks, heals) = fault(&mut dice);
        steps.extend([breaks, Step::Load(Duration::from_millis(500 + dice.below(5000)))]);
        steps.extend([heals, Step::Load(Duration::from_millis(dice.below(3000)))]);
    }
    steps.push(Step::Load(Duration::from_secs(5)));
    let sentence = format!("{faults} faults one after the other, of seed {seed}.");
    Scenario { name: format!("walk-{seed}"), sentence, steps, ..Scenario::default() }
}

/// What breaks, and what heals it.
fn fault(dice: &mut Dice) -> (Step, Step) {
    let part = *dice.of(&PARTS);
    match dice.below(3) {
        0 => (Step::Kill(part), Step::Start(part)),
        1 => (Step::Pause(part), Step::Resume(part)),
        _ => {
            let from = *dice.of(&PARTS[2..]);
            let to = *dice.of(&PARTS[..2]);
            let conducts = [
                Conduct::Cut,
                Conduct::Hold,
                Conduct::HoldAnswers,
                Conduct::Delay(Duration::from_millis(200)),
                Conduct::Slow(20_000),
            ];
            (Step::Link(from, to, *dice.of(&conducts)), Step::Link(from, to, Conduct::Pass))
        }
    }
}

/// `SplitMix64`.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn of<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        let count = u64::try_from(choices.len()).expect("few");
        &choices[usize::try_from(self.below(count)).expect("few")]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_makes_one_scenario_and_its_file_makes_it_again() {
        let made = walk(7, 5);
        assert_eq!(made, walk(7, 5));
        assert_ne!(made.steps, walk(8, 5).steps);
        assert_eq!(Scenario::read(&made.name, &made.to_string()).unwrap(), made);
    }
}
