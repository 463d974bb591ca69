//! The guard against a twin that spells every rule out, on random addresses and URLs.

use proptest::prelude::*;
use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{guard, target, word};
use crate::guard::{Guard, Host};

/// What the settings of a case open.
#[derive(Clone, Copy, Debug)]
struct Open {
    private: bool,
    loopback: bool,
}

impl Open {
    fn guard(self) -> Guard {
        guard(|settings| {
            if self.private {
                let networks = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"];
                settings.private_networks = networks.map(|text| text.parse().unwrap()).into();
            }
            if self.loopback {
                settings.loopback_networks = ["127.0.0.0/8", "::1"].map(|text| text.parse().unwrap()).into();
            }
        })
    }

    /// The slow twin: addresses by their digits.
    fn admits(self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(address) => self.admits_v4(address),
            IpAddr::V6(address) => self.admits_v6(address),
        }
    }

    #[expect(clippy::match_same_arms, reason = "one line for each kind of address")]
    fn admits_v4(self, address: Ipv4Addr) -> bool {
        match address.octets() {
            [0 | 224..=255, ..] => false,
            [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => self.private,
            [127, ..] => self.loopback,
            [100, 64..=127, ..] | [169, 254, ..] | [198, 18..=19, ..] => false,
            [192, 0, 0 | 2, _] | [192, 88, 99, _] | [198, 51, 100, _] | [203, 0, 113, _] => false,
            [168, 63, 129, 16] => false,
            _ => true,
        }
    }

    #[expect(clippy::match_same_arms, reason = "the first that fits decides")]
    fn admits_v6(self, address: Ipv6Addr) -> bool {
        let v4 = |high: u16, low: u16| Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low));
        match address.segments() {
            [0, 0, 0, 0, 0, 0, 0, 1] => self.loopback,
            [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => {
                self.admits_v4(v4(high, low))
            }
            [0xfd00, 0xec2, ..] | [0xfd20, 0xce, ..] => false,
            [0xfc00..=0xfdff, ..] => self.private,
            [0x2001, 0..=0x1ff | 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => false,
            [first, ..] => (0x2000..=0x3fff).contains(&first),
        }
    }
}

/// Where ranges begin and end; a small step to either side is what a wrong prefix gets wrong.
const EDGES: [&str; 36] = [
    "0.0.0.0",
    "1.0.0.0",
    "10.0.0.0",
    "11.0.0.0",
    "100.64.0.0",
    "100.128.0.0",
    "127.0.0.0",
    "128.0.0.0",
    "168.63.129.16",
    "169.254.0.0",
    "169.255.0.0",
    "172.16.0.0",
    "172.32.0.0",
    "192.0.0.0",
    "192.0.1.0",
    "192.0.2.0",
    "192.0.3.0",
    "192.88.99.0",
    "192.168.0.0",
    "192.169.0.0",
    "198.18.0.0",
    "198.20.0.0",
    "198.51.100.0",
    "203.0.113.0",
    "224.0.0.0",
    "240.0.0.0",
    "::",
    "64:ff9b::",
    "2001::",
    "2001:200::",
    "2001:db8::",
    "2002::",
    "3fff::",
    "fc00::",
    "fe80::",
    "ff00::",
];

fn v4() -> impl Strategy<Value = Ipv4Addr> {
    let edges: Vec<Ipv4Addr> = EDGES.iter().filter_map(|text| text.parse().ok()).collect();
    let near = (prop::sample::select(edges), -3_i32..260)
        .prop_map(|(edge, step)| Ipv4Addr::from_bits(edge.to_bits().wrapping_add_signed(step)));
    prop_oneof![any::<u32>().prop_map(Ipv4Addr::from_bits), near]
}

fn address() -> impl Strategy<Value = IpAddr> {
    let edges: Vec<Ipv6Addr> = EDGES.iter().filter_map(|text| text.parse().ok()).collect();
    let near = (prop::sample::select(edges), -2_i128..3, 0_u32..128)
        .prop_map(|(edge, step, shift)| Ipv6Addr::from_bits(edge.to_bits().wrapping_add_signed(step << shift)));
    let embeds = (v4(), 0_u8..4, any::<u64>()).prop_map(|(inner, form, rest)| {
        let (bits, rest) = (u128::from(inner.to_bits()), u128::from(rest));
        Ipv6Addr::from_bits(match form {
            0 => 0xffff << 32 | bits,
            1 => 0x0064_ff9b << 96 | bits,
            2 => 0x2002 << 112 | bits << 80 | rest,
            _ => bits,
        })
    });
    prop_oneof![
        v4().prop_map(IpAddr::V4),
        any::<u128>().prop_map(|bits| IpAddr::V6(Ipv6Addr::from_bits(bits))),
        near.prop_map(IpAddr::V6),
        embeds.prop_map(IpAddr::V6),
    ]
}

