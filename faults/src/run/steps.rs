//! A scenario: a file of steps, one a line, that reads as what is done.
//!
//! ```text
//! # An edge is killed under load and started again.
//! load 3s
//! kill edge-0
//! load 5s
//! start edge-0
//! ```

use std::{fmt, str::FromStr, time::Duration};

use anyhow::{Context as _, bail, ensure};

use super::{frames::Mutation, link::Conduct};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    Nats,
    Redis,
    Worker(usize),
    Edge(usize),
    /// The ends of links alone: all clients, and whatever there is.
    Clients,
    Everything,
}

impl Part {
    pub fn is_natter(self) -> bool {
        matches!(self, Self::Worker(_) | Self::Edge(_))
    }

    pub fn covers(self, other: Self) -> bool {
        self == other || self == Self::Everything
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nats => f.write_str("nats"),
            Self::Redis => f.write_str("redis"),
            Self::Worker(number) => write!(f, "worker-{number}"),
            Self::Edge(number) => write!(f, "edge-{number}"),
            Self::Clients => f.write_str("clients"),
            Self::Everything => f.write_str("everything"),
        }
    }
}

impl FromStr for Part {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        Ok(match text {
            "nats" => Self::Nats,
            "redis" => Self::Redis,
            "worker-0" => Self::Worker(0),
            "worker-1" => Self::Worker(1),
            "edge-0" => Self::Edge(0),
            "edge-1" => Self::Edge(1),
            "clients" => Self::Clients,
            "everything" => Self::Everything,
            _ => bail!(
                "{text} is none of nats, redis, worker-0, worker-1, edge-0, edge-1, clients, everything"
            ),
        })
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Clients send for so long.
    Load(Duration),
    /// kill -9.
    Kill(Part),
    Start(Part),
    /// SIGSTOP and SIGCONT.
    Pause(Part),
    Resume(Part),
    Link(Part, Part, Conduct),
    /// The next answer with this word never arrives.
    LoseAnswer(Part, Part, String),
    /// A wrong server, for tests of the oracle: the next event to a client is not what the edge sent.
    Mutate(Part, Part, Mutation),
}

/// A scenario, as its file has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scenario {
    pub name: String,
    pub sentence: String,
    /// Settings of every role that differ.
    pub settings: Vec<(String, String)>,
    pub steps: Vec<Step>,
}

impl Scenario {
    /// # Errors
    /// With the line that cannot be read.
    pub fn read(name: &str, text: &str) -> anyhow::Result<Self> {
        let mut lines = (1..).zip(text.lines().map(str::trim));
        let sentence = lines.next().and_then(|(_, line)| line.strip_prefix("# "));
        let sentence = sentence.with_context(|| format!("{name}: the first line is '# ' and a sentence"))?;
        let mut scenario =
            Self { name: name.to_owned(), sentence: sentence.to_owned(), settings: vec![], steps: vec![] };
        for (number, line) in lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#')) {
            if let Some((key, value)) = line.strip_prefix("with ").and_then(|rest| rest.split_once('=')) {
                scenario.settings.push((key.to_owned(), value.to_owned()));
            } else {
                let step = line.parse().with_context(|| format!("{name}, line {number}: {line}"))?;
                scenario.steps.push(step);
            }
        }
        ensure!(!scenario.steps.is_empty(), "{name} has no steps");
        Ok(scenario)
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "# {}", self.sentence)?;
        for (key, value) in &self.settings {
            writeln!(f, "with {key}={value}")?;
        }
        self.steps.iter().try_for_each(|step| writeln!(f, "{step}"))
    }
}

impl FromStr for Step {
    type Err = anyhow::Error;

