//! Settings can be printed, for example in an error or while someone looks for a fault.

use super::{Settings, Strictness};

const CANARY: &str = "canary0123456789abcdef0123456789";

#[test]
fn settings_are_printed_without_any_of_their_secrets() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, CANARY).expect("it can be written");
        path.display().to_string()
    };
    let key = data_encoding::HEXLOWER.encode(CANARY.as_bytes());
    let secrets = [
        ("NATS_URL", format!("nats://edge:{CANARY}@nats:4222")),
        ("REDIS_URL", format!("redis://natter:{CANARY}@redis:6379/1")),
        ("DATABASE_URL", format!("scylla://natter:{CANARY}@scylla:9042/natter")),
        ("KAFKA_BROKERS", "kafka:9092".to_owned()),
        ("KAFKA_SECURITY_PROTOCOL", "sasl_plaintext".to_owned()),
        ("KAFKA_SASL_USERNAME", "natter".to_owned()),
        ("KAFKA_SASL_PASSWORD", CANARY.to_owned()),
        ("JWT_SECRETS", format!("one:{CANARY}")),
        ("CHAT_ENCRYPTION_ENABLED", "true".to_owned()),
        ("CHAT_MESSAGE_KEY", key.clone()),
        ("CHAT_KMS_URL", "https://bao:8200".to_owned()),
        ("CHAT_KMS_TOKEN", CANARY.to_owned()),
    ];
    let from_files = [("JWT_SECRET_FILE", file("jwt"))];
    let changes = [vec![], vec![("JWT_SECRETS", String::new()), ("JWT_SECRET", CANARY.to_owned())], {
        let mut changes = vec![("JWT_SECRETS", String::new())];
        changes.extend(from_files);
        changes
    }];
    for changed in changes {
        let source = |name: &str| {
            let of = |list: &[(&str, String)]| {
                list.iter().find(|(key, _)| *key == name).map(|(_, value)| value.clone())
            };
            of(&changed).or_else(|| of(&secrets))
        };
        let settings = Settings::read(&source, Strictness::Production).expect("allowed");
        for printed in [format!("{settings:?}"), format!("{settings:#?}")] {
            assert!(printed.contains("scylla") || printed.contains("REDACTED"), "{printed}");
            for secret in [CANARY, &key] {
                assert!(!printed.contains(secret), "{printed}");
            }
            // As bytes.
            let bytes = format!("{:?}", CANARY.as_bytes());
            assert!(!printed.contains(bytes.trim_matches(['[', ']'])), "{printed}");
        }
    }
}
