//! Who may connect, through what, and how many at once.

use std::net::IpAddr;

use ipnet::IpNet;
use natter_schemas::limits::CONNECTIONS;

use super::{BadSetting, Source, bad, number, text};

/// How many connections an edge accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// In all; fewer where the process may not open as many files.
    pub all: usize,
    /// From one address (IPv4), or one /64 (IPv6); `None`: a fourth of all.
    pub per_address: Option<usize>,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self { all: CONNECTIONS, per_address: None }
    }
}

/// Networks (CIDR) or single addresses of the proxies whose forwarding headers are believed.
pub fn trusted_proxies(source: &Source<'_>) -> Result<Vec<IpNet>, BadSetting> {
    let list = text(source, "TRUSTED_PROXIES").unwrap_or_default();
    let items = list.split(',').map(str::trim).filter(|item| !item.is_empty());
    items
        .map(|item| {
            item.parse::<IpNet>().or_else(|_| item.parse::<IpAddr>().map(IpNet::from)).map_err(|_| {
                bad("TRUSTED_PROXIES", item, "networks such as 10.0.0.0/8 or addresses, comma-separated")
            })
        })
        .collect()
}

/// Origins whose pages may call and open sockets.
pub fn cors(source: &Source<'_>) -> Result<Vec<String>, BadSetting> {
    let list = text(source, "CORS_ORIGINS").unwrap_or_default();
    let origins: Vec<String> =
        list.split(',').map(|o| o.trim().to_owned()).filter(|o| !o.is_empty()).collect();
    for origin in &origins {
        let host = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
        // What no browser sends is welcomed in vain: hosts are ASCII there.
        let is_host = |host: &str| {
            !host.is_empty() && host.bytes().all(|b| b.is_ascii_graphic() && !b"/*".contains(&b))
        };
        if !host.is_some_and(is_host) {
            return Err(bad(
                "CORS_ORIGINS",
                origin,
                "origins such as https://chat.example.org, comma-separated",
            ));
        }
    }
    Ok(origins)
}

pub fn connections(source: &Source<'_>) -> Result<ConnectionLimits, BadSetting> {
    let count = |name| match number::<usize>(source, name, "a number, 1 or more")? {
        Some(0) => Err(bad(name, "0", "a number, 1 or more")),
        count => Ok(count),
    };
    Ok(ConnectionLimits {
        all: count("MAX_CONNECTIONS")?.unwrap_or(CONNECTIONS),
        per_address: count("MAX_CONNECTIONS_PER_ADDRESS")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_and_addresses_are_read_and_a_wrong_one_is_named() {
        let read = |list: &'static str| trusted_proxies(&move |_| Some(list.to_owned()));
        let networks = read("10.0.0.0/8, fd00::/8,192.0.2.7").expect("three");
        assert_eq!(
            networks.iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["10.0.0.0/8", "fd00::/8", "192.0.2.7/32"]
        );
        let error = read("10.0.0.0/8,10.0.0.0/33").expect_err("no such network").to_string();
        assert!(error.starts_with("TRUSTED_PROXIES is '10.0.0.0/33'; allowed: networks"), "{error}");
    }

    #[test]
    fn connections_have_bounds_without_settings() {
        assert_eq!(connections(&|_| None), Ok(ConnectionLimits::default()));
        let error = connections(&|_| Some("0".to_owned())).expect_err("none is no service").to_string();
        assert_eq!(error, "MAX_CONNECTIONS is '0'; allowed: a number, 1 or more");
    }
}
