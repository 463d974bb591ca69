//! What we ship may be shipped: every dependency has a licence that asks for no more than its text.

use serde_json::Value;
use std::process::Command;

use crate::{finding::Finding, repository};

/// Permissive ones. Another goes on the list when somebody has read it.
const ALLOWED: [&str; 12] = [
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "CC0-1.0",
    // For data: Mozilla's list of authorities, in webpki-roots. Asks for its text, as the others do.
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Whether an SPDX expression can be met with allowed licences alone.
///
/// `AND` binds closer than `OR`; the old `/` means `OR`. Brackets stand around alternatives only.
fn is_allowed(expression: &str) -> bool {
    let expression = expression.replace('/', " OR ");
    let closed = |part: &str| part.contains('(') || part.contains(')');
    if expression.contains('(') {
        // One level: `(A OR B) AND C`. Each bracket is an expression of its own.
        let parts = expression
            .split(" AND ")
            .map(|part| part.trim().trim_matches(['(', ')']));
        let inner: Vec<&str> = parts.collect();
        return inner.iter().all(|part| !closed(part) && is_allowed(part));
    }
    expression
        .split(" OR ")
        .any(|choice| choice.split(" AND ").all(|licence| ALLOWED.contains(&licence.trim())))
}

fn check(packages: &[Value]) -> Vec<Finding> {
    let of = |package: &Value, key: &str| package[key].as_str().unwrap_or_default().to_owned();
    let wrong = packages.iter().filter(|package| !is_allowed(&of(package, "license")));
    wrong
        .map(|package| {
            let licence = of(package, "license");
            let words = format!(
                "its licence is {licence:?}: find another crate, or read it and allow it in tests/tidy/licences.rs"
            );
            Finding::of(&format!("{} {}", of(package, "name"), of(package, "version")), words)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::{none, places};
    use serde_json::json;

    #[test]
    fn every_licence_is_allowed() {
        let about = repository::output(Command::new(env!("CARGO")).arg("-vV"));
        let host = about.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
        let mut cargo = Command::new(env!("CARGO"));
        // Crates for other systems were never fetched.
        let here = format!("--filter-platform={host}");
        let metadata = cargo.args(["metadata", "--format-version=1", "--offline", "--locked", &here]);
        let metadata: Value = serde_json::from_str(&repository::output(metadata)).unwrap();
        let packages = metadata["packages"].as_array().unwrap();
        assert!(packages.len() > 50, "only {} packages", packages.len());
        none("dependencies are permissively licensed", &check(packages));
    }

    #[test]
    fn expressions_are_understood() {
        for fine in [
            "MIT",
            "MIT/Apache-2.0",
            "GPL-3.0 OR MIT",
            "(MIT OR Apache-2.0) AND Unicode-3.0",
            "Apache-2.0 AND ISC",
        ] {
            assert!(is_allowed(fine), "{fine}");
        }
        for bad in [
            "",
            "GPL-3.0",
            "MIT AND GPL-3.0",
            "(MIT OR Apache-2.0) AND AGPL-3.0",
            "GPL-3.0 OR LGPL-3.0",
            "MPL-2.0",
        ] {
            assert!(!is_allowed(bad), "{bad}");
        }
    }

    #[test]
    fn a_copyleft_package_is_refused() {
        let packages = [
            json!({"name": "a", "version": "1.0.0", "license": "GPL-3.0"}),
            json!({"name": "b", "version": "2.0.0"}),
        ];
        places(&check(&packages), &["a 1.0.0", "b 2.0.0"]);
    }
}
