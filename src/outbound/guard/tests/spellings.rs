//! What a URL may say, in all spellings that have been used to get by a guard.

use super::{guard, word};
use crate::guard::Target;

/// Judged by the strict settings, without a resolver. What begins with `//` gets `http:` in front.
fn check(cases: &[(&str, &str)]) {
    let guard = guard(|_| ());
    for (case, expected) in cases {
        let scheme = if case.starts_with("//") { "http:" } else { "" };
        let url = format!("{scheme}{case}");
        let verdict = guard.check(&url);
        assert_eq!(word(&verdict), *expected, "{url:?}: {verdict:?}");
    }
}

#[test]
fn what_is_fine_is_admitted() {
    check(&[
        ("https://hooks.example.com/a?b=c", "admitted"),
        ("HTTPS://Hooks.Example.COM.:443/@scope/x?y=a@b", "admitted"),
        ("//93.184.216.34:8080", "admitted"),
        ("https://bücher.example/", "admitted"),
        ("https://[2606:2800:220:1::1]/", "admitted"),
    ]);
}

#[test]
fn the_metadata_service_is_known_in_every_spelling() {
    check(&[
        // The metadata service: dotted, decimal, hexadecimal, octal, mixed, short, with a dot at its end.
        ("//169.254.169.254/latest/meta-data/", "special"),
        ("//169.254.169.254./", "special"),
        ("//2852039166/", "special"),
        ("//0xa9fea9fe/", "special"),
        ("//0xA9.0xFE.0xA9.0xFE/", "special"),
        ("//0251.0376.0251.0376/", "special"),
        ("//0251.254.0xa9.254/", "special"),
        ("//169.254.43518/", "special"),
        ("//169.16689662/", "special"),
        ("//00000000251.0376.0251.0376/", "special"),
        // Percent-encoded, full-width, circled, with an ideographic full stop.
        ("//%31%36%39.254.169.254/", "special"),
        ("//１６９.254.169.254/", "special"),
        ("//①⑥⑨.254.169.254/", "special"),
        ("//169。254。169。254/", "special"),
        // As IPv6: mapped, compatible, NAT64, 6to4, translated.
        ("//[::ffff:169.254.169.254]/", "special"),
        ("//[::ffff:a9fe:a9fe]/", "special"),
        ("//[0:0:0:0:0:FFFF:a9fe:a9fe]/", "special"),
        ("//[::169.254.169.254]/", "special"),
        ("//[64:ff9b::169.254.169.254]/", "special"),
        ("//[64:ff9b:1::169.254.169.254]/", "special"),
        ("//[2002:a9fe:a9fe::1]/", "special"),
        ("//[::ffff:0:169.254.169.254]/", "special"),
        ("//[fe80::1]/", "special"),
        ("//[fe80::1%25eth0]/", "malformed"),
        ("//[fd00:ec2::254]/", "special"),
    ]);
}

#[test]
fn addresses_that_are_no_receivers_are_refused() {
    check(&[
        // Loopback and unspecified.
        ("//127.0.0.1/", "loopback"),
        ("//127.1/", "loopback"),
        ("//0x7f.1/", "loopback"),
        ("//017700000001/", "loopback"),
        ("//127.255.255.254/", "loopback"),
        ("//[::1]/", "loopback"),
        ("//[::ffff:127.0.0.1]/", "loopback"),
        ("//[64:ff9b::7f00:1]/", "loopback"),
        ("//[2002:7f00:1::]/", "loopback"),
        ("//localhost/", "localhost"),
        ("//LocalHost./", "localhost"),
        ("//a.localhost:8080/", "localhost"),
        ("//ⓛⓞⓒⓐⓛⓗⓞⓢⓣ/", "localhost"),
        ("//0.0.0.0/", "special"),
        ("//0/", "special"),
        ("//[::]/", "special"),
        // Others that are no receiver's.
        ("//100.64.0.1/", "special"),
        ("//100.100.100.200/", "special"),
        ("//255.255.255.255/", "special"),
        ("//4294967295/", "special"),
        ("//224.0.0.1/", "special"),
        ("//[ff02::1]/", "special"),
        ("//10.0.0.1/", "private"),
        ("//172.31.255.255/", "private"),
        ("//192.168.1/", "private"),
        ("//[fd12:3456::1]/", "private"),
        // The API server.
        ("https://kubernetes.default.svc/api", "api-server"),
        ("HTTPS://Kubernetes.Default.Svc.Cluster.Local.:6443/", "api-server"),
        ("https://kubernetes", "api-server"),
    ]);
}

#[test]
fn what_hides_the_host_is_refused() {
    check(&[
        // Who is meant is hidden.
        ("//user@example.com/", "userinfo"),
        ("//user:password@example.com/", "userinfo"),
        ("//@example.com/", "userinfo"),
        ("//hooks.example.com:443@127.0.0.1/", "userinfo"),
        ("//good#@bad/", "fragment"),
        ("//good/#x", "fragment"),
        ("//good%23@bad/", "userinfo"),
        ("//good\\@bad/", "character"),
        ("//good\\.bad/", "character"),
        ("//exa\tmple.com/", "character"),
        ("//example.com/\r\nX-Evil: 1", "character"),
        ("//example.com/a b", "character"),
        (" http://example.com/", "character"),
        ("//example.com/\0", "character"),
        ("//example.com/\u{7f}", "character"),
        ("//example.com/\u{85}", "character"),
        ("//exa\u{3000}mple.com/", "character"),
    ]);
}

