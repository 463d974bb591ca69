//! What a resolver may return.

use super::{guard, judge, word};

#[test]
fn one_bad_address_refuses_all() {
    let guard = guard(|_| ());
    for bad in [
        "169.254.169.254",
        "127.0.0.1",
        "10.0.0.1",
        "::1",
        "::ffff:10.0.0.1",
        "64:ff9b::a00:1",
        "fe80::1",
        "fd00::1",
        "::",
    ] {
        assert_ne!(word(&judge(&guard, &["93.184.216.34", bad])), "admitted", "{bad}");
        assert_ne!(word(&judge(&guard, &[bad, "93.184.216.34"])), "admitted", "{bad}");
    }
    let refused = judge(&guard, &["93.184.216.34", "64:ff9b::7f00:1"]).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "address 64:ff9b::7f00:1 of host hooks.example.com leads to 127.0.0.1, which is loopback (RFC 1122, 3.2.1.3): name the receiver as others reach it; in development the setting outbound.loopbackNetworks can allow it"
    );
}

#[test]
fn what_is_judged_is_what_is_connected_to() {
    let judged = judge(
        &guard(|_| ()),
        &["2606:2800::1", "::ffff:93.184.216.34", "93.184.216.34"],
    );
    assert_eq!(judged.unwrap(), ["[2606:2800::1]:443", "93.184.216.34:443"]);
}

#[test]
fn of_thousands_all_are_judged_and_few_kept() {
    let guard = guard(|_| ());
    let mut many: Vec<String> = (0..5000_u32)
        .map(|n| std::net::Ipv4Addr::from_bits(0x0800_0000 + n).to_string())
        .collect();
    let many_now: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(judge(&guard, &many_now).unwrap().len(), 16);
    many.push("127.0.0.1".into());
    let many_now: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(word(&judge(&guard, &many_now)), "loopback");
}

#[test]
fn settings_open_what_they_name_and_no_more() {
    let guard = guard(|settings| {
        settings.private_networks = vec!["10.0.0.0/16".parse().unwrap(), "fc00::/7".parse().unwrap()];
        settings.loopback_networks = vec!["127.0.0.2/32".parse().unwrap()];
        settings.refused_networks = vec!["10.0.9.0/24".parse().unwrap(), "8.8.8.0/24".parse().unwrap()];
        settings.api_server_addresses = vec!["10.0.0.1".parse().unwrap(), "::ffff:1.1.1.1".parse().unwrap()];
        settings.api_server_hosts = vec!["api.example.com".parse().unwrap()];
    });
    for (address, expected) in [
        ("10.0.0.2", "admitted"),
        ("::ffff:10.0.0.2", "admitted"),
        ("64:ff9b::10.0.0.2", "admitted"),
        ("10.1.0.1", "private"),
        ("192.168.0.1", "private"),
        ("fd00::1", "admitted"),
        ("fd00:ec2::254", "special"),
        ("fd20:ce::254", "special"),
        ("127.0.0.2", "admitted"),
        ("127.0.0.1", "loopback"),
        ("::1", "loopback"),
        ("10.0.9.1", "network"),
        ("::ffff:10.0.9.1", "network"),
        ("8.8.8.8", "network"),
        ("2002:808:808::1", "network"),
        ("10.0.0.1", "api-server"),
        ("64:ff9b::10.0.0.1", "api-server"),
        ("1.1.1.1", "api-server"),
        ("1.1.1.2", "admitted"),
        ("169.254.169.254", "special"),
        ("168.63.129.16", "special"),
    ] {
        assert_eq!(word(&judge(&guard, &[address])), expected, "{address}");
    }
    for (url, expected) in [
        ("https://localhost/", "admitted"),
        ("https://API.example.com/", "api-server"),
        ("https://[64:ff9b::a00:1]/", "api-server"),
        ("https://api.example.com.evil.test/", "admitted"),
    ] {
        assert_eq!(word(&guard.check(url)), expected, "{url}");
    }
}

#[test]
fn an_allowed_host_must_still_have_an_admissible_address() {
    let guard = guard(|settings| {
        settings.allowed_hosts = vec!["169.254.169.254".parse().unwrap(), "a.example".parse().unwrap()];
    });
    assert_eq!(word(&guard.check("http://2852039166/")), "special");
    assert_eq!(word(&guard.check("http://A.example/")), "admitted");
    assert_eq!(word(&guard.check("http://0x5db8d822/")), "not-allowed");
}
