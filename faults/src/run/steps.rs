//! A step of a scenario, as its line reads.

use std::{fmt, str::FromStr, time::Duration};

use anyhow::{Context as _, bail, ensure};

use super::{frames::Mutation, link::Conduct, part::Part};

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Clients send for so long.
    Load(Duration),
    /// They send no more until the next load; what was sent is answered, shown to everyone and in the store.
    Rest,
    /// kill -9.
    Kill(Part),
    Start(Part),
    /// NATS and the store, by the current program.
    Migrate,
    /// The same, and logs that were rolled back are made again.
    AcceptNewLog,
    /// Of the release before: drains, and is started as the current program.
    Upgrade(Part),
    /// SIGSTOP and SIGCONT.
    Pause(Part),
    Resume(Part),
    Link(Part, Part, Conduct),
    /// The next live events that a nats-server sends there never arrive, and no connection breaks.
    DropLive {
        from: Part,
        to: Part,
        count: usize,
    },
    /// The next answer with this word never arrives, nor does anything else over its connection.
    LoseAnswer(Part, Part, String),
    /// A wrong server, for tests of the oracle: the next event to a client is not what the edge sent.
    Mutate(Part, Part, Mutation),
    /// Of the machine that the part is on: its processes end, and what was not synced is lost; or most of it, in pages.
    CutPower {
        part: Part,
        torn: bool,
    },
    /// What the part has written is on its disk, as a system writes it by itself after a while.
    Sync(Part),
    /// Whether nothing more fits on the part's disk.
    Disk(Part, Room),
    /// Of its processes, so many seconds ahead of this machine's; negative: behind.
    Clock(Part, i64),
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
    /// It does not answer.
    Gone,
    /// A line of its log has these words.
    Log(String),
    /// A metric, with its labels or without, is at least this.
    Metric(String, u64),
    /// It is there, and less than this.
    Below(String, u64),
}

/// By what a fault can be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Health,
    Log,
    Metric,
}

impl Kind {
    pub const ALL: [Self; 3] = [Self::Health, Self::Log, Self::Metric];

    pub fn name(self) -> &'static str {
        match self {
            Self::Health => "health",
            Self::Log => "log",
            Self::Metric => "metric",
        }
    }
}

impl Sign {
    pub fn kind(&self) -> Kind {
        match self {
            Self::Health(..) | Self::Gone => Kind::Health,
            Self::Log(_) => Kind::Log,
            Self::Metric(..) | Self::Below(..) => Kind::Metric,
        }
    }
}

impl fmt::Display for Sign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Health(name, up) => write!(f, "health {name} {}", if *up { "up" } else { "down" }),
            Self::Gone => f.write_str("health gone"),
            Self::Log(words) => write!(f, "log {words}"),
            Self::Metric(name, least) => write!(f, "metric {name} {least}"),
            Self::Below(name, limit) => write!(f, "metric {name} below {limit}"),
        }
    }
}

impl FromStr for Step {
    type Err = anyhow::Error;

    fn from_str(line: &str) -> anyhow::Result<Self> {
        let words: Vec<&str> = line.split_whitespace().collect();
        Ok(match words[..] {
            ["load", time] => Self::Load(duration(time)?),
            ["rest"] => Self::Rest,
            ["kill", part] => Self::Kill(process(part)?),
            ["start", part] => Self::Start(process(part)?),
            ["migrate"] => Self::Migrate,
            ["accept", "new", "log"] => Self::AcceptNewLog,
            ["upgrade", part] => Self::Upgrade(natter(part)?),
            ["pause", part] => Self::Pause(process(part)?),
            ["resume", part] => Self::Resume(process(part)?),
            ["link", from, to, ref conduct @ ..] => {
                Self::Link(from.parse()?, to.parse()?, self::conduct(conduct)?)
            }
            ["drop", count, "live", from, to] => {
                let count = count.parse().context("a number of live events")?;
                Self::DropLive { from: from.parse()?, to: to.parse()?, count }
            }
            ["lose", "answer", from, to, word] => {
                Self::LoseAnswer(from.parse()?, to.parse()?, word.to_owned())
            }
            ["mutate", from, to, mutation] => {
                Self::Mutate(from.parse()?, to.parse()?, self::mutation(mutation)?)
            }
            ["cut", "power", part] => Self::CutPower { part: disk(part)?, torn: false },
            ["cut", "power", part, "torn"] => Self::CutPower { part: disk(part)?, torn: true },
            ["sync", part] => Self::Sync(disk(part)?),
            ["disk", part, "full"] => Self::Disk(disk(part)?, Room::Full),
            ["disk", part, "free"] => Self::Disk(disk(part)?, Room::Free),
            ["clock", part, ahead] => Self::Clock(natter(part)?, seconds(ahead)?),
            ["expect", part, ref sign @ ..] => Self::Expect(process(part)?, self::sign(sign)?),
            _ => bail!(
                "steps are load, rest, kill, start, migrate, accept new log, upgrade, pause, resume, link, drop live, lose answer, mutate, cut power, sync, disk, clock, expect"
            ),
        })
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Load(time) => write!(f, "load {}ms", time.as_millis()),
            Self::Rest => f.write_str("rest"),
            Self::Kill(part) => write!(f, "kill {part}"),
            Self::Start(part) => write!(f, "start {part}"),
            Self::Migrate => f.write_str("migrate"),
            Self::AcceptNewLog => f.write_str("accept new log"),
            Self::Upgrade(part) => write!(f, "upgrade {part}"),
            Self::Pause(part) => write!(f, "pause {part}"),
            Self::Resume(part) => write!(f, "resume {part}"),
            Self::DropLive { from, to, count } => write!(f, "drop {count} live {from} {to}"),
            Self::LoseAnswer(from, to, word) => write!(f, "lose answer {from} {to} {word}"),
            Self::Mutate(from, to, mutation) => {
                write!(f, "mutate {from} {to} {}", format!("{mutation:?}").to_lowercase())
            }
            Self::Link(from, to, conduct) => write!(f, "link {from} {to} {conduct}"),
            Self::CutPower { part, torn } => {
                write!(f, "cut power {part}{}", if *torn { " torn" } else { "" })
            }
            Self::Sync(part) => write!(f, "sync {part}"),
            Self::Disk(part, Room::Full) => write!(f, "disk {part} full"),
            Self::Disk(part, Room::Free) => write!(f, "disk {part} free"),
            Self::Clock(part, ahead) => write!(f, "clock {part} {ahead:+}s"),
            Self::Expect(part, sign) => write!(f, "expect {part} {sign}"),
        }
    }
}

