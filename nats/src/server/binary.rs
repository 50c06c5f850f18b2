//! Which nats-server.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use tokio::process::Command;

use super::ServerError;

/// The first with everything used here: atomic publish, Direct Get batches, republish with wildcards.
const LEAST: (u32, u32) = (2, 14);
const LEAST_TEXT: &str = "2.14";

/// The one named by `NATTER_NATS_SERVER`, else `.deps/bin/nats-server` above this program or beside or above
/// the working directory, else the one on the PATH.
pub fn find() -> Result<PathBuf, ServerError> {
    if let Some(path) = std::env::var_os("NATTER_NATS_SERVER").filter(|path| !path.is_empty()) {
        return Ok(path.into());
    }
    let program = std::env::current_exe().ok();
    let above_program = program.iter().flat_map(|path| path.ancestors().skip(1));
    let here = std::env::current_dir().ok();
    // Two levels: the workspace and a crate in it. Any folder further up may belong to another user.
    let around_here = here.iter().flat_map(|path| path.ancestors().take(2));
    let fetched = above_program.chain(around_here).map(|folder| folder.join(".deps/bin/nats-server"));
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let installed =
        std::env::split_paths(&paths).map(|folder| folder.join("nats-server")).collect::<Vec<_>>();
    fetched.chain(installed).find(|path| path.is_file()).ok_or(ServerError::NotFound)
}

/// The version of a nats-server, refused when it is too old.
pub async fn version(path: &Path) -> Result<String, ServerError> {
    let asked = Command::new(path).arg("--version").stdin(Stdio::null()).kill_on_drop(true).output().await;
    let output = asked.map_err(|source| ServerError::NotRunnable { path: path.to_owned(), source })?;
    // "nats-server: v2.15.1"
    let text = String::from_utf8_lossy(&output.stdout);
    let found = text.trim().rsplit(['v', ' ']).next().unwrap_or_default().to_owned();
    if is_enough(&found) {
        return Ok(found);
    }
    let found = if found.is_empty() { "of an unknown version".to_owned() } else { found };
    Err(ServerError::TooOld { path: path.to_owned(), found, least: LEAST_TEXT })
}

fn is_enough(version: &str) -> bool {
    let mut numbers = version.split(['.', '-']).map(|n| n.parse::<u32>().ok());
    matches!((numbers.next(), numbers.next()), (Some(Some(major)), Some(Some(minor))) if (major, minor) >= LEAST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_number() {
        for (version, enough) in [
            ("2.14.0", true),
            ("2.15.1", true),
            ("2.14.0-RC.1", true),
            ("3.0.0", true),
            ("2.9.25", false),
            ("", false),
        ] {
            assert_eq!(is_enough(version), enough, "{version}");
        }
    }
}
