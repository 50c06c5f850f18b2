//! Two versions of the program in one deployment.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use super::{super::part::Part, Deployment};

/// What edges and workers are processes of.
#[derive(Debug, Clone)]
pub struct Programs {
    pub current: PathBuf,
    /// The release before, for scenarios that begin with it.
    pub previous: Option<PathBuf>,
}

/// Who runs which.
pub struct Versions {
    programs: Programs,
    begin_with_previous: bool,
    upgraded: BTreeSet<Part>,
}

impl Versions {
    pub fn new(programs: Programs, begin_with_previous: bool) -> Self {
        Self { programs, begin_with_previous, upgraded: BTreeSet::new() }
    }

    pub fn current(&self) -> &Path {
        &self.programs.current
    }

    pub fn of(&self, part: Part) -> &Path {
        if !self.begin_with_previous || self.upgraded.contains(&part) {
            return self.current();
        }
        self.programs.previous.as_deref().expect("the program of the release before (--previous)")
    }
}

impl Deployment {
    /// NATS and the store are made ready for the current program, while others run.
    pub fn migrate(&self, flags: &[&str]) {
        let mut command = self.natter(self.versions.current(), Part::Worker(0), "migrate");
        let migrated = command.args(flags).output().expect("the program can be run");
        assert!(migrated.status.success(), "{}", String::from_utf8_lossy(&migrated.stderr));
    }

    /// Each drains and ends as it is asked to (SIGTERM), and is started again as the current program.
    pub async fn upgrade(&mut self, part: Part) {
        for part in self.running(part) {
            self.processes[&part].drain().await;
            self.remove(part);
            self.versions.upgraded.insert(part);
            self.start_process(part).await;
        }
    }
}
