//! What operators do with the audit log.

use std::path::PathBuf;

use clap::{Args, Subcommand};

const AFTER: &str = "Files are read one after the other, in the order in which they were written: `audit.log.1 audit.log`. Lines of \
    several hosts may be mixed, as a collector or Kafka has them, as long as those of one chain are in order. What the log \
    itself says is missing (a record that was cut off, a full disk, a process that was killed) is printed and is no fault. \
    Exit status: 0 when every record is as it was written and follows the one before, 1 at the first one that does not, with its \
    place; 2 for flags that do not fit. Needs no server.";

#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Whether records were changed, left out or put in
    #[command(after_help = AFTER)]
    Verify(VerifyArgs),
}

#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// Files of the audit log, oldest first; - is standard input
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// The hash of a record, noted earlier: it has to be there. Without one, a log whose end was cut off cleanly looks whole
    #[arg(long, value_name = "HASH", value_parser = hash)]
    pub expect: Option<String>,
}

fn hash(text: &str) -> Result<String, String> {
    if text.len() == 64 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)) {
        Ok(text.to_owned())
    } else {
        Err("must be 64 hexadecimal digits, as in the field hash of a record".to_owned())
    }
}
