//! `AUDIT_*`: where security events are recorded.

use super::{BadSetting, Source, bad, text};
use crate::audit::Target;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditLog {
    /// None: nothing is recorded.
    pub target: Option<Target>,
    /// Whether workers copy records to Kafka, too.
    pub kafka: bool,
}

pub fn read(source: &Source<'_>) -> Result<AuditLog, BadSetting> {
    let target = match text(source, "AUDIT_LOG").as_deref() {
        None => None,
        Some("stdout") => Some(Target::Stdout),
        Some(path) if path.contains('/') && !path.ends_with('/') => Some(Target::File(path.into())),
        Some(other) => return Err(bad("AUDIT_LOG", other, "stdout, or the path of a file, with a /")),
    };
    let kafka = match text(source, "AUDIT_KAFKA").as_deref() {
        None | Some("false") => false,
        Some("true") => true,
        Some(other) => return Err(bad("AUDIT_KAFKA", other, "true, false")),
    };
    let wants = |name: &str| BadSetting {
        name: "AUDIT_KAFKA",
        wrong: format!("is true without {name}"),
        allowed: "true together with AUDIT_LOG and KAFKA_BROKERS".to_owned(),
    };
    if kafka && target.is_none() {
        return Err(wants("AUDIT_LOG"));
    }
    if kafka && text(source, "KAFKA_BROKERS").is_none() {
        return Err(wants("KAFKA_BROKERS"));
    }
    Ok(AuditLog { target, kafka })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pairs: &[(&str, &str)]) -> Result<AuditLog, BadSetting> {
        read(&|name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn records_go_to_a_file_or_to_standard_output() {
        assert_eq!(of(&[]), Ok(AuditLog::default()));
        assert_eq!(of(&[("AUDIT_LOG", "stdout")]).unwrap().target, Some(Target::Stdout));
        let file = of(&[("AUDIT_LOG", "/var/log/natter/audit.log")]).unwrap();
        assert_eq!(file.target, Some(Target::File("/var/log/natter/audit.log".into())));
        let kafka = [("AUDIT_LOG", "./audit.log"), ("AUDIT_KAFKA", "true"), ("KAFKA_BROKERS", "a:9092")];
        assert!(of(&kafka).unwrap().kafka);
    }

    #[test]
    fn a_log_that_no_one_would_find_is_refused() {
        for (pairs, name) in [
            (&[("AUDIT_LOG", "syslog")][..], "AUDIT_LOG"),
            (&[("AUDIT_LOG", "/var/log/")], "AUDIT_LOG"),
            (&[("AUDIT_KAFKA", "yes")], "AUDIT_KAFKA"),
            (&[("AUDIT_KAFKA", "true"), ("KAFKA_BROKERS", "a:9092")], "AUDIT_KAFKA"),
            (&[("AUDIT_KAFKA", "true"), ("AUDIT_LOG", "stdout")], "AUDIT_KAFKA"),
        ] {
            let error = of(pairs).expect_err(name).to_string();
            assert!(error.starts_with(name) && error.contains("allowed: "), "{error}");
        }
    }
}
