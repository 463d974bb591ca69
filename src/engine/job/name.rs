//! Names and keys that are functions of identity, and of nothing else.
//!
//! Frozen: a run that began under an older build must find its Jobs under the same names. Another
//! form would need another version in [`attempt`], kept per run.

use sha2::{Digest, Sha256};

use crate::id::{RunIdentity, StepId};

/// A pod is named after its Job with `-xxxxx` behind it, within the 63 of a DNS label.
const NAME_BYTES_MAX: usize = 57;
/// Base 32 digits: 65 bits.
const HASH_DIGITS: usize = 13;
/// What the two readable parts share: the name without the hash and two dashes.
const READABLE_BYTES_MAX: usize = NAME_BYTES_MAX - HASH_DIGITS - 2;
/// Crockford's base 32: no `i`, `l`, `o`, `u`, so nothing to misread.
const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// The name of the Job of an attempt: `<workflow, cut>-<step, cut>-<hash>`.
///
/// # Guarantees
/// A DNS label of at most 57 bytes; different for different (uid, run, id, attempt).
#[must_use]
pub fn job_name(run: &RunIdentity, id: &StepId, attempt: u32) -> String {
    let (workflow, step) = (slug(&run.name), readable(id));
    let half = READABLE_BYTES_MAX.div_ceil(2);
    let workflow = cut(&workflow, half.max(READABLE_BYTES_MAX.saturating_sub(step.len())));
    let step = cut(&step, READABLE_BYTES_MAX.saturating_sub(workflow.len()));
    let hash = self::attempt(run, id, attempt).base32();
    [workflow, step, &hash]
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join("-")
}

/// Identity of an attempt, in full: what says whose Job it is when a name was taken.
#[must_use]
pub fn attempt_key(run: &RunIdentity, id: &StepId, number: u32) -> String {
    attempt(run, id, number).hex()
}

/// Equal over the attempts of a step: lets a receiver know a request that it has seen before.
#[must_use]
pub fn idempotency_key(run: &RunIdentity, id: &StepId) -> String {
    let hash = Hash::of(&["idempotency/1", &run.uid, &run.run.to_string(), &path(id)]);
    format!("{:032x}", hash.high)
}

/// A number in `[0, 1)` that is the attempt's own, so that a replay waits as long.
#[must_use]
pub fn jitter(run: &RunIdentity, id: &StepId, number: u32) -> f64 {
    // The low half: the high one stands in the Job's name.
    let bits = u32::try_from(attempt(run, id, number).low >> 96).unwrap_or_default();
    f64::from(bits) / 4_294_967_296.0
}

/// The name of an object that is named after its content: `<prefix>-<40 hex digits>`.
#[must_use]
pub fn content_name(prefix: &str, bytes: &[u8]) -> String {
    let hash = Hash::from_digest(&Sha256::digest(bytes));
    format!("{prefix}-{:032x}{:08x}", hash.high, hash.low >> 96)
}

/// The W3C trace context of an attempt: one trace a run, one span an attempt.
pub(super) fn trace_parent(run: &RunIdentity, id: &StepId, number: u32) -> String {
    let trace = Hash::of(&["trace/1", &run.uid, &run.run.to_string()]);
    let span = attempt(run, id, number).high >> 64;
    format!("00-{:032x}-{span:016x}-01", trace.high)
}

/// The id as a JSON path: `[{"name":"settle","index":2},{"name":"probe"}]`.
pub(crate) fn path(id: &StepId) -> String {
    // Names and numbers: serde_json has nothing to refuse here.
    serde_json::to_string(id).unwrap_or_else(|_| id.to_string())
}

fn attempt(run: &RunIdentity, id: &StepId, number: u32) -> Hash {
    Hash::of(&[
        "attempt/1",
        &run.uid,
        &run.run.to_string(),
        &path(id),
        &number.to_string(),
    ])
}

