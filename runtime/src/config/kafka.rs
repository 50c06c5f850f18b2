//! `KAFKA_*`: where events are mirrored to, and how to connect.

use std::path::PathBuf;

use natter_schemas::cloudevent::Content;
use secrecy::SecretString;

use super::{BadSetting, Source, bad, number, text};

#[derive(Debug, Clone)]
pub struct Kafka {
    /// `host:port`, comma-separated; the rest of the cluster is found from these.
    pub brokers: String,
    /// What consumers see of a message's content.
    pub content: Content,
    pub security: KafkaSecurity,
    /// Copies of a topic that is made; the brokers' default unless given.
    pub replication: Option<u8>,
}

#[derive(Debug, Clone, Default)]
pub struct KafkaSecurity {
    pub tls: bool,
    /// Certificates (PEM) that sign the brokers'; those of the system by default.
    pub ca: Option<PathBuf>,
    /// A certificate and its key (PEM) that the brokers ask for.
    pub certificate: Option<(PathBuf, PathBuf)>,
    pub sasl: Option<Sasl>,
}

#[derive(Debug, Clone)]
pub struct Sasl {
    /// `PLAIN`, `SCRAM-SHA-256` or `SCRAM-SHA-512`.
    pub mechanism: &'static str,
    pub username: String,
    pub password: SecretString,
}

const PROTOCOLS: [&str; 4] = ["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"];
const MECHANISMS: [&str; 3] = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"];

/// `None`: nothing is mirrored.
pub fn read(source: &Source<'_>) -> Result<Option<Kafka>, BadSetting> {
    let content = content(source)?;
    let security = security(source)?;
    let replication = number(source, "KAFKA_REPLICATION", "1 to 9")?;
    if replication.is_some_and(|copies: u8| !(1..=9).contains(&copies)) {
        return Err(bad("KAFKA_REPLICATION", &replication.unwrap_or_default().to_string(), "1 to 9"));
    }
    let Some(brokers) = text(source, "KAFKA_BROKERS") else { return Ok(None) };
    let broker = |broker: &str| {
        let host_and_port = broker.trim().rsplit_once(':');
        host_and_port.is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok_and(|p| p > 0))
    };
    if !brokers.split(',').all(broker) {
        return Err(bad("KAFKA_BROKERS", &brokers, "host:port, comma-separated"));
    }
    Ok(Some(Kafka { brokers, content, security, replication }))
}

fn content(source: &Source<'_>) -> Result<Content, BadSetting> {
    let all = [Content::Sealed, Content::Plain, Content::Omitted];
    let Some(value) = text(source, "KAFKA_CONTENT") else { return Ok(Content::Sealed) };
    let names = all.map(Content::name).join(", ");
    all.into_iter().find(|c| c.name() == value).ok_or_else(|| bad("KAFKA_CONTENT", &value, names))
}

fn security(source: &Source<'_>) -> Result<KafkaSecurity, BadSetting> {
    let name = "KAFKA_SECURITY_PROTOCOL";
    let protocol = text(source, name).unwrap_or_else(|| PROTOCOLS[0].to_owned()).to_lowercase();
    if !PROTOCOLS.contains(&protocol.as_str()) {
        return Err(bad(name, &protocol, PROTOCOLS.join(", ")));
    }
    let certificate = match (text(source, "KAFKA_CERT_FILE"), text(source, "KAFKA_KEY_FILE")) {
        (Some(certificate), Some(key)) => Some((PathBuf::from(certificate), PathBuf::from(key))),
        (None, None) => None,
        _ => return Err(missing("KAFKA_CERT_FILE", "both KAFKA_CERT_FILE and KAFKA_KEY_FILE, or neither")),
    };
    Ok(KafkaSecurity {
        tls: protocol.ends_with("ssl"),
        ca: text(source, "KAFKA_CA_FILE").map(PathBuf::from),
        certificate,
        sasl: protocol.starts_with("sasl").then(|| sasl(source)).transpose()?,
    })
}

fn sasl(source: &Source<'_>) -> Result<Sasl, BadSetting> {
    let mechanism = text(source, "KAFKA_SASL_MECHANISM").unwrap_or_else(|| MECHANISMS[2].to_owned());
    let known = MECHANISMS.into_iter().find(|known| known.eq_ignore_ascii_case(&mechanism));
    let needed =
        |name| text(source, name).ok_or_else(|| missing(name, "what the brokers know this client by"));
    Ok(Sasl {
        mechanism: known.ok_or_else(|| bad("KAFKA_SASL_MECHANISM", &mechanism, MECHANISMS.join(", ")))?,
        username: needed("KAFKA_SASL_USERNAME")?,
        password: SecretString::from(needed("KAFKA_SASL_PASSWORD")?),
    })
}

fn missing(name: &'static str, allowed: &str) -> BadSetting {
    BadSetting { name, wrong: "is missing".to_owned(), allowed: allowed.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pairs: &[(&str, &str)]) -> Result<Option<Kafka>, BadSetting> {
        read(&|name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn without_brokers_nothing_is_mirrored() {
        assert!(of(&[]).unwrap().is_none());
        assert!(of(&[("KAFKA_BROKERS", "")]).unwrap().is_none());
    }

    #[test]
    fn brokers_alone_are_enough() {
        let kafka = of(&[("KAFKA_BROKERS", "a:9092,b:9092")]).unwrap().unwrap();
        assert_eq!((kafka.content, kafka.replication), (Content::Sealed, None));
        assert!(!kafka.security.tls && kafka.security.sasl.is_none());
    }

    #[test]
    fn a_password_is_used_and_not_printed() {
        let pairs = [
            ("KAFKA_BROKERS", "a:9093"),
            ("KAFKA_SECURITY_PROTOCOL", "SASL_SSL"),
            ("KAFKA_SASL_USERNAME", "natter"),
            ("KAFKA_SASL_PASSWORD", "hunter2"),
        ];
        let kafka = of(&pairs).unwrap().unwrap();
        assert!(kafka.security.tls && kafka.security.sasl.is_some());
        assert!(!format!("{kafka:?}").contains("hunter2"));
    }

    #[test]
    fn what_is_wrong_is_said_also_without_brokers() {
        for pairs in [
            &[("KAFKA_BROKERS", "a")][..],
            &[("KAFKA_BROKERS", "a:0")],
            &[("KAFKA_BROKERS", "a:9092,,")],
            &[("KAFKA_CONTENT", "open")],
            &[("KAFKA_REPLICATION", "0")],
            &[("KAFKA_REPLICATION", "many")],
            &[("KAFKA_SECURITY_PROTOCOL", "tls")],
            &[("KAFKA_SECURITY_PROTOCOL", "sasl_ssl")],
            &[("KAFKA_CERT_FILE", "/cert.pem")],
        ] {
            let error = of(pairs).expect_err("not allowed").to_string();
            assert!(error.starts_with("KAFKA_") && error.contains("allowed: "), "{error}");
        }
    }
}
