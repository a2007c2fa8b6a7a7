//! Which addresses a webhook may be sent to. The URL is a partner's to choose, and the gateway stands where the partner does
//! not: without this table it would call the vault's port, a neighbour, or the cloud's metadata on a partner's word (server
//! side request forgery).
//!
//! What is not known to be public is refused. Sources: the IANA registries of special-purpose addresses (RFC 6890 and later).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What kind of address it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Zone {
    /// Anybody's, on the internet.
    Public,
    /// Of a network of one's own (RFC 1918, RFC 4193).
    Private,
    /// This machine.
    Loopback,
    /// Called by nobody for a partner: metadata of clouds, link-local, shared, reserved, documentation, multicast.
    Never,
}

/// Where webhooks may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// To the internet alone.
    Public,
    /// Also to this machine and to private networks: in development.
    Local,
}

impl Reach {
    /// Whether this address may be called.
    #[must_use]
    pub fn covers(self, address: IpAddr) -> bool {
        match zone(address) {
            Zone::Public => true,
            Zone::Private | Zone::Loopback => self == Self::Local,
            Zone::Never => false,
        }
    }
}

/// The zone of an address. One address within another (IPv4-mapped, NAT64) counts as the inner one.
#[must_use]
pub fn zone(address: IpAddr) -> Zone {
    match address {
        IpAddr::V4(address) => zone_v4(address),
        IpAddr::V6(address) => zone_v6(address),
    }
}

fn zone_v4(address: Ipv4Addr) -> Zone {
    /// Azure's metadata and name server: an address that looks public.
    const WIRE_SERVER: Ipv4Addr = Ipv4Addr::new(168, 63, 129, 16);
    let reserved = match address.octets() {
        // "This network"; shared address space (and Alibaba's metadata); link-local (and most clouds' metadata).
        [0, ..] | [100, 64..=127, ..] | [169, 254, ..] => true,
        // Protocol assignments (and Oracle's metadata); documentation; 6to4 relays; benchmarks.
        [192, 0, 0 | 2, _] | [192, 88, 99, _] | [198, 18..=19, ..] => true,
        [198, 51, 100, _] | [203, 0, 113, _] => true,
        // Multicast, reserved, broadcast.
        [224..=255, ..] => true,
        _ => address == WIRE_SERVER,
    };
    if reserved {
        Zone::Never
    } else if address.is_loopback() {
        Zone::Loopback
    } else if address.is_private() {
        Zone::Private
    } else {
        Zone::Public
    }
}

fn zone_v6(address: Ipv6Addr) -> Zone {
    /// Amazon's metadata.
    const METADATA: Ipv6Addr = Ipv6Addr::new(0xFD00, 0xEC2, 0, 0, 0, 0, 0, 0x254);
    if let Some(inner) = address.to_ipv4_mapped() {
        return zone_v4(inner);
    }
    let [a, b, c, d, e, f, g, h] = address.segments();
    match (a, b) {
        // NAT64 (RFC 6052): the network translates it to the IPv4 address at its end.
        (0x64, 0xFF9B) if [c, d, e, f] == [0; 4] => {
            let [high, low] = [g.to_be_bytes(), h.to_be_bytes()];
            zone_v4(Ipv4Addr::new(high[0], high[1], low[0], low[1]))
        }
        // Protocol assignments, Teredo among them (it hides an IPv4 address); documentation; 6to4 (likewise); documentation.
        (0x2001, 0..=0x1FF | 0xDB8) | (0x2002, _) | (0x3FFF, 0..=0xFFF) => Zone::Never,
        // Global unicast, the only range that IANA has given out.
        (0x2000..=0x3FFF, _) => Zone::Public,
        (0xFC00..=0xFDFF, _) if address != METADATA => Zone::Private,
        _ if address.is_loopback() => Zone::Loopback,
        _ => Zone::Never,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Zone {
        zone(text.parse().unwrap())
    }

    #[test]
    fn public_addresses_are_public() {
        for text in [
            "1.1.1.1",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.1",
            "169.253.255.255",
            "172.15.255.255",
            "172.32.0.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2606:4700:4700::1111",
            "2a00:1450:4001::1",
            "2001:200::1",
            // Of a public IPv4 address within.
            "::ffff:8.8.8.8",
            "64:ff9b::808:808",
        ] {
            assert_eq!(of(text), Zone::Public, "{text}");
        }
    }

    #[test]
    fn no_partner_reaches_metadata_or_what_is_reserved() {
        for text in [
            "0.0.0.0",
            "0.1.2.3",
            "100.64.0.1",
            "100.100.100.200",
            "168.63.129.16",
            "169.254.169.254",
            "169.254.170.2",
            "192.0.0.192",
            "192.0.2.1",
            "192.88.99.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::ffff:169.254.169.254",
            "::ffff:a9fe:a9fe",
            "::169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::808:808",
            "64:ff9b::1:808:808",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2001:20::1",
            "2002:a9fe:a9fe::1",
            "2002:7f00:1::",
            "3fff::1",
            "5f00::1",
            "4000::1",
        ] {
            assert_eq!(of(text), Zone::Never, "{text}");
            let address = text.parse().unwrap();
            assert!(
                !Reach::Public.covers(address) && !Reach::Local.covers(address),
                "{text}"
            );
        }
    }

    #[test]
    fn one_s_own_networks_are_reached_in_development_alone() {
        for (text, zone) in [
            ("127.0.0.1", Zone::Loopback),
            ("127.255.255.254", Zone::Loopback),
            ("::1", Zone::Loopback),
            ("::ffff:127.0.0.1", Zone::Loopback),
            ("64:ff9b::7f00:1", Zone::Loopback),
            ("10.0.0.1", Zone::Private),
            ("172.16.0.1", Zone::Private),
            ("172.31.255.255", Zone::Private),
            ("192.168.1.1", Zone::Private),
            ("::ffff:10.0.0.1", Zone::Private),
            ("64:ff9b::a00:1", Zone::Private),
            ("fc00::1", Zone::Private),
            ("fd12:3456::1", Zone::Private),
        ] {
            assert_eq!(of(text), zone, "{text}");
            let address = text.parse().unwrap();
            assert!(
                !Reach::Public.covers(address) && Reach::Local.covers(address),
                "{text}"
            );
        }
    }
}