/// The whole id where it is short, else the step's own name, and its index behind it.
fn readable(id: &StepId) -> String {
    let room = READABLE_BYTES_MAX / 2;
    let whole = slug(&id.to_string());
    if whole.len() <= room {
        return whole;
    }
    let name = slug(id.name());
    let Some(index) = id.path().last().and_then(|own| own.index) else {
        return name;
    };
    let index = format!("-{index}");
    format!("{}{index}", cut(&name, room.saturating_sub(index.len())))
}

/// Lower case letters and digits, with single dashes between.
fn slug(text: &str) -> String {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric());
    let words: Vec<_> = words.filter(|word| !word.is_empty()).collect();
    words.join("-").to_ascii_lowercase()
}

/// Cuts a slug to `bytes_max`, which is ASCII, and leaves no dash at the end.
fn cut(slug: &str, bytes_max: usize) -> &str {
    slug.get(..bytes_max).unwrap_or(slug).trim_end_matches('-')
}

/// A SHA-256, as two numbers.
#[derive(Clone, Copy, Debug)]
struct Hash {
    high: u128,
    low: u128,
}

impl Hash {
    /// Each part with its length before it: no two lists of parts give the same bytes.
    fn of(parts: &[&str]) -> Self {
        let mut hasher = Sha256::new();
        for part in parts {
            hasher.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            hasher.update(part.as_bytes());
        }
        Self::from_digest(&hasher.finalize())
    }

    fn from_digest(bytes: &[u8]) -> Self {
        let number = |bytes: &[u8]| bytes.iter().fold(0, |sum: u128, byte| (sum << 8) | u128::from(*byte));
        let (high, low) = bytes.split_at(bytes.len() / 2);
        Self {
            high: number(high),
            low: number(low),
        }
    }

    fn hex(self) -> String {
        format!("{:032x}{:032x}", self.high, self.low)
    }

