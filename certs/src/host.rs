//! What a server may be called: DNS names and IP addresses of its certificate.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use rustls_pki_types::DnsName;

use crate::error::{Error, Result};

/// One DNS name or IP address. Wildcards are not taken: each server is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Host {
    /// A DNS name, in lower case.
    Dns(String),
    /// An IPv4 or IPv6 address.
    Ip(IpAddr),
}

impl Host {
    /// `localhost`, `127.0.0.1` and `::1`: every server certificate carries them, since the listeners default to loopback.
    pub(crate) fn loopback() -> [Self; 3] {
        [
            Self::Dns("localhost".to_owned()),
            Self::Ip(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            Self::Ip(IpAddr::V6(Ipv6Addr::LOCALHOST)),
        ]
    }
}

impl FromStr for Host {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self::Ip(address));
        }
        let name = text.to_ascii_lowercase();
        match DnsName::try_from(name.as_str()) {
            Ok(_) if !name.ends_with('.') => Ok(Self::Dns(name)),
            _ => Err(Error::Host(text.escape_debug().to_string())),
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(name) => f.write_str(name),
            Self::Ip(address) => address.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Host;

    #[test]
    fn names_and_addresses_are_told_apart() {
        assert_eq!(
            "Vault.Example".parse::<Host>().unwrap(),
            Host::Dns("vault.example".to_owned())
        );
        assert!(matches!("10.0.0.7".parse::<Host>().unwrap(), Host::Ip(_)));
        assert!(matches!("fd00::7".parse::<Host>().unwrap(), Host::Ip(_)));
    }

    #[test]
    fn wildcards_ports_and_empty_labels_are_refused() {
        for text in [
            "",
            "*.example",
            "vault:9443",
            "a..b",
            "vault.example.",
            "https://vault",
        ] {
            assert!(text.parse::<Host>().is_err(), "{text:?} was taken");
        }
    }
}
