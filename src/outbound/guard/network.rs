//! A block of addresses, as `10.0.0.0/8`.

use std::{fmt, net::IpAddr, str::FromStr};

/// A block of IP addresses in CIDR notation (RFC 4632; RFC 4291, 2.3).
///
/// An IPv4 block holds IPv4 addresses only: mapped and embedded forms are unfolded before they are
/// looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

/// Why a text is no network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NetworkError {
    #[error("{0:?} is no network: write an address and the length of its prefix, such as 10.0.0.0/8 or fd00::/8")]
    Malformed(String),
    #[error("{0} has bits set behind its prefix: write {1}")]
    HostBits(String, Network),
}

impl Network {
    /// For the tables of this crate, where the bits are known to fit.
    pub(super) const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Self {
        Self {
            address: IpAddr::V4(std::net::Ipv4Addr::new(a, b, c, d)),
            prefix,
        }
    }

    /// Likewise; the segments that are not written are zero.
    pub(super) const fn v6(start: [u16; 3], end: [u16; 3], prefix: u8) -> Self {
        let address = std::net::Ipv6Addr::new(start[0], start[1], start[2], 0, 0, end[0], end[1], end[2]);
        Self {
            address: IpAddr::V6(address),
            prefix,
        }
    }

    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(own), IpAddr::V4(other)) => self.is_same(own.to_bits().into(), other.to_bits().into(), 32),
            (IpAddr::V6(own), IpAddr::V6(other)) => self.is_same(own.to_bits(), other.to_bits(), 128),
            _ => false,
        }
    }

    /// Whether the other lies within this one.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        self.prefix <= other.prefix && self.contains(other.address)
    }

    /// All bits before the end of the prefix are equal.
    fn is_same(&self, own: u128, other: u128, width: u8) -> bool {
        let free = u32::from(width.saturating_sub(self.prefix));
        // Shifted by their whole width nothing is left of them.
        (own ^ other).checked_shr(free).is_none_or(|rest| rest == 0)
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    /// An address alone is a network of one.
    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let malformed = || NetworkError::Malformed(jobwright_engine::text::clip(text, 60));
        let (address, prefix) = text.split_once('/').map_or((text, None), |(a, b)| (a, Some(b)));
        let address: IpAddr = address.parse().map_err(|_| malformed())?;
        let width: u8 = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            None => width,
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                digits.parse().map_err(|_| malformed())?
            }
            Some(_) => return Err(malformed()),
        };
        if prefix > width {
            return Err(malformed());
        }
        let free = u32::from(width.saturating_sub(prefix));
        let cleared = match address {
            IpAddr::V4(v4) => IpAddr::V4((v4.to_bits() & u32::MAX.checked_shl(free).unwrap_or(0)).into()),
            IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() & u128::MAX.checked_shl(free).unwrap_or(0)).into()),
        };
        let network = Self {
            address: cleared,
            prefix,
        };
        if cleared == address {
            Ok(network)
        } else {
            Err(NetworkError::HostBits(text.to_owned(), network))
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_holds_what_its_prefix_says() {
        for (network, inside, outside) in [
            ("10.0.0.0/8", "10.255.255.255", "11.0.0.0"),
            ("172.16.0.0/12", "172.31.0.1", "172.32.0.0"),
            ("127.0.0.1", "127.0.0.1", "127.0.0.2"),
            ("0.0.0.0/0", "255.255.255.255", "::"),
            ("fc00::/7", "fdff::1", "fe00::"),
            ("::/0", "ffff::", "0.0.0.0"),
            ("::1", "::1", "::2"),
        ] {
            let parsed: Network = network.parse().unwrap();
            assert!(parsed.contains(inside.parse().unwrap()), "{network} {inside}");
            assert!(!parsed.contains(outside.parse().unwrap()), "{network} {outside}");
            assert_eq!(parsed.to_string().parse(), Ok(parsed));
        }
    }

    #[test]
    fn a_wrong_network_is_refused_with_words() {
        for text in [
            "",
            "10.0.0.0/33",
            "10.0.0.0/-1",
            "10.0.0.0/+8",
            "10.0.0/8",
            "::/129",
            "a/8",
            "10.0.0.0/",
        ] {
            assert!(
                matches!(text.parse::<Network>(), Err(NetworkError::Malformed(_))),
                "{text}"
            );
        }
        let error = "10.1.2.3/8".parse::<Network>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "10.1.2.3/8 has bits set behind its prefix: write 10.0.0.0/8"
        );
    }

    #[test]
    fn a_network_covers_what_lies_within() {
        let network = |text: &str| text.parse::<Network>().unwrap();
        assert!(network("127.0.0.0/8").covers(&network("127.0.0.1/32")));
        assert!(!network("127.0.0.1/32").covers(&network("127.0.0.0/8")));
        assert!(!network("127.0.0.0/8").covers(&network("::1")));
    }
}
