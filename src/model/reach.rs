//! Which addresses on the network a request may be sent to on behalf of a document's author.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Where an address leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reach {
    /// To the public internet.
    Public,
    /// Into a private network or this machine: only where that is allowed. What it is, in words.
    Private(&'static str),
    /// Nowhere that anything may be sent to: link-local addresses, where clouds serve their credentials, and those that
    /// are no single host. What it is, in words.
    Never(&'static str),
}

impl Reach {
    /// Where `address` leads. An IPv6 address that only carries an IPv4 address leads where that leads.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => of_v4(address),
            IpAddr::V6(address) => carried(address).map_or_else(|| of_v6(address), of_v4),
        }
    }
}

fn of_v4(address: Ipv4Addr) -> Reach {
    match address.octets() {
        [0, ..] => Reach::Never("an address of \"this network\""),
        [169, 254, ..] => Reach::Never("a link-local address"),
        [192, 0, 0, _] => Reach::Never("an address of protocol assignments"),
        [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => Reach::Never("a documentation address"),
        [192, 88, 99, _] => Reach::Never("a relay address"),
        [198, 18 | 19, ..] => Reach::Never("a benchmarking address"),
        [224..=239, ..] => Reach::Never("a multicast address"),
        [240..=255, ..] => Reach::Never("a reserved address"),
        [127, ..] => Reach::Private("a loopback address"),
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => Reach::Private("a private address"),
        [100, 64..=127, ..] => Reach::Private("a carrier-grade NAT address"),
        _ => Reach::Public,
    }
}

fn of_v6(address: Ipv6Addr) -> Reach {
    if address.is_loopback() {
        return Reach::Private("a loopback address");
    }
    match address.segments() {
        [0xfc00..=0xfdff, ..] => Reach::Private("a private address"),
        [0xfe80..=0xfebf, ..] => Reach::Never("a link-local address"),
        [0xfec0..=0xfeff, ..] => Reach::Never("a site-local address"),
        [0xff00..=0xffff, ..] => Reach::Never("a multicast address"),
        [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => Reach::Never("a documentation address"),
        // Teredo and other tunnels and assignments: 2001::/23.
        [0x2001, 0..=0x1ff, ..] => Reach::Never("an address of protocol assignments"),
        [0x2002, ..] => Reach::Never("a tunnel address"),
        // The operator's own NAT64 may lead anywhere.
        [0x64, 0xff9b, 1, ..] => Reach::Private("a NAT64 address of a private network"),
        // What is allotted to the public internet: 2000::/3.
        [0x2000..=0x3fff, ..] => Reach::Public,
        _ => Reach::Never("not a public address"),
    }
}

/// The IPv4 address that an IPv6 address carries: mapped (`::ffff:a.b.c.d`), compatible (`::a.b.c.d`), translated
/// (`::ffff:0:a.b.c.d`) or NAT64 (`64:ff9b::a.b.c.d`).
fn carried(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let joined = |high: u16, low: u16| Ipv4Addr::from(u32::from(high) << 16 | u32::from(low));
    match address.segments() {
        // `::` and `::1` are what they are.
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => None,
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low] | [0, 0, 0, 0, 0xffff, 0, high, low] => Some(joined(high, low)),
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => Some(joined(high, low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn reach(text: &str) -> Reach {
        Reach::of(text.parse().unwrap())
    }

    #[test]
    fn addresses_lead_where_the_registries_say() {
        for text in
            ["8.8.8.8", "1.1.1.1", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "2a00:1450::5", "64:ff9b::808:808"]
        {
            assert_eq!(reach(text), Reach::Public, "{text}");
        }
        for text in [
            "127.0.0.1",
            "127.255.255.254",
            "10.1.2.3",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "::1",
            "fc00::1",
            "fd12:3456::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::10.0.0.1",
            "::ffff:0:192.168.1.1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::a00:1",
            "64:ff9b:1:2:3:4:8.8.8.8",
        ] {
            assert!(matches!(reach(text), Reach::Private(_)), "{text}: {:?}", reach(text));
        }
        for text in [
            "0.0.0.0",
            "0.1.2.3",
            "169.254.169.254",
            "192.0.0.1",
            "192.0.2.1",
            "198.51.100.7",
            "203.0.113.9",
            "198.18.0.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "fe80::1",
            "febf::1",
            "fec0::1",
            "ff02::1",
            "2001:db8::1",
            "2001::1",
            "100::1",
            "4000::1",
            "::ffff:169.254.169.254",
            "::ffff:0.0.0.0",
            "64:ff9b::a9fe:a9fe",
            "2002:808:808::1",
            "3fff::1",
        ] {
            assert!(matches!(reach(text), Reach::Never(_)), "{text}: {:?}", reach(text));
        }
    }

    proptest! {
        #[test]
        fn a_carried_address_leads_where_it_leads_itself(bits: u32) {
            let plain = Ipv4Addr::from(bits);
            let [high, low] = [(bits >> 16) as u16, bits as u16];
            for carrier in [
                Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, high, low),
                Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low),
                Ipv6Addr::new(0, 0, 0, 0, 0xffff, 0, high, low),
            ] {
                prop_assert_eq!(Reach::of(carrier.into()), Reach::of(plain.into()));
            }
        }
    }
}
