//! The files of a child: its configuration from the committed template, its password, its log.

use std::{
    fs,
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use super::{Options, ServerError};
use crate::secret;

/// The one user of the deployment in `dev.conf`.
pub const USER: &str = "natter";
/// Of the system account, with the same password.
pub const SYSTEM_USER: &str = "system";
const PASSWORD: &str = "nats-password";
const TEMPLATE: &str = include_str!("../../server/dev.conf");
/// What an error quotes of the log.
const TAIL_LINES: usize = 8;
const TAIL_BYTES: u64 = 8 * 1024;

#[derive(Clone)]
pub struct Files {
    dir: PathBuf,
    pub config: PathBuf,
    pub log: PathBuf,
    pub password: String,
}

impl Files {
    /// Makes the folder, for its owner alone, and a password when there is none yet.
    pub fn prepare(options: &Options) -> Result<Self, ServerError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| ServerError::Folder { path, source }
        };
        let given = &options.data_dir;
        make_private_dir(given).map_err(failed(given))?;
        // nats-server would read a relative path from a working folder of its own.
        let dir = given.canonicalize().map_err(failed(given))?;
        remove_old_ports(&dir).map_err(failed(&dir))?;
        let secret = dir.join(PASSWORD);
        let password = password(&secret).map_err(failed(&secret))?;
        Ok(Self { config: dir.join("nats-server.conf"), log: dir.join("nats-server.log"), dir, password })
    }

    /// `None`: any free port.
    pub fn write_config(&self, options: &Options, port: Option<u16>) -> Result<(), ServerError> {
        let text = self.config_text(options, port);
        write_private(&self.config, &text)
            .map_err(|source| ServerError::Folder { path: self.config.clone(), source })
    }

    fn config_text(&self, options: &Options, port: Option<u16>) -> String {
        let filled = [
            ("port", port.map_or_else(|| "-1".to_owned(), |port| port.to_string())),
            ("password", self.password.clone()),
            ("data_dir", quoted(&self.dir)),
            ("pid_file", quoted(&self.dir.join("nats-server.pid"))),
            ("log_file", quoted(&self.log)),
            ("store_dir", quoted(&self.dir.join("jetstream"))),
            ("sync_interval", if options.always_sync { "always" } else { "\"2m\"" }.to_owned()),
            ("max_store_bytes", options.max_store_bytes.to_string()),
        ];
        filled
            .into_iter()
            .fold(TEMPLATE.to_owned(), |text, (name, value)| text.replace(&format!("{{{{{name}}}}}"), &value))
    }

    /// Where a child writes the ports it listens on, when it is ready.
    pub fn ports(&self, pid: u32) -> PathBuf {
        self.dir.join(format!("nats-server_{pid}.ports"))
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    pub fn log_tail(&self) -> String {
        tail(&self.log).unwrap_or_else(|error| format!("(the log cannot be read: {error})"))
    }
}

/// Of a folder that was used before.
pub fn stored_password(dir: &Path) -> Option<String> {
    let text = fs::read_to_string(dir.join(PASSWORD)).ok()?;
    is_password(&text).then_some(text)
}

fn is_password(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// The password of this folder, made when it is used for the first time.
fn password(path: &Path) -> io::Result<String> {
    match fs::read_to_string(path) {
        Ok(text) if is_password(&text) => Ok(text),
        // Half written, or edited: every child is given the new one, so nothing is lost.
        Ok(_) => new_password(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => new_password(path),
        Err(error) => Err(error),
    }
}

fn new_password(path: &Path) -> io::Result<String> {
    let text = secret::random::<32>();
    write_private(path, &text)?;
    Ok(text)
}

/// A string of nats-server's configuration language.
fn quoted(path: &Path) -> String {
    format!("\"{}\"", path.to_string_lossy().replace('\\', "\\\\").replace('"', "\\\""))
}

/// Those of children that were killed.
fn remove_old_ports(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "ports") {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

fn make_private_dir(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Whole or not at all, and readable by its owner alone from its first byte on.
fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let new = path.with_extension("new");
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&new)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(new, path)
}

fn tail(path: &Path) -> io::Result<String> {
    let mut file = fs::File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
    let mut bytes = Vec::new();
    file.take(TAIL_BYTES).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    Ok(lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_of_the_template_is_filled() {
        let dir = tempfile::tempdir().unwrap();
        let options = Options {
            binary: PathBuf::new(),
            data_dir: dir.path().join("a \"b\" \\c"),
            always_sync: true,
            max_store_bytes: 1,
        };
        let files = Files::prepare(&options).unwrap();
        let text = files.config_text(&options, Some(4222));
        let left: Vec<_> =
            text.lines().filter(|line| !line.starts_with('#') && line.contains("{{")).collect();
        assert!(left.is_empty(), "{left:?}");
        assert!(text.contains("sync_interval: always") && text.contains(r#"/a \"b\" \\c/jetstream""#));
    }

    #[cfg(unix)]
    #[test]
    fn the_password_is_for_its_owner_and_stays() {
        use std::os::unix::fs::PermissionsExt;

        let dir = tempfile::tempdir().unwrap();
        let data_dir = dir.path().join("nats");
        let options = Options {
            binary: PathBuf::new(),
            data_dir: data_dir.clone(),
            always_sync: true,
            max_store_bytes: 1,
        };
        let first = Files::prepare(&options).unwrap();
        first.write_config(&options, None).unwrap();
        assert_eq!(Files::prepare(&options).unwrap().password, first.password);
        for (path, mode) in
            [(data_dir.clone(), 0o700), (data_dir.join(PASSWORD), 0o600), (first.config, 0o600)]
        {
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, mode, "{}", path.display());
        }
    }
}