#[test]
fn other_schemes_and_broken_hosts_are_refused() {
    check(&[
        // Other schemes, or none.
        ("file:///etc/passwd", "scheme"),
        ("unix:/run/containerd.sock", "scheme"),
        ("unix:///run/containerd.sock", "scheme"),
        ("ftp://example.com/", "scheme"),
        ("gopher://example.com/", "scheme"),
        ("data:text/plain,x", "scheme"),
        ("http:example.com", "scheme"),
        ("http:/example.com", "scheme"),
        ("example.com", "scheme"),
        ("", "scheme"),
        ("http+unix://example.com/", "scheme"),
        // No host, no port.
        ("//", "host"),
        ("///example.com", "host"),
        ("//?x", "host"),
        ("//:80/", "malformed"),
        ("//a..b/", "host"),
        ("//./", "host"),
        ("//a*b.com/", "host"),
        ("//1.2.3.4.5/", "malformed"),
        ("//256.1.1.1/", "malformed"),
        ("//0x100000000/", "malformed"),
        ("//1.2.3.08/", "malformed"),
        ("//[::1/", "malformed"),
        ("//exa%00mple.com/", "malformed"),
        ("//exa%2fmple.com/", "malformed"),
        ("//example.com:0/", "port"),
        ("//example.com:65536/", "malformed"),
        ("//example.com:-1/", "malformed"),
        ("//example.com:8o/", "malformed"),
    ]);
}

#[test]
fn long_urls_and_names_are_refused() {
    let guard = guard(|_| ());
    let long = format!("http://example.com/{}", "a".repeat(8000));
    assert_eq!(word(&guard.check(&long)), "long");
    assert_eq!(word(&guard.check("//example.com/")), "scheme");
    let label = format!("http://{}.example/", "a".repeat(64));
    assert_ne!(word(&guard.check(&label)), "admitted");
    let name = format!("http://{}example/", "a.".repeat(130));
    assert_ne!(word(&guard.check(&name)), "admitted");
}

#[test]
fn a_target_is_normalised() {
    for (url, host, port, authority, path) in [
        ("HTTP://A.Example.:80", "a.example", 80, "a.example", "/"),
        (
            "https://a.example:8443/x/../y?q",
            "a.example",
            8443,
            "a.example:8443",
            "/y?q",
        ),
        ("http://0x5db8d822/", "93.184.216.34", 80, "93.184.216.34", "/"),
        (
            "https://[2606:2800::0001]:444/",
            "[2606:2800::1]",
            444,
            "[2606:2800::1]:444",
            "/",
        ),
        (
            "https://BÜCHER.example/ü?ü",
            "xn--bcher-kva.example",
            443,
            "xn--bcher-kva.example",
            "/%C3%BC?%C3%BC",
        ),
        (
            "http://[::ffff:93.184.216.34]/",
            "93.184.216.34",
            80,
            "93.184.216.34",
            "/",
        ),
    ] {
        let target = Target::parse(url).unwrap();
        assert_eq!(target.host().to_string(), host);
        assert_eq!(target.port(), port, "{url}");
        assert_eq!(target.authority(), authority, "{url}");
        assert_eq!(target.path_and_query(), path, "{url}");
    }
    let endpoint = |url: &str| Target::parse(url).unwrap().endpoint();
    assert_eq!(endpoint("http://A.example:80/x?a"), endpoint("HTTP://A.example./x?b"));
    assert_ne!(endpoint("http://a.example/x"), endpoint("https://a.example/x"));
}

#[test]
fn a_refusal_says_what_and_what_to_do_and_no_secret() {
    let guard =
        guard(|settings| settings.allowed_hosts = vec!["*.example.com".parse().unwrap(), "10.0.0.1".parse().unwrap()]);
    for (url, expected) in [
        (
            "https://hooks.other.test/s3cret?s3cret",
            "host hooks.other.test is not allowed: an administrator may add it to the setting outbound.allowedHosts",
        ),
        (
            "https://0x0a000001/s3cret",
            "address 10.0.0.1 is private (RFC 1918): an administrator may add its network to the setting outbound.privateNetworks",
        ),
        (
            "https://s3cret:s3cret@hooks.example.com/",
            "the URL has a user or password before its host: put credentials into a header, from a Secret",
        ),
        (
            "https://kubernetes/s3cret",
            "host kubernetes is the Kubernetes API server, which no step may call through the operator: run a Job with a service account of its own",
        ),
        (
            "https://a:s3cret/",
            "the URL cannot be read (invalid port number): write it like https://host.example/path",
        ),
        (
            "https://a.example.com:0/s3cret",
            "host a.example.com has port 0: write one from 1 to 65535",
        ),
    ] {
        let refused = guard.check(url).unwrap_err();
        assert_eq!(refused.to_string(), expected);
        assert!(!format!("{refused:?}").contains("s3cret"), "{refused:?}");
    }
    let target = Target::parse("https://a.example/s3cret?s3cret").unwrap();
    assert_eq!(format!("{target:?}"), "https://a.example:443/…");
}
