//! Which addresses are nobody's receiver: the table, with the source of each line.
//!
//! It follows IANA's special-purpose address registries (RFC 6890, kept up to date there) and adds the
//! metadata services of clouds that lie outside of link-local addresses. Of IPv6 only what lies in
//! `2000::/3` is global unicast (RFC 4291, 2.4), so all else is refused without a line of its own.

use std::net::{IpAddr, Ipv4Addr};

use super::network::Network;

/// What an address is, if it is special.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Refused,
    /// Unless a setting allows its network.
    Private,
    /// Likewise, for tests and development.
    Loopback,
    /// Leads to the IPv4 address in it, which is judged for itself.
    Embeds,
}

pub(super) struct Range {
    network: Network,
    pub(super) kind: Kind,
    /// Completes "… is".
    pub(super) what: &'static str,
}

const fn v4(a: u8, b: u8, c: u8, prefix: u8, kind: Kind, what: &'static str) -> Range {
    Range {
        network: Network::v4(a, b, c, 0, prefix),
        kind,
        what,
    }
}

const fn v6(a: u16, b: u16, c: u16, prefix: u8, kind: Kind, what: &'static str) -> Range {
    Range {
        network: Network::v6([a, b, c], [0, 0, 0], prefix),
        kind,
        what,
    }
}

/// The first line that holds an address decides.
const RANGES: &[Range] = &[
    v4(0, 0, 0, 8, Kind::Refused, "unspecified (RFC 1122, 3.2.1.3)"),
    v4(10, 0, 0, 8, Kind::Private, "private (RFC 1918)"),
    v4(100, 64, 0, 10, Kind::Refused, "shared with the provider (RFC 6598)"),
    v4(127, 0, 0, 8, Kind::Loopback, "loopback (RFC 1122, 3.2.1.3)"),
    v4(
        169,
        254,
        0,
        16,
        Kind::Refused,
        "link-local, where clouds serve metadata and credentials (RFC 3927)",
    ),
    v4(172, 16, 0, 12, Kind::Private, "private (RFC 1918)"),
    v4(192, 0, 0, 24, Kind::Refused, "reserved for protocols (RFC 6890, 2.1)"),
    v4(192, 0, 2, 24, Kind::Refused, "for documentation (RFC 5737)"),
    v4(192, 88, 99, 24, Kind::Refused, "a 6to4 relay (RFC 7526)"),
    v4(192, 168, 0, 16, Kind::Private, "private (RFC 1918)"),
    v4(198, 18, 0, 15, Kind::Refused, "for benchmarks (RFC 2544)"),
    v4(198, 51, 100, 24, Kind::Refused, "for documentation (RFC 5737)"),
    v4(203, 0, 113, 24, Kind::Refused, "for documentation (RFC 5737)"),
    v4(224, 0, 0, 4, Kind::Refused, "multicast (RFC 5771)"),
    // With the broadcast address, RFC 919.
    v4(240, 0, 0, 4, Kind::Refused, "reserved or broadcast (RFC 1112, 4)"),
    // A public address that only answers inside of Azure: its host agent.
    Range {
        network: Network::v4(168, 63, 129, 16, 32),
        kind: Kind::Refused,
        what: "the metadata service of a cloud",
    },
    v6(0, 0, 0, 128, Kind::Refused, "unspecified (RFC 4291, 2.5.2)"),
    Range {
        network: Network::v6([0, 0, 0], [0, 0, 1], 128),
        kind: Kind::Loopback,
        what: "loopback (RFC 4291, 2.5.3)",
    },
    Range {
        network: Network::v6([0, 0, 0], [0xffff, 0, 0], 96),
        kind: Kind::Embeds,
        what: "IPv4-mapped (RFC 4291, 2.5.5.2)",
    },
    v6(0, 0, 0, 96, Kind::Refused, "IPv4-compatible (RFC 4291, 2.5.5.1)"),
    v6(0x64, 0xff9b, 0, 96, Kind::Embeds, "NAT64 (RFC 6052, 2.1)"),
    v6(0x64, 0xff9b, 1, 48, Kind::Refused, "NAT64 for local use (RFC 8215)"),
    v6(0x100, 0, 0, 64, Kind::Refused, "discarded (RFC 6666)"),
    // Teredo (RFC 4380), benchmarks (RFC 5180), ORCHID (RFC 7343) and more.
    v6(0x2001, 0, 0, 23, Kind::Refused, "reserved for protocols (RFC 2928)"),
    v6(0x2001, 0xdb8, 0, 32, Kind::Refused, "for documentation (RFC 3849)"),
    v6(0x2002, 0, 0, 16, Kind::Embeds, "6to4 (RFC 3056, 2)"),
    v6(0x3fff, 0, 0, 20, Kind::Refused, "for documentation (RFC 9637)"),
    // AWS: metadata, time and pod identity. GCP: metadata. Both within unique-local addresses.
    v6(0xfd00, 0xec2, 0, 32, Kind::Refused, "the metadata service of a cloud"),
    v6(0xfd20, 0xce, 0, 32, Kind::Refused, "the metadata service of a cloud"),
    v6(0xfc00, 0, 0, 7, Kind::Private, "unique-local (RFC 4193)"),
    v6(0xfe80, 0, 0, 10, Kind::Refused, "link-local (RFC 4291, 2.5.6)"),
    v6(0xfec0, 0, 0, 10, Kind::Refused, "site-local (RFC 3879)"),
    v6(0xff00, 0, 0, 8, Kind::Refused, "multicast (RFC 4291, 2.7)"),
];

const GLOBAL: Network = Network::v6([0x2000, 0, 0], [0, 0, 0], 3);
const NOT_GLOBAL: Range = v6(
    0,
    0,
    0,
    0,
    Kind::Refused,
    "not of the global unicast addresses 2000::/3 (RFC 4291, 2.4)",
);

/// What is special about an address, if anything is.
pub(super) fn of(address: IpAddr) -> Option<&'static Range> {
    let listed = RANGES.iter().find(|range| range.network.contains(address));
    listed.or_else(|| (address.is_ipv6() && !GLOBAL.contains(address)).then_some(&NOT_GLOBAL))
}

/// The IPv4 address that packets to an IPv6 address end at, where its form says so.
pub(super) fn embedded(address: IpAddr) -> Option<Ipv4Addr> {
    let IpAddr::V6(v6) = address else { return None };
    if of(address)?.kind != Kind::Embeds {
        return None;
    }
    Some(match v6.octets() {
        [0x20, 0x02, a, b, c, d, ..] | [.., a, b, c, d] => Ipv4Addr::new(a, b, c, d),
    })
}