    fn base32(self) -> String {
        let mut rest = self.high;
        (0..HASH_DIGITS)
            .filter_map(|_| {
                rest = rest.rotate_left(5);
                DIGITS
                    .get(usize::try_from(rest & 31).ok()?)
                    .map(|digit| char::from(*digit))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jobwright_api::status::PathSegment;
    use std::collections::BTreeSet;

    fn run(name: &str) -> RunIdentity {
        RunIdentity {
            namespace: "team-a".to_owned(),
            name: name.to_owned(),
            uid: "3d5f2c1e-0000-4000-8000-000000000001".to_owned(),
            run: 1,
        }
    }

    fn id(path: &[(&str, Option<u32>)]) -> StepId {
        let segment = |(name, index): &(&str, Option<u32>)| PathSegment {
            name: (*name).to_owned(),
            index: *index,
        };
        StepId::from(path.iter().map(segment).collect::<Vec<_>>())
    }

    fn is_dns_label(name: &str) -> bool {
        name.len() <= NAME_BYTES_MAX
            && !name.starts_with('-')
            && !name.ends_with('-')
            && name
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    }

    /// Changing this test means that running workflows lose their Jobs at the upgrade.
    #[test]
    fn names_and_keys_are_frozen() {
        let (run, probe) = (run("report.2026"), id(&[("settle", Some(2)), ("probe", None)]));
        assert_eq!(path(&probe), r#"[{"name":"settle","index":2},{"name":"probe"}]"#);
        assert_eq!(job_name(&run, &probe, 3), "report-2026-settle-2-probe-mw3ma3f47cyrj");
        assert_eq!(
            attempt_key(&run, &probe, 3),
            "a707450de43b3d89057ffc9cb1625794d262d4167c35e979abe10f848bef874a"
        );
        assert_eq!(idempotency_key(&run, &probe), "8fa2c09a0b1cb05eb92b3828043edca4");
        assert_eq!(
            trace_parent(&run, &probe, 3),
            "00-a8c420b927cbce133bb2a9434e456552-a707450de43b3d89-01"
        );
        assert_eq!(format!("{:.9}", jitter(&run, &probe, 3)), "0.821820503");
        assert_eq!(
            content_name("snapshot", b"{}"),
            "snapshot-44136fa355b3678a1146ad16f7e8649e94fb4fc2"
        );
    }

    #[test]
    fn every_attempt_has_a_name_of_its_own() {
        let mut names = BTreeSet::new();
        for name in ["report", "report-2"] {
            for step in 0..50 {
                for index in 0..500 {
                    for attempt in 1..=2 {
                        let id = id(&[("settle", Some(index)), (&format!("s{step}"), None)]);
                        let name = job_name(&run(name), &id, attempt);
                        assert!(is_dns_label(&name), "{name}");
                        assert!(names.insert(name), "{id}");
                    }
                }
            }
        }
        assert_eq!(names.len(), 100_000);
    }

    #[test]
    fn long_and_odd_names_are_cut_to_labels() {
        let long = "a".repeat(253);
        let mut names = BTreeSet::new();
        for equal in [39, 40, 52, 62, 63, 252] {
            for last in ["x", "y"] {
                let workflow = format!("{}{last}", "w-".repeat(127).get(..equal).unwrap());
                for step in [
                    id(&[("count", None)]),
                    id(&[(&long, None)]),
                    id(&[(&long, Some(u32::MAX))]),
                ] {
                    let run = RunIdentity {
                        uid: workflow.clone(),
                        ..run(&workflow)
                    };
                    let name = job_name(&run, &step, u32::MAX);
                    assert!(is_dns_label(&name), "{name}");
                    names.insert(name);
                }
            }
        }
        assert_eq!(names.len(), 36);
        for (workflow, step) in [("", ""), ("-", "_"), ("é.é", "日本"), ("A.b", "x__"), ("w", "a_b")] {
            let name = job_name(&run(workflow), &id(&[(step, None)]), 1);
            assert!(is_dns_label(&name), "{name}");
        }
        assert!(job_name(&run("w"), &id(&[("a_b", None)]), 1).starts_with("w-a-b-"));
        let shard = id(&[
            ("a_block_of_a_long_name", Some(3)),
            ("shards_of_the_whole_year", Some(12)),
        ]);
        assert!(
            job_name(&run(&long), &shard, 1).contains("-shards-of-the-whol-12-"),
            "index kept"
        );
    }

    #[test]
    fn ids_that_print_alike_differ() {
        let pairs = [
            (id(&[("a", None), ("b", None)]), id(&[("a.b", None)])),
            (id(&[("a", Some(1))]), id(&[("a[1]", None)])),
        ];
        for (one, other) in pairs {
            assert_eq!(one.to_string(), other.to_string());
            assert_ne!(job_name(&run("w"), &one, 1), job_name(&run("w"), &other, 1));
        }
    }

    #[test]
    fn keys_follow_what_they_should() {
        let (first, step) = (run("w"), id(&[("a", None)]));
        let second = RunIdentity {
            run: 2,
            ..first.clone()
        };
        let renamed = run("other");
        assert_ne!(attempt_key(&first, &step, 1), attempt_key(&first, &step, 2));
        assert_ne!(attempt_key(&first, &step, 1), attempt_key(&second, &step, 1));
        assert_eq!(
            attempt_key(&first, &step, 1),
            attempt_key(&renamed, &step, 1),
            "the uid is the identity"
        );
        assert_ne!(idempotency_key(&first, &step), idempotency_key(&second, &step));
        let trace = |number| trace_parent(&first, &step, number);
        assert_eq!(trace(1).get(..36), trace(2).get(..36), "one trace");
        assert_ne!(trace(1), trace(2), "two spans");
        let draws: Vec<_> = (1..1000).map(|number| jitter(&first, &step, number)).collect();
        assert!(draws.iter().all(|draw| (0.0..1.0).contains(draw)));
        let mean = draws.iter().sum::<f64>() / 999.0;
        assert!((0.45..0.55).contains(&mean), "{mean}");
    }
}
