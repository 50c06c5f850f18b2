//! Environment and flags become settings; a flag wins.

use runtime::config::{BadSetting, Settings, Strictness};

/// A flag as the setting it stands for.
pub type Flag = (&'static str, Option<String>);

pub fn read(flags: &[Flag], strictness: Strictness) -> Result<Settings, BadSetting> {
    let source = |name: &str| {
        let flag = flags.iter().find(|(flag, _)| *flag == name).and_then(|(_, value)| value.clone());
        flag.or_else(|| std::env::var(name).ok())
    };
    Settings::read(&source, strictness)
}
