//! The units of systemd: what they say is well-formed, leaves a process the time that it takes to stop, and gives it little of
//! the machine. No systemd runs here.

use std::{fs, path::PathBuf, process::Command, time::Duration};

use natter_runtime::{
    config::{Settings, Strictness},
    lifecycle::DRAIN,
};
use natter_testkit::Folder;

use crate::NATTER;

const ROLES: [&str; 2] = ["edge", "worker"];
/// Of what systemd counts from 0 to 10, where 10 is a process that may do everything.
const EXPOSED: f64 = 2.0;

fn unit(role: &str) -> String {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned();
    fs::read_to_string(root.join(format!("systemd/natter-{role}@.service"))).unwrap()
}

fn value<'a>(unit: &'a str, name: &str) -> &'a str {
    let line = unit.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    line.unwrap_or_else(|| panic!("no {name} in {unit}"))
}

/// What systemd says of a unit whose program is there, and whose user.
fn analyze(role: &str, arguments: &[&str]) -> String {
    let folder = Folder::new();
    let text = unit(role).replace("/usr/local/bin/natter", NATTER).replace("User=natter", "User=daemon");
    fs::write(folder.file(&format!("natter-{role}@.service")), text).unwrap();
    let mut command = Command::new("systemd-analyze");
    command.args(arguments).arg(format!("./natter-{role}@1.service")).current_dir(folder.path());
    let output = command.output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{role}: {printed}");
    printed
}

#[test]
fn units_are_well_formed() {
    for role in ROLES {
        assert_eq!(analyze(role, &["verify"]), "", "{role}");
    }
}

#[test]
fn units_give_a_process_little_of_the_machine() {
    for role in ROLES {
        let printed = analyze(role, &["security", "--offline=true", "--no-pager"]);
        let (_, level) = printed.split_once("Overall exposure level for ").unwrap();
        let level: f64 = level.split_whitespace().nth(1).unwrap().parse().unwrap();
        assert!(level < EXPOSED, "{role}: {level}\n{printed}");
    }
}

#[test]
fn units_leave_a_process_the_time_to_drain() {
    let drain = Settings::read(&|_| None, Strictness::Tokenless).unwrap().drain_time;
    for role in ROLES {
        let seconds = value(&unit(role), "TimeoutStopSec").trim_end_matches('s').parse().unwrap();
        assert!(Duration::from_secs(seconds) > drain + DRAIN, "{role}: {seconds} s");
    }
}

#[test]
fn units_run_their_role_with_its_settings() {
    for role in ROLES {
        let unit = unit(role);
        assert_eq!(value(&unit, "ExecStart"), format!("/usr/local/bin/natter {role}"));
        for file in ["all".to_owned(), role.to_owned(), format!("{role}-%i")] {
            assert!(unit.contains(&format!("/etc/natter/{file}.env\n")), "{role}: {file}");
        }
    }
}
