//! The floor of whatever stores: how often one file can be made to reach the disk.

use std::{
    fs::{self, OpenOptions},
    io::Write as _,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::Context as _;

/// About one stored message.
const APPEND: [u8; 256] = [0x5A; 256];

/// Appends a second to one new file in this folder, each with an fsync of its own, one after the other.
pub fn fsyncs_per_second(dir: &Path, lasting: Duration) -> anyhow::Result<f64> {
    let path = dir.join(format!("natter-bench-{}.fsync", std::process::id()));
    let rate = appends(&path, lasting);
    // Kept until here: some file systems spare themselves the work for a file without a name.
    let _ = fs::remove_file(&path);
    rate.with_context(|| format!("fsync of {}", path.display()))
}

fn appends(path: &Path, lasting: Duration) -> anyhow::Result<f64> {
    let mut file = OpenOptions::new().append(true).create_new(true).open(path)?;
    let (mut count, start) = (0_u32, Instant::now());
    while start.elapsed() < lasting {
        file.write_all(&APPEND)?;
        file.sync_all()?;
        count += 1;
    }
    Ok(f64::from(count) / start.elapsed().as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_has_a_rate_and_nothing_is_left_behind() {
        let dir = std::env::temp_dir().join(format!("natter-bench-{}", uuid::Uuid::now_v7()));
        fs::create_dir(&dir).unwrap();
        assert!(fsyncs_per_second(&dir, Duration::from_millis(20)).unwrap() > 0.0);
        fs::remove_dir(&dir).expect("the folder is empty again");
    }

    #[test]
    fn a_folder_that_is_not_there_is_told() {
        let missing = std::env::temp_dir().join(uuid::Uuid::now_v7().to_string());
        let error = fsyncs_per_second(&missing, Duration::ZERO).unwrap_err();
        assert!(error.to_string().contains("fsync of"), "{error}");
    }
}
