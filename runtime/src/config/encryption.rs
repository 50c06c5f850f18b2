//! `CHAT_…`: whether content is sealed, and what wraps the keys that do it.

use std::{fmt, path::PathBuf, time::Duration};

use data_encoding::{BASE64, HEXLOWER_PERMISSIVE};
use zeroize::Zeroizing;

use natter_schemas::limits;

use super::{BadSetting, Kms, Source, bad, kms, lifetime, text};

const KEY: &str = "CHAT_MESSAGE_KEY";
const KEYS: &str = "CHAT_MESSAGE_KEYS";
const FILE: &str = "CHAT_MESSAGE_KEYS_FILE";
const ALLOWED: &str = "32 random bytes in base64 or hexadecimal, for example from `openssl rand -base64 32`";

/// 32 secret bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct RootKey(Zeroizing<[u8; 32]>);

impl RootKey {
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    fn parse(text: &str) -> Option<Self> {
        let bytes = match text.len() {
            64 => HEXLOWER_PERMISSIVE.decode(text.as_bytes()),
            _ => BASE64.decode(text.as_bytes()),
        };
        let bytes = Zeroizing::new(bytes.ok()?);
        Some(Self(Zeroizing::new(bytes.as_slice().try_into().ok()?)))
    }
}

impl fmt::Debug for RootKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RootKey(…)")
    }
}

#[derive(Debug, Clone)]
pub struct Encryption {
    /// New content is sealed. What is sealed is opened either way.
    pub enabled: bool,
    /// How long a process uses a data key that it was given.
    pub key_cache: Duration,
    /// A root that is elsewhere: it wraps new keys, and those below unwrap what they wrapped before.
    pub kms: Option<Kms>,
    /// `CHAT_MESSAGE_KEY`, then `CHAT_MESSAGE_KEYS`.
    keys: Vec<RootKey>,
    /// More of them, one a line.
    file: Option<PathBuf>,
}

pub fn read(source: &Source<'_>) -> Result<Encryption, BadSetting> {
    let enabled = match text(source, "CHAT_ENCRYPTION_ENABLED").as_deref() {
        None | Some("false") => false,
        Some("true") => true,
        Some(other) => return Err(bad("CHAT_ENCRYPTION_ENABLED", other, "true, false")),
    };
    let mut keys = Vec::new();
    for name in [KEY, KEYS] {
        let Some(list) = text(source, name).map(Zeroizing::new) else { continue };
        let most = if name == KEY { 1 } else { usize::MAX };
        for key in list.splitn(most, ',').map(str::trim) {
            keys.push(RootKey::parse(key).ok_or_else(|| no_key(name, "has a key of another form"))?);
        }
    }
    let most = limits::KEY_CACHED;
    let key_cache = lifetime(source, "CHAT_KEY_CACHE", most.as_secs(), Duration::from_secs(1)..=most)?;
    let (kms, file) = (kms::read(source)?, text(source, FILE).map(PathBuf::from));
    Ok(Encryption { enabled, key_cache, kms, keys, file })
}

fn no_key(name: &'static str, wrong: &str) -> BadSetting {
    let allowed = match name {
        KEYS => format!("{ALLOWED}; comma-separated"),
        FILE => format!("a file with one key a line: {ALLOWED}"),
        _ => ALLOWED.to_owned(),
    };
    BadSetting { name, wrong: wrong.to_owned(), allowed }
}

impl Encryption {
    /// The keys that wrap users' keys: the first wraps new ones, the others unwrap what they wrapped before. Reads the
    /// file.
    pub fn root_keys(&self) -> Result<Vec<RootKey>, BadSetting> {
        let mut keys = self.keys.clone();
        if let Some(file) = &self.file {
            let lines = std::fs::read_to_string(file).map(Zeroizing::new);
            let lines = lines.map_err(|error| no_key(FILE, &format!("cannot be read: {error}")))?;
            for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
                keys.push(RootKey::parse(line).ok_or_else(|| no_key(FILE, "has a key of another form"))?);
            }
            if keys.is_empty() {
                return Err(no_key(FILE, "has no key"));
            }
        }
        Ok(keys)
    }

    /// With a key that is used if no other is set.
    #[must_use]
    pub fn or_key(mut self, key: [u8; 32]) -> Self {
        if self.keys.is_empty() && self.file.is_none() && self.kms.is_none() {
            self.keys.push(RootKey(Zeroizing::new(key)));
        }
        self
    }

    /// What a worker says that has to seal and has no key.
    pub fn missing() -> BadSetting {
        no_key(KEY, "is missing though CHAT_ENCRYPTION_ENABLED is true")
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn settings(pairs: &[(&str, &str)]) -> Result<Encryption, BadSetting> {
        read(&|name: &str| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
    }

    fn hex(byte: u8) -> String {
        format!("{byte:02x}").repeat(32)
    }

    fn first_bytes(encryption: &Encryption) -> Vec<u8> {
        encryption.root_keys().expect("keys").iter().map(|key| key.bytes()[0]).collect()
    }

    #[test]
    fn root_keys_come_from_settings_and_then_from_the_file() {
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        writeln!(file, "{}\n\n  {}  ", BASE64.encode(&[4; 32]), hex(5).to_uppercase()).expect("written");
        let path = file.path().to_str().expect("text");
        let both = format!("{}, {}", hex(2), BASE64.encode(&[3; 32]));
        let all = [(KEY, hex(1)), (KEYS, both), (FILE, path.to_owned())];
        let pairs: Vec<(&str, &str)> = all.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let read = settings(&pairs).expect("allowed");
        assert!(!read.enabled, "keys alone seal nothing");
        assert_eq!(first_bytes(&read), [1, 2, 3, 4, 5]);
        assert!(!format!("{read:?}").contains("0101"));
        assert!(first_bytes(&settings(&[]).expect("none is needed")).is_empty());
    }

    #[test]
    fn a_wrong_key_stops_the_start_and_is_not_printed() {
        let two = format!("{},{}", hex(1), hex(2));
        for (name, value) in [
            ("CHAT_ENCRYPTION_ENABLED", "yes"),
            (KEY, "hunter2"),
            (KEY, two.as_str()),
            (KEY, &hex(1)[1..]),
            (KEYS, "hunter2,"),
        ] {
            let error = settings(&[(name, value)]).expect_err(name).to_string();
            assert!(error.starts_with(name) && error.contains("allowed: "), "{error}");
            assert!(!error.contains("hunter2") && !error.contains("0101"), "{error}");
        }
        for content in ["", "hunter2"] {
            let mut file = tempfile::NamedTempFile::new().expect("a file");
            file.write_all(content.as_bytes()).expect("written");
            let path = file.path().to_str().expect("text");
            let error = settings(&[(FILE, path)]).expect("a path").root_keys().expect_err("no key");
            assert!(error.to_string().starts_with(FILE) && !error.to_string().contains("hunter2"), "{error}");
        }
        let absent = settings(&[(FILE, "/nowhere")]).expect("a path").root_keys().expect_err("no file");
        assert!(absent.to_string().contains("cannot be read"), "{absent}");
    }
}
