//! The guard: a table of spellings, and random URLs and addresses against a slow and obvious twin.

mod addresses;
mod random;
mod spellings;

use std::net::IpAddr;

use super::{AddressRefused, Guard, Rule, Target};
use crate::Settings;

fn guard(change: impl FnOnce(&mut Settings)) -> Guard {
    let mut settings = Settings::default();
    change(&mut settings);
    settings.check().unwrap();
    Guard::new(&settings)
}

/// One word for a verdict: what the tables compare.
fn word<T>(verdict: &Result<T, AddressRefused>) -> &'static str {
    match verdict.as_ref().err().map(|refused| &refused.rule) {
        None => "admitted",
        Some(Rule::TooLong) => "long",
        Some(Rule::Character) => "character",
        Some(Rule::Scheme) => "scheme",
        Some(Rule::Userinfo) => "userinfo",
        Some(Rule::Fragment) => "fragment",
        Some(Rule::Port) => "port",
        Some(Rule::Host) => "host",
        Some(Rule::Malformed(_)) => "malformed",
        Some(Rule::HostNotAllowed) => "not-allowed",
        Some(Rule::ApiServer) => "api-server",
        Some(Rule::Localhost) => "localhost",
        Some(Rule::Network(_)) => "network",
        Some(Rule::Special(_)) => "special",
        Some(Rule::Private(_)) => "private",
        Some(Rule::Loopback(_)) => "loopback",
    }
}

fn target() -> Target {
    Target::parse("https://hooks.example.com/").unwrap()
}

fn judge(guard: &Guard, addresses: &[&str]) -> Result<Vec<String>, AddressRefused> {
    let addresses: Vec<IpAddr> = addresses.iter().map(|address| address.parse().unwrap()).collect();
    let judged = guard.judge(&target(), &addresses)?;
    Ok(judged.iter().map(ToString::to_string).collect())
}