/// An IPv4 address in one of its spellings (WHATWG URL, 3.5).
fn spelled(address: Ipv4Addr, form: u8) -> String {
    let bits = address.to_bits();
    let [a, b, c, d] = address.octets();
    let low = bits & 0xffff;
    match form {
        0 => bits.to_string(),
        1 => format!("{bits:#x}"),
        2 => format!("0{bits:o}"),
        3 => format!("{a:#X}.{b}.0{c:o}.{d}").replace("0X", "0x"),
        4 => format!("{a}.{b}.{low}"),
        5 => format!("{a}.{}", bits & 0xff_ffff),
        6 => format!("{address}."),
        7 => format!("[::ffff:{address}]"),
        8 => {
            let mut encoded = String::new();
            for byte in address.to_string().bytes() {
                write!(encoded, "%{byte:02x}").unwrap();
            }
            encoded
        }
        9 => {
            // Full-width digits, as IDNA maps them.
            let wide = |digit: char| char::from_u32(digit as u32 + 0xfee0).unwrap();
            let digit = |c: char| if c.is_ascii_digit() { wide(c) } else { c };
            address.to_string().chars().map(digit).collect()
        }
        _ => address.to_string(),
    }
}

fn open() -> impl Strategy<Value = Open> {
    (any::<bool>(), any::<bool>()).prop_map(|(private, loopback)| Open { private, loopback })
}

/// What must hold of any text whatever. For a runner of a corpus too.
fn survives(guard: &Guard, text: &str) {
    let verdict = guard.check(text);
    match &verdict {
        Err(refused) => assert!(refused.to_string().len() <= 1024, "{refused}"),
        Ok(target) => {
            let shown = target.host().to_string();
            let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-_:[]".contains(&byte);
            assert!(shown.bytes().all(is_plain), "{text:?} {shown}");
            let line = format!("{} {}", target.authority(), target.path_and_query());
            assert!(
                line.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()),
                "{text:?} {line}"
            );
            assert_eq!(line.bytes().filter(|byte| *byte == b' ').count(), 1);
            if let Host::Address(address) = target.host() {
                let nothing = Open {
                    private: false,
                    loopback: false,
                };
                assert!(nothing.admits(*address), "{text:?}");
            }
            // What it became means the same when it is read again.
            let scheme = if target.is_tls() { "https" } else { "http" };
            let again = format!("{scheme}://{}{}", target.authority(), target.path_and_query());
            assert_eq!(guard.check(&again).as_ref(), Ok(target), "{text:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn addresses_are_judged_as_by_the_twin(address in address(), open in open()) {
        let guard = open.guard();
        let verdict = guard.judge(&target(), &[address]);
        prop_assert_eq!(verdict.is_ok(), open.admits(address), "{} {:?}", address, verdict);
    }

    #[test]
    fn urls_are_judged_as_by_the_twin(
        address in v4(),
        form in 0_u8..11,
        open in open(),
        scheme in prop::sample::select(vec!["http", "https", "HTTP", "hTTps", "ftp", "file", "ws", "https+unix", ""]),
        userinfo in prop::sample::select(vec!["", "", "", "", "u@", "u:p@", "@", "good.example#@", "good.example\\@"]),
        port in prop::option::of(0_u32..70_000),
        rest in prop::sample::select(vec!["", "/", "/a?b=@c", "/x/../..//y", "?q=1", "/a b", "/\t", "/#f", "/\\x", "/%00"]),
    ) {
        let port_text = port.map(|port| format!(":{port}")).unwrap_or_default();
        let url = format!("{scheme}://{userinfo}{}{port_text}{rest}", spelled(address, form));
        let verdict = open.guard().check(&url);
        let is_http = ["http", "https"].contains(&scheme.to_lowercase().as_str());
        let is_plain = !["/a b", "/\t", "/#f", "/\\x"].contains(&rest);
        let is_port = port.is_none_or(|port| (1..=65_535).contains(&port));
        let expected = is_http && userinfo.is_empty() && is_plain && is_port && open.admits(address.into());
        prop_assert_eq!(verdict.is_ok(), expected, "{:?} {}", url, word(&verdict));
        if let Ok(target) = verdict {
            prop_assert_eq!(target.host(), &Host::Address(address.into()));
            let usual = if target.is_tls() { 443 } else { 80 };
            prop_assert_eq!(u32::from(target.port()), port.unwrap_or(usual));
        }
    }

    #[test]
    fn any_text_is_survived(text in "(https?://)?[\\PC\\t\\r\\n%@:#\\[\\]./\\\\?0-9a-fx]{0,40}") {
        survives(&guard(|_| ()), &text);
    }
}
