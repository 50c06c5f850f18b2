//! What is allowed, and what is said of what is not.

use super::*;

fn read(pairs: &[(&str, &str)], strictness: Strictness) -> Result<Settings, BadSetting> {
    let source =
        |name: &str| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
    Settings::read(&source, strictness)
}

#[test]
fn all_partitions_together_keep_8_gib_unless_one_is_given_its_size() {
    for (partitions, each) in [("1", 8 << 30), ("16", 512 << 20), ("256", 32 << 20)] {
        let settings = read(&[("PARTITIONS", partitions)], Strictness::Tokenless).expect(partitions);
        assert_eq!(settings.log_max_bytes, each);
    }
    let given = [("PARTITIONS", "2"), ("LOG_MAX_BYTES", "1048576")];
    assert_eq!(read(&given, Strictness::Tokenless).expect("allowed").log_max_bytes, 1 << 20);
}

#[test]
fn nothing_set_is_enough_for_dev_only() {
    let settings = read(&[], Strictness::Dev).expect("dev needs nothing");
    assert_eq!((settings.port, settings.admin_port, settings.partitions), (3000, 9464, 1));
    assert_eq!(settings.jwt_expires_in, Duration::from_mins(15));
    let worker = read(&[], Strictness::Tokenless).expect("a worker needs no secret");
    assert_eq!((worker.host, worker.log_format), (IpAddr::from([0, 0, 0, 0]), LogFormat::Json));
    assert_eq!(worker.partitions, 16);
    assert_eq!(worker.admin_host, IpAddr::from([127, 0, 0, 1]), "metrics are for this host until it is said");
    let open = read(&[("ADMIN_HOST", "::")], Strictness::Tokenless).expect("allowed");
    assert!(open.admin_host.is_unspecified() && open.host == worker.host);
    let error = read(&[], Strictness::Production).expect_err("a secret is needed");
    assert!(error.to_string().starts_with("JWT_SECRET is missing; allowed: a secret"), "{error}");
}

#[test]
fn a_wrong_value_stops_the_start_with_a_sentence() {
    for (name, value) in [
        ("PORT", "http"),
        ("PORT", "70000"),
        ("ADMIN_PORT", "-1"),
        ("ADMIN_HOST", "all"),
        ("HOST", "localhost:1"),
        ("REDIS_URL", "redis+unix://:hunter2@host"),
        ("REDIS_URL", "redis://:hunter2@host:port"),
        ("REDIS_URL", "redis://:hunter2@host/natter"),
        ("REDIS_URL", ":hunter2@host"),
        ("PRESENCE_TTL", "9s"),
        ("PRESENCE_TTL", "301"),
        ("JWT_SECRET", "short"),
        ("JWT_EXPIRES_IN", "2h"),
        ("JWT_EXPIRES_IN", "soon"),
        ("REFRESH_EXPIRES_IN", "0"),
        ("REFRESH_EXPIRES_IN", "99999999999999999999d"),
        ("REFRESH_GRACE", "61s"),
        ("DRAIN_TIME", "11m"),
        ("CORS_ORIGINS", "*"),
        ("CORS_ORIGINS", "https://a.example/path"),
        ("CORS_ORIGINS", "https://münchen.example"),
        ("RATE_LIMITS", "groups=1/day*1000000"),
        ("RATE_LIMITS", "send=4000000000/s"),
        ("TRUSTED_PROXIES", "the-proxy"),
        ("MAX_CONNECTIONS_PER_ADDRESS", "0"),
        ("RATE_LIMITS", "login=often"),
        ("PARTITIONS", "0"),
        ("PARTITIONS", "257"),
        ("DURABILITY", "some"),
        ("LOG_MAX_BYTES", "1"),
        ("LOG_FORMAT", "xml"),
        ("LOG_REQUESTS", "all"),
        ("OTLP_SAMPLE_RATIO", "NaN"),
        ("OTLP_SAMPLE_RATIO", "1.1"),
        ("OTLP_ENDPOINT", "http://natter:hunter2@host:4318"),
        ("OTLP_ENDPOINT", "host:4318"),
        ("OTLP_ENDPOINT", "http://host:4318/v1/traces"),
        ("LOG_REQUESTS", "1000001"),
    ] {
        let error = read(&[(name, value)], Strictness::Dev).expect_err(name).to_string();
        assert!(error.starts_with(name) && error.contains("allowed: "), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
}

#[test]
fn limits_can_be_switched_off_in_dev_only() {
    let off = [("RATE_LIMITS", "off"), ("JWT_SECRET", "0123456789abcdef0123456789abcdef")];
    assert_eq!(read(&off, Strictness::Dev).expect("dev may").rates, Rates::off());
    assert!(read(&off, Strictness::Production).is_err());
}
