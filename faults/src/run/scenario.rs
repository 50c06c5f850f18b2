//! A scenario: a file of steps, one a line, that reads as what is done.
//!
//! ```text
//! # An edge is killed under load and started again.
//! load 3s
//! kill edge-0
//! load 5s
//! start edge-0
//! ```

use std::{collections::BTreeSet, fmt, time::Duration};

use anyhow::{Context as _, ensure};

use super::{
    part::Part,
    steps::{Kind, Sign, Step, duration},
};

/// A scenario, as its file has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scenario {
    pub name: String,
    pub sentence: String,
    /// Settings of every role that differ.
    pub settings: Vec<(String, String)>,
    pub three_servers: bool,
    /// Edges and workers are of the release before, until they are upgraded.
    pub begins_with_previous: bool,
    /// Kafka, which events are copied to and whose records are judged as well; Cassandra, which is the store then.
    pub beside: BTreeSet<Part>,
    /// Beside the clients that send.
    pub sockets: usize,
    /// Memberships, blocks and deletions.
    pub changes_access: bool,
    /// One client more, which comes back so long after its only attempts.
    pub sleeps: Option<Duration>,
    /// Messages a second of all clients together.
    pub rate: u32,
    /// No client may wait longer for an ack.
    pub longest_stall: Option<Duration>,
    /// Every device is shown what is sent after the last step within this time.
    pub recovers_within: Option<Duration>,
    /// By what this fault cannot be seen, and why.
    pub unseen: Vec<(Kind, String)>,
    pub steps: Vec<Step>,
}

/// What two cores do, of everything that runs meanwhile, without being at their limit.
const RATE: u32 = 1000;
const HEADERS: &str = "with SETTING=VALUE, the previous release, three nats-servers, kafka, cassandra, NUMBER sockets that listen, changes of access, \
                       a client that sleeps TIME, load RATE, no stall above TIME, recovery within TIME";
const MOST_RATE: u32 = 20_000;
const MOST_SOCKETS: usize = 10_000;

impl Default for Scenario {
    fn default() -> Self {
        Self {
            name: String::new(),
            sentence: String::new(),
            settings: Vec::new(),
            three_servers: false,
            begins_with_previous: false,
            beside: BTreeSet::new(),
            sockets: 0,
            changes_access: false,
            sleeps: None,
            rate: RATE,
            longest_stall: None,
            recovers_within: None,
            unseen: Vec::new(),
            steps: Vec::new(),
        }
    }
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
        } else if line == "with the previous release" {
            self.begins_with_previous = true;
        } else if line == "with kafka" {
            self.beside.insert(Part::Kafka);
        } else if line == "with cassandra" {
            self.beside.insert(Part::Cassandra);
        } else if line == "with changes of access" {
            self.changes_access = true;
        } else if let Some(time) = line.strip_prefix("with a client that sleeps ") {
            self.sleeps = Some(duration(time)?);
        } else if let Some(number) =
            line.strip_prefix("with ").and_then(|number| number.strip_suffix(" sockets that listen"))
        {
            self.sockets = number.parse().context("a number of sockets")?;
            ensure!(self.sockets <= MOST_SOCKETS, "at most {MOST_SOCKETS} sockets");
        } else if let Some(time) = line.strip_prefix("with no stall above ") {
            self.longest_stall = Some(duration(time)?);
        } else if let Some(time) = line.strip_prefix("with recovery within ") {
            self.recovers_within = Some(duration(time)?);
        } else if let Some(reason) = line.strip_prefix("without ") {
            let (name, reason) = reason.split_once(": ").context("without health, log or metric: REASON")?;
            let kind = Kind::ALL.into_iter().find(|kind| kind.name() == name);
            self.unseen.push((kind.context("health, log or metric")?, reason.to_owned()));
        } else if let Some(rate) = line.strip_prefix("with load ") {
            self.rate = rate.parse().context("messages a second")?;
            ensure!((1..=MOST_RATE).contains(&self.rate), "from 1 to {MOST_RATE} messages a second");
        } else if let Some(setting) = line.strip_prefix("with ") {
            let (key, value) = setting.split_once('=').context(HEADERS)?;
            self.settings.push((key.to_owned(), value.to_owned()));
        } else {
            self.steps.push(line.parse()?);
        }
        Ok(())
    }

    /// What its parts show of it, one after the other.
    pub fn signs(&self) -> impl Iterator<Item = (Part, &Sign)> {
        self.steps.iter().filter_map(|step| match step {
            Step::Expect(part, sign) => Some((*part, sign)),
            _ => None,
        })
    }

    /// # Errors
    /// Unless health, log and metrics each show the fault, or the file says why one cannot.
    pub fn is_seen(&self) -> anyhow::Result<()> {
        for kind in Kind::ALL {
            let (shown, name) = (self.signs().any(|(_, sign)| sign.kind() == kind), kind.name());
            let unseen = self.unseen.iter().any(|(unseen, _)| *unseen == kind);
            ensure!(
                shown || unseen,
                "{} has no `expect PART {name} …`, nor `without {name}: REASON`",
                self.name
            );
            ensure!(!(shown && unseen), "{} says both `expect … {name}` and `without {name}`", self.name);
        }
        Ok(())
    }

    /// Of its load.
    pub fn length(&self) -> Duration {
        let load = |step: &Step| if let Step::Load(time) = step { *time } else { Duration::ZERO };
        self.steps.iter().map(load).sum()
    }

    pub fn servers(&self) -> usize {
        if self.three_servers { 3 } else { 1 }
    }

    /// Whether its processes have clocks of their own.
    pub fn sets_clocks(&self) -> bool {
        self.steps.iter().any(|step| matches!(step, Step::Clock(..)))
    }

    /// Whether what happens to disks needs disks of their own.
    pub fn breaks_disks(&self) -> bool {
        self.steps.iter().any(|step| matches!(step, Step::CutPower { .. } | Step::Sync(_) | Step::Disk(..)))
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "# {}", self.sentence)?;
        if self.three_servers {
            writeln!(f, "with three nats-servers")?;
        }
        if self.begins_with_previous {
            writeln!(f, "with the previous release")?;
        }
        for part in &self.beside {
            writeln!(f, "with {part}")?;
        }
        if self.sockets > 0 {
            writeln!(f, "with {} sockets that listen", self.sockets)?;
        }
        if self.changes_access {
            writeln!(f, "with changes of access")?;
        }
        if let Some(time) = self.sleeps {
            writeln!(f, "with a client that sleeps {}ms", time.as_millis())?;
        }
        if self.rate != RATE {
            writeln!(f, "with load {}", self.rate)?;
        }
        if let Some(time) = self.longest_stall {
            writeln!(f, "with no stall above {}ms", time.as_millis())?;
        }
        if let Some(time) = self.recovers_within {
            writeln!(f, "with recovery within {}ms", time.as_millis())?;
        }
        for (key, value) in &self.settings {
            writeln!(f, "with {key}={value}")?;
        }
        for (kind, reason) in &self.unseen {
            writeln!(f, "without {}: {reason}", kind.name())?;
        }
        self.steps.iter().try_for_each(|step| writeln!(f, "{step}"))
    }
}