fn process(text: &str) -> anyhow::Result<Part> {
    let part: Part = text.parse()?;
    ensure!(part.is_process(), "{text} is no process");
    Ok(part)
}

/// Who has versions, and clocks that can be wrong: those of servers, which are no programs of ours, decide (docs/failures.md).
fn natter(text: &str) -> anyhow::Result<Part> {
    let part: Part = text.parse()?;
    let has = part.is_natter() || matches!(part, Part::Edges | Part::Workers);
    ensure!(has, "{text} is no process of natter: edges, edge-0, workers, worker-0");
    Ok(part)
}

/// `+300s`, `-300s`.
fn seconds(text: &str) -> anyhow::Result<i64> {
    let number = text.strip_suffix('s').filter(|_| text.starts_with(['+', '-']));
    let number: Option<i64> = number.and_then(|number| number.parse().ok());
    let within = number.filter(|seconds| seconds.unsigned_abs() <= 86_400);
    within.with_context(|| format!("{text} is not by how much a clock is ahead, such as +300s or -300s"))
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
        ["health", "gone"] => Sign::Gone,
        ["log", ref words @ ..] if !words.is_empty() => Sign::Log(words.join(" ")),
        ["metric", name, least] => Sign::Metric(name.to_owned(), least.parse().context("a number")?),
        ["metric", name, "below", limit] => Sign::Below(name.to_owned(), limit.parse().context("a number")?),
        _ => bail!(
            "a part shows health NAME up or down, health gone, log WORDS, metric NAME LEAST, metric NAME below LIMIT"
        ),
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
pub fn duration(text: &str) -> anyhow::Result<Duration> {
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

    const STEPS: &str = "\
                        load 3000ms\nkill edge-0\nstart edges\nmigrate\nupgrade worker-0\npause nats\nresume nats-leader\n\
                        link everything nats cut\nlink worker-0 nats-2 hold answers\nlink nats-0 nats-1 hold requests\n\
                        link clients edge-1 slow 20000\nlink edge-0 redis delay 50ms\nlink edge-0 redis pass\n\
                        lose answer worker-0 nats seq\nmutate clients edge-0 swap\ncut power nats\n\
                        cut power everything torn\ndisk store full\ndisk nats-1 free\nclock edges +300s\nclock worker-1 -5s\n\
                        expect edge-0 health log down\nexpect worker-1 log the store is away\n\
                        expect workers metric natter_x_total 3\n\
                        expect edge-1 health gone\nexpect edges metric natter_y{z=\"w\"} below 1\n";

    #[test]
    fn a_step_is_printed_as_it_was_read() {
        for line in STEPS.lines() {
            assert_eq!(line.parse::<Step>().unwrap().to_string(), line);
        }
    }

    #[test]
    fn a_step_that_cannot_be_done_is_none() {
        for step in
            ["load 3h", "load 4000s", "kill nats-3", "cut power redis", "upgrade nats", "expect edge-0 log"]
        {
            assert!(step.parse::<Step>().is_err(), "{step}");
        }
    }
}
