//! The header `Retry-After`.

use jiff::Timestamp;
use std::time::{Duration, SystemTime};

/// No receiver stops us for longer than a day by one answer.
const MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// How long to wait from `now` on, as `Retry-After` asks for: seconds or a date (RFC 9110, 10.2.3; all three
/// forms of dates of 5.6.7). At most a day; a date that is over is zero. `None`: it is neither.
#[must_use]
pub fn retry_after(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim_matches([' ', '\t']);
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than a number has are more than a day.
        return Some(value.parse().map_or(MAX, Duration::from_secs).min(MAX));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    let pause = date.duration_since(SystemTime::from(now)).unwrap_or_default();
    Some(pause.min(MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn seconds_and_dates_are_understood() {
        let now: Timestamp = "1994-11-06T08:49:00Z".parse().unwrap();
        for (value, expected) in [
            ("0", Some(0)),
            ("120", Some(120)),
            (" 7\t", Some(7)),
            ("86401", Some(86400)),
            ("99999999999999999999999999", Some(86400)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(37)),
            ("Sunday, 06-Nov-94 08:49:37 GMT", Some(37)),
            ("Sun Nov  6 08:49:37 1994", Some(37)),
            ("Sun, 06 Nov 1994 08:48:00 GMT", Some(0)),
            ("Fri, 31 Dec 9999 23:59:59 GMT", Some(86400)),
            ("Thu, 01 Jan 1970 00:00:00 GMT", Some(0)),
            ("", None),
            ("-1", None),
            ("+1", None),
            ("1.5", None),
            ("1e3", None),
            ("soon", None),
            ("١٢", None),
            ("Sun, 06 Nov 1994 08:49:37 CET", None),
            ("Sun, 31 Feb 1994 08:49:37 GMT", None),
        ] {
            assert_eq!(retry_after(value, now), expected.map(Duration::from_secs), "{value:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_survived(
            value in "\\PC{0,40}|[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2} GMT",
            second in -4_000_000_000_i64..4_000_000_000,
        ) {
            let now = Timestamp::from_second(second).unwrap();
            prop_assert!(retry_after(&value, now).unwrap_or_default() <= MAX);
        }
    }
}
