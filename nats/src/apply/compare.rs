//! Settings wanted against settings found, as the server's own JSON, so that a setting this version does not
//! know counts too.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// Chosen when a stream is made or by those who run the servers, not by the topology.
const NOT_OURS: &[&str] = &["metadata", "placement", "first_seq", "pause_until"];

pub struct SettingChange {
    pub setting: String,
    pub found: String,
    pub wanted: String,
}

pub fn changes(found: &Value, wanted: &Value) -> Vec<SettingChange> {
    let keys: BTreeSet<&String> =
        [found, wanted].iter().filter_map(|v| v.as_object()).flat_map(|o| o.keys()).collect();
    keys.into_iter()
        .filter(|key| !NOT_OURS.contains(&key.as_str()))
        .filter_map(|key| {
            let (found, wanted) = (explicit(&found[key.as_str()]), explicit(&wanted[key.as_str()]));
            let text = |v: Option<Value>| v.map_or_else(|| "unset".to_owned(), |v| v.to_string());
            (found != wanted).then(|| SettingChange {
                setting: key.clone(),
                found: text(found),
                wanted: text(wanted),
            })
        })
        .collect()
}

/// What to send: the settings wanted, and of those found the ones that are not ours.
pub fn overlay(found: &Value, wanted: &Value) -> Value {
    let mut config = wanted.clone();
    for key in NOT_OURS {
        if let Some(value) = found.get(*key) {
            config[*key] = value.clone();
        }
    }
    config
}

/// A setting that differs from its default, without what in it does not: servers and clients differ in
/// whether they spell a default out.
fn explicit(value: &Value) -> Option<Value> {
    let is_default = match value {
        Value::Null | Value::Bool(false) => true,
        Value::Number(n) => matches!(n.as_i64(), Some(0 | -1)),
        Value::String(s) => matches!(s.as_str(), "" | "none" | "default"),
        Value::Array(a) => a.is_empty(),
        Value::Object(o) => {
            let explicit_settings: Map<_, _> =
                o.iter().filter_map(|(k, v)| Some((k.clone(), explicit(v)?))).collect();
            return (!explicit_settings.is_empty()).then_some(Value::Object(explicit_settings));
        }
        Value::Bool(true) => false,
    };
    (!is_default).then(|| value.clone())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_default_spelled_out_is_no_change() {
        let found = json!({"name": "S", "max_msgs": -1, "sealed": false, "compression": "none",
            "consumer_limits": {}, "metadata": {"_nats.level": "3"}, "first_seq": 7,
            "republish": {"src": "a", "dest": "b"}});
        let wanted = json!({"name": "S", "republish": {"src": "a", "dest": "b", "headers_only": false}});
        assert!(changes(&found, &wanted).is_empty());
    }

    #[test]
    fn every_other_change_is_named_with_both_values() {
        let found = json!({"name": "S", "max_bytes": 5, "sealed": true});
        let changes = changes(&found, &json!({"name": "S", "max_bytes": 6, "deny_purge": true}));
        let texts: Vec<String> =
            changes.iter().map(|c| format!("{} {} {}", c.setting, c.found, c.wanted)).collect();
        assert_eq!(texts, ["deny_purge unset true", "max_bytes 5 6", "sealed true unset"]);
    }
}