#[cfg(test)]
mod tests {
    use std::{ffi::OsStr, fs};

    use super::*;

    const TEXT: &str = "# Everything breaks.\nwith three nats-servers\nwith the previous release\nwith kafka\nwith cassandra\n\
                        with 2000 sockets that listen\nwith changes of access\n\
                        with a client that sleeps 1000ms\nwith load 50\nwith no stall above 5000ms\n\
                        with recovery within 10000ms\nwith A=b\nwithout log: no one writes: of this.\n\
                        load 3000ms\nkill edge-0\nexpect edge-0 health gone\n";

    #[test]
    fn a_scenario_is_printed_as_it_was_read() {
        assert_eq!(Scenario::read("all", TEXT).unwrap().to_string(), TEXT);
    }

    #[test]
    fn a_step_that_cannot_be_read_is_named_with_its_line() {
        let error = Scenario::read("x", "# A sentence.\nload 3s\nkill clients\n").unwrap_err();
        assert_eq!(format!("{error:#}"), "x, line 3: kill clients: clients is no process");
        assert!(Scenario::read("x", "load 3s\n").is_err());
    }

    #[test]
    fn a_fault_is_seen_by_health_log_and_metric_or_says_why_not() {
        let scenario = Scenario::read("x", TEXT).unwrap();
        let lacks = scenario.is_seen().unwrap_err().to_string();
        assert_eq!(lacks, "x has no `expect PART metric …`, nor `without metric: REASON`");
        let both = format!("{TEXT}expect edges metric natter_x_total 1\nexpect edges log words\n");
        assert!(Scenario::read("x", &both).unwrap().is_seen().is_err());
        let one = format!("{TEXT}expect edges metric natter_x_total 1\n");
        Scenario::read("x", &one).unwrap().is_seen().unwrap();
    }

    #[test]
    fn every_scenario_says_by_what_it_is_seen() {
        for entry in fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios")).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_stem().and_then(OsStr::to_str).unwrap();
            Scenario::read(name, &fs::read_to_string(&path).unwrap()).unwrap().is_seen().unwrap();
        }
    }
}
