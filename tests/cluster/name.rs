//! The name of a cluster, from which every path and every kernel object of it follows.

use std::{fmt, str::FromStr};

/// A checked cluster name: it is safe as a file, network namespace, cgroup and CNI network name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name(String);

/// The text cannot name a cluster.
#[derive(Debug, thiserror::Error)]
#[error("cluster name {0:?} is not 1 to {max} characters of a-z, 0-9 and '-', beginning with a letter or digit", max = Name::LEN_MAX)]
pub struct Invalid(String);

impl Name {
    /// Unix socket paths end at 108 bytes, and containerd's is the longest that holds the name.
    pub const LEN_MAX: usize = 32;

    /// The name itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name with our prefix, so that no foreign cgroup or namespace is ever touched.
    #[must_use]
    pub fn prefixed(&self) -> String {
        format!("jobwright-{}", self.0)
    }

    /// A name that no other living process gives to its cluster.
    #[must_use]
    pub fn of_this_process() -> Self {
        Self(format!("run-{}", std::process::id()))
    }
}

impl FromStr for Name {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let fits = !text.is_empty() && text.len() <= Self::LEN_MAX && !text.starts_with('-');
        if fits && text.chars().all(legal) {
            Ok(Self(text.to_owned()))
        } else {
            Err(Invalid(text.to_owned()))
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::Name;

    #[test]
    fn only_names_that_are_safe_everywhere_are_taken() {
        for good in ["a", "demo", "run-4711", "0"] {
            assert_eq!(good.parse::<Name>().unwrap().as_str(), good);
        }
        let long = "a".repeat(Name::LEN_MAX + 1);
        for bad in ["", "-a", "A", "a/b", "..", "a_b", "ä", &long] {
            assert!(bad.parse::<Name>().is_err(), "{bad:?}");
        }
    }
}
