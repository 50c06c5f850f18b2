//! The names of all settings, to recognize one that is misspelled.

/// By name; the chart's test compares them with what [`super::Settings::read`] asks for.
pub const NAMES: &[&str] = &[
    "ADD_BY",
    "ADMIN_HOST",
    "ADMIN_PORT",
    "ADMIN_TLS_CERT",
    "ADMIN_TLS_KEY",
    "AUDIT_KAFKA",
    "AUDIT_LOG",
    "CALL_PROOF",
    "CHAT_ENCRYPTION_ENABLED",
    "CHAT_KEY_CACHE",
    "CHAT_KMS_CA",
    "CHAT_KMS_KEY",
    "CHAT_KMS_TOKEN",
    "CHAT_KMS_TOKEN_FILE",
    "CHAT_KMS_URL",
    "CHAT_MESSAGE_KEY",
    "CHAT_MESSAGE_KEYS",
    "CHAT_MESSAGE_KEYS_FILE",
    "CORS_ORIGINS",
    "DATABASE_URL",
    "DRAIN_TIME",
    "DURABILITY",
    "HOST",
    "JWT_EXPIRES_IN",
    "JWT_PRIVATE_KEY",
    "JWT_PUBLIC_KEYS",
    "JWT_SECRET",
    "JWT_SECRETS",
    "JWT_SECRETS_FILE",
    "JWT_SECRET_FILE",
    "KAFKA_BROKERS",
    "KAFKA_CA_FILE",
    "KAFKA_CERT_FILE",
    "KAFKA_CONTENT",
    "KAFKA_KEY_FILE",
    "KAFKA_REPLICATION",
    "KAFKA_SASL_MECHANISM",
    "KAFKA_SASL_PASSWORD",
    "KAFKA_SASL_USERNAME",
    "KAFKA_SECURITY_PROTOCOL",
    "LIMIT_BLOCKS",
    "LIMIT_BODY_BYTES",
    "LIMIT_CLIENT_ID_CHARS",
    "LIMIT_CONTENT_BYTES",
    "LIMIT_FRAME_BYTES",
    "LIMIT_MEMBERSHIPS",
    "LIMIT_NAME_CHARS",
    "LIMIT_PARTICIPANTS",
    "LIMIT_PARTICIPANTS_PER_CALL",
    "LIMIT_PASSWORD_BYTES",
    "LIMIT_PASSWORD_MIN_BYTES",
    "LIMIT_SESSIONS",
    "LIMIT_USERNAME_CHARS",
    "LOG_FORMAT",
    "LOG_LEVEL",
    "LOG_MAX_BYTES",
    "LOG_REQUESTS",
    "MAIL_COMMAND",
    "MAIL_FROM",
    "MAX_CONNECTIONS",
    "MAX_CONNECTIONS_PER_ADDRESS",
    "NATS_CA",
    "NATS_CERT",
    "NATS_CREDS",
    "NATS_KEY",
    "NATS_URL",
    "OIDC_CA",
    "OIDC_CLIENT_ID",
    "OIDC_CLIENT_SECRET",
    "OIDC_CLIENT_SECRET_FILE",
    "OIDC_ISSUER",
    "OIDC_NAME",
    "OIDC_SCOPES",
    "OTLP_ENDPOINT",
    "OTLP_SAMPLE_RATIO",
    "PARTITIONS",
    "PASSWORD_LOGIN",
    "PORT",
    "PRESENCE_TTL",
    "PUBLIC_URL",
    "RATE_LIMITS",
    "REDIS_CA",
    "REDIS_CERT",
    "REDIS_KEY",
    "REDIS_URL",
    "REFRESH_EXPIRES_IN",
    "REFRESH_GRACE",
    "SMTP_URL",
    "SMTP_URL_FILE",
    "TLS_CERT",
    "TLS_KEY",
    "TRUSTED_PROXIES",
];

/// Shorter names are near too many others.
const LONG_ENOUGH: usize = 6;
/// A letter missing, added or wrong, or two that changed places. Names that others set, as Kubernetes `REDIS_PORT`, are
/// two letters from a setting.
const NEAR: usize = 1;

/// The setting that a name was probably meant to be, if it is none.
pub fn meant_by(name: &str) -> Option<&'static str> {
    if NAMES.contains(&name) || name.len() < LONG_ENOUGH {
        return None;
    }
    let name = name.to_ascii_uppercase();
    let far = |setting: &&'static str| strsim::osa_distance(&name, setting);
    NAMES
        .iter()
        .copied()
        .filter(|setting| setting.len() >= LONG_ENOUGH)
        .min_by_key(far)
        .filter(|setting| far(setting) <= NEAR)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelled_setting_is_recognized() {
        for (name, setting) in [
            ("DURABILTY", "DURABILITY"),
            ("REDIS_ULR", "REDIS_URL"),
            ("partitions", "PARTITIONS"),
            ("JWT_SECRET_FILES", "JWT_SECRET_FILE"),
        ] {
            assert_eq!(meant_by(name), Some(setting), "{name}");
        }
    }

    #[test]
    fn what_is_a_setting_or_far_from_all_is_left_alone() {
        for name in NAMES {
            assert_eq!(meant_by(name), None, "{name}");
        }
        for name in [
            "PATH",
            "HOME",
            "HOSTNAME",
            "POST",
            "LANGUAGE",
            "NATS_PORT",
            "REDIS_PORT",
            "KAFKA_SERVICE_HOST",
            "LC_ALL",
        ] {
            assert_eq!(meant_by(name), None, "{name}");
        }
    }
}