    fn from_str(line: &str) -> anyhow::Result<Self> {
        let words: Vec<&str> = line.split_whitespace().collect();
        Ok(match words[..] {
            ["load", time] => Self::Load(duration(time)?),
            ["kill", part] => Self::Kill(process(part)?),
            ["start", part] => Self::Start(process(part)?),
            ["pause", part] => Self::Pause(process(part)?),
            ["resume", part] => Self::Resume(process(part)?),
            ["link", from, to, ref conduct @ ..] => {
                Self::Link(from.parse()?, to.parse()?, self::conduct(conduct)?)
            }
            ["lose", "answer", from, to, word] => {
                Self::LoseAnswer(from.parse()?, to.parse()?, word.to_owned())
            }
            ["mutate", from, to, mutation] => {
                Self::Mutate(from.parse()?, to.parse()?, self::mutation(mutation)?)
            }
            _ => bail!("steps are load, kill, start, pause, resume, link, lose answer, mutate"),
        })
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Load(time) => write!(f, "load {}ms", time.as_millis()),
            Self::Kill(part) => write!(f, "kill {part}"),
            Self::Start(part) => write!(f, "start {part}"),
            Self::Pause(part) => write!(f, "pause {part}"),
            Self::Resume(part) => write!(f, "resume {part}"),
            Self::LoseAnswer(from, to, word) => write!(f, "lose answer {from} {to} {word}"),
            Self::Mutate(from, to, mutation) => {
                write!(f, "mutate {from} {to} {}", format!("{mutation:?}").to_lowercase())
            }
            Self::Link(from, to, conduct) => {
                write!(f, "link {from} {to} ")?;
                match conduct {
                    Conduct::Pass => f.write_str("pass"),
                    Conduct::Cut => f.write_str("cut"),
                    Conduct::Hold => f.write_str("hold"),
                    Conduct::HoldAnswers => f.write_str("hold answers"),
                    Conduct::Delay(by) => write!(f, "delay {}ms", by.as_millis()),
                    Conduct::Slow(rate) => write!(f, "slow {rate}"),
                }
            }
        }
    }
}

fn process(text: &str) -> anyhow::Result<Part> {
    let part = text.parse()?;
    ensure!(!matches!(part, Part::Clients | Part::Everything), "{text} is no process");
    Ok(part)
}

fn conduct(words: &[&str]) -> anyhow::Result<Conduct> {
    Ok(match *words {
        ["pass"] => Conduct::Pass,
        ["cut"] => Conduct::Cut,
        ["hold"] => Conduct::Hold,
        ["hold", "answers"] => Conduct::HoldAnswers,
        ["delay", by] => Conduct::Delay(duration(by)?),
        ["slow", rate] => Conduct::Slow(rate.parse().context("bytes a second")?),
        _ => bail!("a link does pass, cut, hold, hold answers, delay TIME, slow BYTES"),
    })
}

fn mutation(word: &str) -> anyhow::Result<Mutation> {
    Ok(match word {
        "drop" => Mutation::Drop,
        "double" => Mutation::Double,
        "swap" => Mutation::Swap,
        _ => bail!("an event can be mutated by drop, double or swap"),
    })
}

/// `5s`, `200ms`.
fn duration(text: &str) -> anyhow::Result<Duration> {
    let millis = text.strip_suffix("ms").map(|n| (n, 1)).or_else(|| Some((text.strip_suffix('s')?, 1000)));
    let (number, unit) = millis.with_context(|| format!("{text} is no time, such as 5s or 200ms"))?;
    let number: u64 = number.parse().with_context(|| format!("{text} is no time"))?;
    let most = Duration::from_hours(1);
    let time = Duration::from_millis(number.saturating_mul(unit));
    ensure!(time <= most, "{text} is longer than an hour");
    Ok(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# Everything breaks.\nwith A=b\nload 3000ms\nkill edge-0\nstart edge-0\npause nats\n\
                        resume nats\nlink everything nats cut\nlink worker-0 nats hold answers\n\
                        link clients edge-1 slow 20000\nlink edge-0 redis delay 50ms\nlink edge-0 redis pass\n\
                        lose answer worker-0 nats seq\nmutate clients edge-0 swap\n";

    #[test]
    fn a_scenario_is_printed_as_it_was_read() {
        assert_eq!(Scenario::read("all", TEXT).unwrap().to_string(), TEXT);
    }

    #[test]
    fn a_step_that_cannot_be_read_is_named_with_its_line() {
        let error = Scenario::read("x", "# A sentence.\nload 3s\nkill clients\n").unwrap_err();
        assert_eq!(format!("{error:#}"), "x, line 3: kill clients: clients is no process");
        assert!(Scenario::read("x", "load 3s\n").is_err());
        assert!("load 3h".parse::<Step>().is_err() && "load 4000s".parse::<Step>().is_err());
    }
}
