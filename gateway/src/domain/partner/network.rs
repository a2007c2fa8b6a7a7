//! From where a partner's servers may call: a list of networks in CIDR notation (RFC 4632, RFC 4291 section 2.3).

use std::net::{IpAddr, Ipv6Addr};

use ipnet::IpNet;

use crate::domain::rule::Rule;

/// Networks on one list: more than anybody keeps an overview of.
const NETWORKS_MAX: usize = 100;

const NOT_A_NETWORK: Rule = Rule {
    code: "NOT_A_NETWORK",
    message: "Must be an address or a network in CIDR notation, without host bits.",
};
const TOO_MANY: Rule = Rule {
    code: "TOO_MANY",
    message: "Takes 100 networks at most.",
};

/// A network, or a single address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network(IpNet);

impl Network {
    /// Reads `203.0.113.0/24`, `2001:db8::/32` or a single address. A mistyped network with host bits is refused: it might
    /// have been meant otherwise.
    ///
    /// # Errors
    /// `NOT_A_NETWORK`.
    pub fn parse(text: &str) -> Result<Self, Rule> {
        let network = match text.parse::<IpNet>() {
            Ok(network) if network.addr() == network.network() => network,
            Ok(_) => return Err(NOT_A_NETWORK),
            Err(_) => IpNet::from(text.parse::<IpAddr>().map_err(|_| NOT_A_NETWORK)?),
        };
        Ok(Self(network))
    }

    fn holds(self, address: IpAddr) -> bool {
        self.0.contains(&address)
    }
}

impl std::fmt::Display for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// The list; an empty one names no network and restricts nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Networks(Vec<Network>);

impl Networks {
    /// A list.
    ///
    /// # Errors
    /// `TOO_MANY`.
    pub fn new(networks: Vec<Network>) -> Result<Self, Rule> {
        if networks.len() > NETWORKS_MAX {
            return Err(TOO_MANY);
        }
        Ok(Self(networks))
    }

    /// The networks, as they were given.
    pub fn iter(&self) -> impl Iterator<Item = &Network> {
        self.0.iter()
    }

    /// Whether a call from this address is let in. An IPv4 address that an IPv6 socket shows as `::ffff:a.b.c.d` is the
    /// IPv4 address.
    #[must_use]
    pub fn permit(&self, address: IpAddr) -> bool {
        let address = match address {
            IpAddr::V6(six) => unmapped(six),
            IpAddr::V4(_) => address,
        };
        self.0.is_empty() || self.0.iter().any(|network| network.holds(address))
    }
}

fn unmapped(six: Ipv6Addr) -> IpAddr {
    six.to_ipv4_mapped().map_or(IpAddr::V6(six), IpAddr::V4)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn networks(texts: &[&str]) -> Networks {
        Networks::new(texts.iter().map(|text| Network::parse(text).unwrap()).collect()).unwrap()
    }

    #[test]
    fn a_list_lets_in_what_it_names_and_nothing_else() {
        let list = networks(&["203.0.113.0/24", "2001:db8::/32", "198.51.100.7"]);
        for (address, permitted) in [
            ("203.0.113.0", true),
            ("203.0.113.255", true),
            ("203.0.114.1", false),
            ("198.51.100.7", true),
            ("198.51.100.8", false),
            ("2001:db8:1::1", true),
            ("2001:db9::1", false),
            ("::ffff:203.0.113.9", true),
            ("::ffff:203.0.114.9", false),
        ] {
            assert_eq!(list.permit(address.parse().unwrap()), permitted, "{address}");
        }
        assert!(Networks::default().permit("192.0.2.1".parse().unwrap()));
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for bad in [
            "",
            "203.0.113.1/24",
            "203.0.113.0/33",
            "example.com",
            "10.0.0.0/8 ",
            "10.0.0.0/-1",
        ] {
            assert!(Network::parse(bad).is_err(), "{bad}");
        }
        assert_eq!(Network::parse("10.0.0.1").unwrap().to_string(), "10.0.0.1/32");
        let many = vec![Network::parse("10.0.0.1").unwrap(); NETWORKS_MAX + 1];
        assert_eq!(Networks::new(many).unwrap_err(), TOO_MANY);
    }
}
