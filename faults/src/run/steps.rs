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

use super::{frames::Mutation, link::Conduct, part::Part};

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
    /// Of the machine that the part is on: its processes end, and what was not synced is lost; or most of it, in pages.
    CutPower {
        part: Part,
        torn: bool,
    },
    /// Whether nothing more fits on the part's disk.
    Disk(Part, Room),
    /// What the part shows while something is broken, to whoever operates it.
    Expect(Part, Sign),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Room {
    Full,
    Free,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sign {
    /// `GET /health/ready` says of this that it is up or down.
    Health(String, bool),
    /// A line of its log has these words.
    Log(String),
    /// A metric, with its labels or without, is at least this.
    Metric(String, u64),
}

/// A scenario, as its file has it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scenario {
    pub name: String,
    pub sentence: String,
    /// Settings of every role that differ.
    pub settings: Vec<(String, String)>,
    pub three_servers: bool,
    /// No client may wait longer for an ack.
    pub longest_stall: Option<Duration>,
    pub steps: Vec<Step>,
}

impl Scenario {
    /// # Errors
    /// With the line that cannot be read.
    pub fn read(name: &str, text: &str) -> anyhow::Result<Self> {
        let mut lines = (1..).zip(text.lines().map(str::trim));
        let sentence = lines.next().and_then(|(_, line)| line.strip_prefix("# "));
        let sentence = sentence.with_context(|| format!("{name}: the first line is '# ' and a sentence"))?;
        let mut scenario = Self { name: name.to_owned(), sentence: sentence.to_owned(), ..Self::default() };
        for (number, line) in lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#')) {
            scenario.take(line).with_context(|| format!("{name}, line {number}: {line}"))?;
        }
        ensure!(!scenario.steps.is_empty(), "{name} has no steps");
        Ok(scenario)
    }

    fn take(&mut self, line: &str) -> anyhow::Result<()> {
        if line == "with three nats-servers" {
            self.three_servers = true;
        } else if let Some(time) = line.strip_prefix("with no stall above ") {
            self.longest_stall = Some(duration(time)?);
        } else if let Some(setting) = line.strip_prefix("with ") {
            let (key, value) = setting
                .split_once('=')
                .context("with SETTING=VALUE, three nats-servers, no stall above TIME")?;
            self.settings.push((key.to_owned(), value.to_owned()));
        } else {
            self.steps.push(line.parse()?);
        }
        Ok(())
    }

    pub fn servers(&self) -> usize {
        if self.three_servers { 3 } else { 1 }
    }

    /// Whether what happens to disks needs disks of their own.
    pub fn breaks_disks(&self) -> bool {
        self.steps.iter().any(|step| matches!(step, Step::CutPower { .. } | Step::Disk(..)))
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "# {}", self.sentence)?;
        if self.three_servers {
            writeln!(f, "with three nats-servers")?;
        }
        if let Some(time) = self.longest_stall {
            writeln!(f, "with no stall above {}ms", time.as_millis())?;
        }
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
            ["cut", "power", part] => Self::CutPower { part: disk(part)?, torn: false },
            ["cut", "power", part, "torn"] => Self::CutPower { part: disk(part)?, torn: true },
            ["disk", part, "full"] => Self::Disk(disk(part)?, Room::Full),
            ["disk", part, "free"] => Self::Disk(disk(part)?, Room::Free),
            ["expect", part, ref sign @ ..] => Self::Expect(process(part)?, self::sign(sign)?),
            _ => bail!(
                "steps are load, kill, start, pause, resume, link, lose answer, mutate, cut power, disk, expect"
            ),
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
            Self::Link(from, to, conduct) => write!(f, "link {from} {to} {conduct}"),
            Self::CutPower { part, torn } => {
                write!(f, "cut power {part}{}", if *torn { " torn" } else { "" })
            }
            Self::Disk(part, Room::Full) => write!(f, "disk {part} full"),
            Self::Disk(part, Room::Free) => write!(f, "disk {part} free"),
            Self::Expect(part, Sign::Health(name, up)) => {
                write!(f, "expect {part} health {name} {}", if *up { "up" } else { "down" })
            }
            Self::Expect(part, Sign::Log(words)) => write!(f, "expect {part} log {words}"),
            Self::Expect(part, Sign::Metric(name, least)) => write!(f, "expect {part} metric {name} {least}"),
        }
    }
}

fn process(text: &str) -> anyhow::Result<Part> {
    let part: Part = text.parse()?;
    ensure!(part.is_process(), "{text} is no process");
    Ok(part)
}

/// Whose disk it is. Edges and Redis keep nothing on one.
fn disk(text: &str) -> anyhow::Result<Part> {
    let part = text.parse()?;
    let has = matches!(part, Part::Server(_) | Part::Nats | Part::Leader | Part::Store | Part::Everything);
    ensure!(has, "{text} has no disk: nats, nats-0, nats-leader, store, everything");
    Ok(part)
}

fn sign(words: &[&str]) -> anyhow::Result<Sign> {
    Ok(match *words {
        ["health", name, "up"] => Sign::Health(name.to_owned(), true),
        ["health", name, "down"] => Sign::Health(name.to_owned(), false),
        ["log", ref words @ ..] if !words.is_empty() => Sign::Log(words.join(" ")),
        ["metric", name, least] => Sign::Metric(name.to_owned(), least.parse().context("a number")?),
        _ => bail!("a part shows health NAME up or down, log WORDS, metric NAME LEAST"),
    })
}

fn conduct(words: &[&str]) -> anyhow::Result<Conduct> {
    Ok(match *words {
        ["pass"] => Conduct::Pass,
        ["cut"] => Conduct::Cut,
        ["hold"] => Conduct::Hold,
        ["hold", "answers"] => Conduct::HoldAnswers,
        ["hold", "requests"] => Conduct::HoldRequests,
        ["delay", by] => Conduct::Delay(duration(by)?),
        ["slow", rate] => Conduct::Slow(rate.parse().context("bytes a second")?),
        _ => bail!("a link does pass, cut, hold, hold answers, hold requests, delay TIME, slow BYTES"),
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

    const TEXT: &str = "# Everything breaks.\nwith three nats-servers\nwith no stall above 5000ms\nwith A=b\n\
                        load 3000ms\nkill edge-0\nstart edges\npause nats\nresume nats-leader\n\
                        link everything nats cut\nlink worker-0 nats-2 hold answers\nlink nats-0 nats-1 hold requests\n\
                        link clients edge-1 slow 20000\nlink edge-0 redis delay 50ms\nlink edge-0 redis pass\n\
                        lose answer worker-0 nats seq\nmutate clients edge-0 swap\ncut power nats\n\
                        cut power everything torn\ndisk store full\ndisk nats-1 free\n\
                        expect edge-0 health log down\nexpect worker-1 log the store is away\n\
                        expect workers metric natter_x_total 3\n";

    #[test]
    fn a_scenario_is_printed_as_it_was_read() {
        assert_eq!(Scenario::read("all", TEXT).unwrap().to_string(), TEXT);
    }

    #[test]
    fn a_step_that_cannot_be_read_is_named_with_its_line() {
        let error = Scenario::read("x", "# A sentence.\nload 3s\nkill clients\n").unwrap_err();
        assert_eq!(format!("{error:#}"), "x, line 3: kill clients: clients is no process");
        assert!(Scenario::read("x", "load 3s\n").is_err());
        for step in ["load 3h", "load 4000s", "kill nats-3", "cut power redis", "expect edge-0 log"] {
            assert!(step.parse::<Step>().is_err(), "{step}");
        }
    }
}
