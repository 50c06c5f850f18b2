//! Fuzz targets: settings that are wrong stop the start with a sentence, and with those that are accepted everything works.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use natter_fuzz::{fuzz, kind_of};
use natter_runtime::{
    config::{Settings, Strictness},
    rates::{Class, Cost, Rates},
    shared_state::{Memory, SharedState},
};

#[test]
fn no_setting_breaks_the_start_in_another_way_than_by_a_sentence() {
    fuzz("settings", &[], |bytes| {
        let text = String::from_utf8_lossy(bytes);
        // No file of this machine is read: its content is not the same everywhere.
        let lines = text.lines().filter_map(|line| line.split_once('='));
        let of_values = |name: &&str| {
            !["FILE", "KEY", "CERT", "CA", "CREDS"].iter().any(|file| name.ends_with(file))
                && !name.ends_with("JWT_PUBLIC_KEYS")
        };
        let pairs: BTreeMap<&str, &str> = lines.filter(|(name, _)| of_values(name)).collect();
        let source = |name: &str| pairs.get(name).map(|value| (*value).to_owned());
        [Strictness::Dev, Strictness::Production, Strictness::Tokenless].map(
            |strictness| match Settings::read(&source, strictness) {
                Ok(settings) => {
                    for network in &settings.trusted_proxies {
                        assert!(network.contains(&network.network()), "{network}");
                    }
                    assert!(
                        settings.cors_origins.iter().all(|origin| origin.is_ascii()),
                        "no browser sends it"
                    );
                    "accepted".to_owned()
                }
                Err(error) => {
                    let sentence = error.to_string();
                    assert!(
                        sentence.starts_with(error.name) && sentence.contains("; allowed: "),
                        "{sentence}"
                    );
                    format!("{} {}", error.name, kind_of(&error.wrong))
                }
            },
        )
    });
}

#[test]
fn a_rate_limit_that_is_accepted_is_read_back_and_holds() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    fuzz("rates", &[], |bytes| {
        let rates = match Rates::off().with(&String::from_utf8_lossy(bytes)) {
            Ok(rates) => rates,
            Err(error) => return kind_of(&error),
        };
        if rates == Rates::off() {
            return "none".to_owned();
        }
        assert_eq!(Rates::off().with(&rates.to_string()).as_ref(), Ok(&rates));
        let buckets = Memory::new();
        let took = Class::ALL.map(|class| {
            let rule = rates.rule(class)?;
            Some(runtime.block_on(buckets.take(Cost::new(class, 1), "someone", rule)).is_ok())
        });
        format!("{took:?}")
    });
}
