//! The Helm chart knows every setting of the program: `values.schema.json` is closed, and its settings are those that
//! `Settings::read` asks for. `UPDATE=1 cargo test -p natter-runtime --test chart` writes them.
#![allow(clippy::unwrap_used)]

use std::{cell::RefCell, collections::BTreeSet, fs, path::PathBuf};

use natter_runtime::{
    config::{NAMES, Settings, Strictness},
    lifecycle::DRAIN,
};
use serde_json::{Map, Value, json};

/// What makes the program ask for settings that depend on others.
const SETTINGS_OF_PARTS: &[(&str, &str)] = &[
    ("KAFKA_BROKERS", "kafka:9092"),
    ("KAFKA_SECURITY_PROTOCOL", "sasl_ssl"),
    ("KAFKA_SASL_USERNAME", "natter"),
    ("KAFKA_SASL_PASSWORD", "password"),
    ("REDIS_URL", "rediss://redis:6379"),
    ("CHAT_ENCRYPTION_ENABLED", "true"),
    ("CHAT_KMS_URL", "https://kms:8200"),
    ("CHAT_KMS_TOKEN", "token"),
    ("AUDIT_LOG", "stdout"),
    ("AUDIT_KAFKA", "true"),
    ("JWT_SECRET", "0123456789abcdef0123456789abcdef"),
    ("OIDC_ISSUER", "https://id.example"),
    ("OIDC_CLIENT_ID", "natter"),
    ("PUBLIC_URL", "https://chat.example"),
    ("SMTP_URL", "smtps://mail.example"),
    ("MAIL_FROM", "chat@mail.example"),
];

/// Not a value for files that anyone may read who may read a release.
const SECRETS: &[&str] = &[
    "CHAT_KMS_TOKEN",
    "CHAT_MESSAGE_KEY",
    "CHAT_MESSAGE_KEYS",
    "JWT_SECRET",
    "JWT_SECRETS",
    "KAFKA_SASL_PASSWORD",
    "OIDC_CLIENT_SECRET",
    "SMTP_URL",
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Every name the program asks for.
fn settings() -> BTreeSet<String> {
    let asked = RefCell::new(BTreeSet::new());
    let source = |name: &str| {
        asked.borrow_mut().insert(name.to_owned());
        let given = SETTINGS_OF_PARTS.iter().find(|(given, _)| *given == name);
        given.map(|(_, value)| (*value).to_owned())
    };
    Settings::read(&source, Strictness::Production).unwrap();
    asked.into_inner()
}

/// What the program itself calls allowed, where it refuses anything.
fn allowed(name: &str) -> Option<String> {
    let source = |asked: &str| {
        let given = SETTINGS_OF_PARTS.iter().find(|(given, _)| *given == asked);
        if asked == name { Some("\u{1}".to_owned()) } else { given.map(|(_, value)| (*value).to_owned()) }
    };
    let refused = Settings::read(&source, Strictness::Production).err()?;
    (refused.name == name).then_some(refused.allowed)
}

fn closed(properties: &Map<String, Value>) -> Value {
    json!({ "type": "object", "additionalProperties": false, "properties": properties })
}

#[test]
fn the_values_of_the_chart_know_every_setting_and_no_other() {
    let path = root().join("k8s/chart/values.schema.json");
    let committed = fs::read_to_string(&path).unwrap();
    let mut schema: Value = serde_json::from_str(&committed).unwrap();
    let (mut plain, mut secret) = (Map::new(), Map::new());
    for name in settings() {
        if !SECRETS.contains(&name.as_str()) {
            let mut property = json!({ "type": ["string", "integer", "boolean"] });
            if let Some(allowed) = allowed(&name) {
                property["description"] = allowed.into();
            }
            plain.insert(name.clone(), property);
        }
        secret.insert(name, json!({ "$ref": "#/$defs/secret" }));
    }
    schema["$defs"]["settings"] = closed(&plain);
    schema["$defs"]["secretSettings"] = closed(&secret);
    let wanted = format!("{}\n", serde_json::to_string_pretty(&schema).unwrap());
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, wanted).unwrap();
    } else {
        assert!(committed == wanted, "values.schema.json is out of date: run this test with UPDATE=1");
    }
}

#[test]
fn names_that_a_misspelled_one_is_compared_with_are_all_settings() {
    let asked: Vec<String> = settings().into_iter().collect();
    assert_eq!(NAMES, asked);
}

#[test]
fn every_documented_setting_is_one_the_chart_can_set() {
    let documented = fs::read_to_string(root().join("docs/operations.md")).unwrap();
    let (_, section) = documented.split_once("\n## Settings\n").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    let mut names = BTreeSet::new();
    for row in section.lines().filter(|line| line.starts_with("| `")) {
        let cell = row.split('|').nth(1).unwrap();
        names.extend(cell.split('`').skip(1).step_by(2).filter(is_setting).map(str::to_owned));
    }
    assert_eq!(names, settings());
}

/// Rows of other tables there begin with the name of a class, which is lower case.
fn is_setting(name: &&str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
}

#[test]
fn the_termination_grace_of_pods_has_room_for_the_drain() {
    let pod = fs::read_to_string(root().join("k8s/chart/templates/_pod.tpl")).unwrap();
    let (_, seconds) = pod.split_once(r#"define "natter.workSeconds" -}}"#).unwrap();
    let (seconds, _) = seconds.split_once("{{").unwrap();
    assert_eq!(seconds.parse::<u64>().unwrap(), DRAIN.as_secs());
}
