//! A value that nobody gets to see but the receiver.

use http::HeaderValue;
use std::fmt;

/// A header's value that must not be shown: a token, a signature, a password.
///
/// `Debug` and `Display` say `…` and nothing else, not even a length. There is no way to get the value
/// back out of it.
#[derive(Clone)]
pub struct Secret(HeaderValue);

impl Secret {
    /// `None`: it has a character that no header may have: a line break, NUL or another control character
    /// (RFC 9110, 5.5). The usual reason is a newline at the end of a Secret's value.
    #[must_use]
    pub fn new(value: &[u8]) -> Option<Self> {
        let mut value = HeaderValue::from_bytes(value).ok()?;
        // hyper and whatever else gets to see it redact it too.
        value.set_sensitive(true);
        Some(Self(value))
    }

    pub(crate) fn into_header(self) -> HeaderValue {
        self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

#[cfg(test)]
mod tests {
    use super::Secret;

    #[test]
    fn it_shows_nothing() {
        let secret = Secret::new(b"Bearer hunter2").unwrap();
        let shown = format!(
            "{secret} {secret:?} {:#?} {:?}",
            Some(&secret),
            secret.clone().into_header()
        );
        assert!(!shown.contains("hunter2") && !shown.contains("14"), "{shown}");
    }

    #[test]
    fn a_line_break_is_no_part_of_a_header() {
        for wrong in [&b"token\n"[..], b"a\r\nX-Evil: 1", b"\0", b"\x7f"] {
            assert!(Secret::new(wrong).is_none());
        }
        assert!(Secret::new("schlüssel".as_bytes()).is_some());
    }
}
