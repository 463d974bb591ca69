//! The suites of `make test` have shares of its time, the shares fit, and no suite is left out.

use crate::{finding::Finding, repository::TextFile};

/// From nothing, on two cores: ten minutes below what is promised.
const MINUTES_MAX: u32 = 35;
/// The variable of the Makefile that lists them: `SUITES := build:13 lint:4`.
const SUITES: &str = "SUITES";

fn check(makefile: &TextFile, manifest: &TextFile) -> Vec<Finding> {
    let Some((line, suites)) = suites(makefile) else {
        let words = format!("no `{SUITES} := name:minutes ...`: list the suites of `make test` with their shares");
        return vec![Finding::of(&makefile.path, words)];
    };
    let mut found = Vec::new();
    let mut sum = 0;
    for (name, minutes) in suites {
        match minutes {
            Some(minutes) => sum += minutes,
            None => found.push(Finding::at(
                &makefile.path,
                line,
                format!("suite {name} has no share: write {name}:minutes"),
            )),
        }
        if !has_target(makefile, name) {
            found.push(Finding::at(
                &makefile.path,
                line,
                format!("suite {name} is no target: write its rule"),
            ));
        }
    }
    if sum == 0 || sum > MINUTES_MAX {
        let words = format!("the shares sum to {sum} minutes, of at most {MINUTES_MAX}: make a suite faster");
        found.push(Finding::at(&makefile.path, line, words));
    }
    let is_used = recipe(makefile, "test").any(|line| line.contains(&format!("$({SUITES})")));
    if !is_used {
        found.push(Finding::of(
            &makefile.path,
            format!("the recipe of test does not run $({SUITES})"),
        ));
    }
    found.extend(left_out(makefile, manifest));
    found
}

/// Every test program of the manifest is called by some target.
fn left_out(makefile: &TextFile, manifest: &TextFile) -> Vec<Finding> {
    let mut is_test = false;
    let mut found = Vec::new();
    for (number, line) in manifest.lines() {
        if line.starts_with('[') {
            is_test = line.trim() == "[[test]]";
        }
        let name = line.strip_prefix("name = \"").and_then(|rest| rest.strip_suffix('"'));
        let Some(name) = name.filter(|_| is_test) else {
            continue;
        };
        let call = format!("--test {name}");
        let calls = |line: &str| {
            line.match_indices(&call)
                .any(|(at, _)| ends_there(&line[at + call.len()..]))
        };
        if !makefile.text.lines().any(calls) {
            let words = format!("no target runs --test {name}: put it into a suite of `make test`");
            found.push(Finding::at(&manifest.path, number, words));
        }
    }
    found
}

fn ends_there(rest: &str) -> bool {
    let next = rest.chars().next();
    !next.is_some_and(|next| next.is_alphanumeric() || next == '-' || next == '_')
}

type Suite<'a> = (&'a str, Option<u32>);

fn suites(makefile: &TextFile) -> Option<(usize, Vec<Suite<'_>>)> {
    makefile.lines().find_map(|(number, line)| {
        let list = line.strip_prefix(SUITES)?.trim_start().strip_prefix(":=")?;
        let suites = list.split_whitespace().map(|word| match word.split_once(':') {
            Some((name, minutes)) => (name, minutes.parse().ok()),
            None => (word, None),
        });
        Some((number, suites.collect()))
    })
}

fn has_target(makefile: &TextFile, name: &str) -> bool {
    let targets = makefile.text.lines().filter(|line| !line.starts_with(['\t', '#', '.']));
    let mut rules = targets.filter_map(|line| line.split_once(':'));
    rules.any(|(targets, rest)| !rest.starts_with('=') && targets.split_whitespace().any(|target| target == name))
}

/// The indented lines below the rule of a target.
fn recipe<'a>(makefile: &'a TextFile, name: &'a str) -> impl Iterator<Item = &'a str> {
    let is_rule = move |line: &&str| line.split_once(':').is_some_and(|(target, _)| target == name);
    let below = makefile.text.lines().skip_while(move |line| !is_rule(line)).skip(1);
    below.take_while(|line| line.starts_with('\t'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        finding::{none, places},
        repository::file,
    };

    const MAKEFILE: &str = "SUITES := unit:4 e2e:30\ntest: install\n\t@for suite in $(SUITES); do x; done\nunit: a ## Units.\n\tcargo test\ne2e:\n\tcargo test --test e2e\n";
    const MANIFEST: &str = "[[bin]]\nname = \"demo\"\n\n[[test]]\nname = \"e2e\"\n";

    fn sample(makefile: &str, manifest: &str) -> Vec<Finding> {
        let file = |path: &str, text: &str| TextFile {
            path: path.into(),
            text: text.into(),
        };
        check(&file("Makefile", makefile), &file("Cargo.toml", manifest))
    }

    #[test]
    fn the_shares_of_the_suites_fit() {
        let found = check(file("Makefile"), file("tests/Cargo.toml"));
        none("the suites' minutes sum to at most 35, and every suite is run", &found);
    }

    #[test]
    fn suites_without_share_or_rule_are_refused() {
        places(&sample(MAKEFILE, MANIFEST), &[]);
        for (good, bad, expected) in [
            ("e2e:30", "e2e:32", "Makefile:1"),
            ("e2e:30", "e2e", "Makefile:1"),
            ("unit: a", "units: a", "Makefile:1"),
            ("SUITES := ", "SUITS := ", "Makefile"),
            ("in $(SUITES)", "in unit", "Makefile"),
            ("--test e2e", "--test e2e-x", "Cargo.toml:5"),
        ] {
            places(&sample(&MAKEFILE.replace(good, bad), MANIFEST), &[expected]);
        }
        places(&sample(MAKEFILE, &MANIFEST.replace("e2e", "sim")), &["Cargo.toml:5"]);
    }
}
