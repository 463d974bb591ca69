//! What a breaker and a rate limit belong to.

use sha2::{Digest, Sha256};
use std::fmt;

/// Scheme, host, port and path of a URL; the query does not count.
///
/// The path is kept as a digest: receivers put secrets into it, and it may be long. So an endpoint
/// has a bounded size, and shows only its origin.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Endpoint {
    is_tls: bool,
    host: String,
    port: u16,
    path: [u8; 32],
}

impl Endpoint {
    /// The parts must be normalised, as the address guard returns them: two spellings of one host
    /// are two endpoints here.
    #[must_use]
    pub fn new(is_tls: bool, host: &str, port: u16, path: &str) -> Self {
        Self {
            is_tls,
            host: host.to_owned(),
            port,
            path: Sha256::digest(path.as_bytes()).into(),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_tls { "https" } else { "http" };
        write!(f, "{scheme}://{}:{}", self.host, self.port)
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [first, second, ..] = self.path;
        write!(f, "{self}/{first:02x}{second:02x}…")
    }
}

#[cfg(test)]
mod tests {
    use super::Endpoint;

    #[test]
    fn an_endpoint_is_told_by_all_its_parts_and_hides_its_path() {
        let one = Endpoint::new(true, "hooks.example.com", 443, "/T0/secret");
        for other in [
            Endpoint::new(false, "hooks.example.com", 443, "/T0/secret"),
            Endpoint::new(true, "hooks.example.org", 443, "/T0/secret"),
            Endpoint::new(true, "hooks.example.com", 444, "/T0/secret"),
            Endpoint::new(true, "hooks.example.com", 443, "/T0/other"),
        ] {
            assert_ne!(one, other);
        }
        assert_eq!(one.to_string(), "https://hooks.example.com:443");
        assert!(!format!("{one:?}").contains("secret"));
    }
}
