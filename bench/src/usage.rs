//! What processes cost, from /proc (Linux). Elsewhere, and for processes that are gone, nothing is reported.

use std::{collections::HashSet, fs, ops::Sub, time::Duration};

use serde::Serialize;

/// `USER_HZ`: the unit of CPU times in /proc, 100 a second on every common Linux.
const TICK: Duration = Duration::from_millis(10);

#[derive(Debug, Clone, Copy, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Usage {
    pub cpu_seconds: f64,
    pub rss_mib: f64,
}

impl Sub for Usage {
    type Output = Self;

    /// CPU time between two looks; memory is that of the later one.
    fn sub(self, before: Self) -> Self {
        Self { cpu_seconds: self.cpu_seconds - before.cpu_seconds, ..self }
    }
}

/// Of this process alone: a relay it started is a server.
pub fn own() -> Usage {
    sum(&all().filter(|stat| stat.pid == std::process::id()).collect::<Vec<_>>())
}

/// Of these processes and all their descendants.
pub fn usage(pids: &[u32]) -> Usage {
    let stats: Vec<Stat> = all().collect();
    let mut counted: HashSet<u32> = pids.iter().copied().collect();
    // Parents may be listed after their children: again until none is added.
    loop {
        let before = counted.len();
        counted
            .extend(stats.iter().filter(|s| counted.contains(&s.parent)).map(|s| s.pid).collect::<Vec<_>>());
        if counted.len() == before {
            break;
        }
    }
    sum(&stats.into_iter().filter(|stat| counted.contains(&stat.pid)).collect::<Vec<_>>())
}

fn sum(stats: &[Stat]) -> Usage {
    stats.iter().fold(Usage::default(), |sum, stat| Usage {
        cpu_seconds: sum.cpu_seconds + cpu_clock(stat.pid).unwrap_or(TICK * stat.ticks).as_secs_f64(),
        rss_mib: sum.rss_mib + rss_mib(stat.pid),
    })
}

/// The process's own CPU clock, threads that ended included: nanoseconds, where ticks are a step of a bench.
#[cfg(target_os = "linux")]
fn cpu_clock(pid: u32) -> Option<Duration> {
    let pid = nix::unistd::Pid::from_raw(i32::try_from(pid).ok()?);
    nix::time::ClockId::pid_cpu_clock_id(pid).and_then(nix::time::ClockId::now).ok().map(Into::into)
}

#[cfg(not(target_os = "linux"))]
fn cpu_clock(_: u32) -> Option<Duration> {
    None
}

#[derive(Debug, PartialEq, Eq)]
struct Stat {
    pid: u32,
    parent: u32,
    ticks: u32,
}

fn all() -> impl Iterator<Item = Stat> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        parse(pid, &fs::read_to_string(entry.path().join("stat")).ok()?)
    })
}

/// proc(5): after the command in parentheses, which may itself hold anything, come state, ppid, …; utime and
/// stime are fields 14 and 15.
fn parse(pid: u32, stat: &str) -> Option<Stat> {
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let number = |index: usize| fields.get(index)?.parse::<u32>().ok();
    Some(Stat { pid, parent: number(1)?, ticks: number(11)?.saturating_add(number(12)?) })
}

fn rss_mib(pid: u32) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib: u32 = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0);
    f64::from(kib) / 1_024.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_with_blanks_and_brackets_is_read() {
        let line = "7 (a) b (c) S 3 7 7 0 -1 4194304 1 0 0 0 250 50 0 0 20 0 9 0 1 1 1";
        assert_eq!(parse(7, line), Some(Stat { pid: 7, parent: 3, ticks: 300 }));
    }

    #[test]
    fn cpu_time_is_finer_than_clock_ticks() {
        let before = own();
        let work = (0..200_000_u64).map(crate::schedule::mix).fold(0, u64::wrapping_add);
        assert!(work > 0 && (own() - before).cpu_seconds > 0.0);
    }

    #[test]
    fn this_process_uses_memory() {
        assert!(usage(&[std::process::id()]).rss_mib > 0.5);
    }
}
