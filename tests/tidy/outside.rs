//! Nothing in the project tells on which machine, with which tools or through which mirrors it was made.

use crate::{finding::Finding, repository::TextFile};

/// Folders of somebody's machine, in two parts so that this file does not hold them.
const FOLDERS: [(&str, &str); 5] = [
    ("/ho", "me"),
    ("/ro", "ot"),
    ("/Us", "ers"),
    ("/wo", "rk"),
    ("/tmp/w", "t-"),
];
/// Makers of tools, likewise.
const TOOLS: [(&str, &str); 6] = [
    ("anthr", "opic"),
    ("chatg", "pt"),
    ("cla", "ude"),
    ("copi", "lot"),
    ("curs", "or.sh"),
    ("open", "ai"),
];
/// Their addresses are written by the package managers.
const LOCKS: [&str; 2] = ["Cargo.lock", "go.sum"];

/// Hosts that a reader of this repository can look up, and those that are nowhere.
const HOSTS: [&str; 27] = [
    "127.0.0.1",
    "127.0.0.3",
    "169.254.169.254",
    "apache.org",
    "argo-cd.readthedocs.io",
    "cel.dev",
    "cloudevents.io",
    "crates.io",
    "datatracker.ietf.org",
    "dl.k8s.io",
    "docs.rs",
    "example.com",
    "github.com",
    "go.dev",
    "grafana.com",
    "json-schema.org",
    "keepachangelog.com",
    "kubernetes.default.svc",
    "kubernetes.io",
    "localhost",
    "prometheus.io",
    "rfc-editor.org",
    "rust-lang.org",
    "rustup.rs",
    "semver.org",
    "unicode.org",
    "w3.org",
];
/// Names that lead nowhere by standard (RFC 2606, RFC 6762), or inside a cluster.
const NOWHERE: [&str; 5] = [".example", ".invalid", ".local", ".svc", ".test"];

fn check(file: &TextFile) -> Vec<Finding> {
    if LOCKS.iter().any(|lock| file.path.ends_with(lock)) {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (number, line) in file.lines() {
        let words = folder(line).or_else(|| tool(line)).or_else(|| host(line));
        found.extend(words.map(|words| Finding::at(&file.path, number, words)));
    }
    let in_name = folder(&file.path).or_else(|| tool(&file.path));
    found.extend(in_name.map(|words| Finding::of(&file.path, words)));
    found
}

fn folder(line: &str) -> Option<String> {
    let is_part = |character: char| character.is_alphanumeric() || character == '_' || character == '-';
    let stands = |folder: &str| {
        line.match_indices(folder).any(|(at, _)| {
            let before = line[..at].chars().next_back();
            let after = line[at + folder.len()..].chars().next();
            let ends = folder.starts_with("/tmp") || !after.is_some_and(is_part);
            ends && !before.is_some_and(|character| is_part(character) || matches!(character, '.' | '}' | '$' | ')'))
        })
    };
    let folders = FOLDERS.iter().map(|(start, end)| format!("{start}{end}"));
    let found = folders.into_iter().find(|folder| stands(folder))?;
    Some(format!(
        "{found} is a folder of one machine: make it relative, or ask the environment"
    ))
}

fn tool(line: &str) -> Option<String> {
    let line = line.to_lowercase();
    let tools = TOOLS.iter().map(|(start, end)| format!("{start}{end}"));
    let found = tools.into_iter().find(|tool| line.contains(tool))?;
    Some(format!("{found} has no place in this project"))
}

fn host(line: &str) -> Option<String> {
    let addresses = line
        .match_indices("://")
        .filter(|(at, _)| line[..*at].ends_with("http") || line[..*at].ends_with("https"));
    let hosts = addresses.map(|(at, mark)| {
        let rest = &line[at + mark.len()..];
        let end = rest.find(|character: char| !(character.is_ascii_alphanumeric() || ".-".contains(character)));
        &rest[..end.unwrap_or(rest.len())]
    });
    let is_known = |host: &str| {
        let listed = HOSTS
            .iter()
            .any(|known| host == *known || host.ends_with(&format!(".{known}")));
        listed || NOWHERE.iter().any(|end| host.ends_with(end))
    };
    // Nothing, a variable and a name without a dot lead nowhere.
    let found = hosts.into_iter().find(|host| host.contains('.') && !is_known(host))?;
    Some(format!(
        "host {found}: a mirror of one machine has no place here; one that every reader can reach goes on the list in tests/tidy/outside.rs"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        finding::{none, places},
        repository::files,
    };

    fn sample(text: &str) -> Vec<Finding> {
        check(&TextFile {
            path: "a".into(),
            text: text.into(),
        })
    }

    #[test]
    fn nothing_tells_where_it_was_made() {
        let found: Vec<_> = files().iter().flat_map(check).collect();
        none("no machine's paths, tools or mirrors", &found);
    }

    #[test]
    fn paths_of_a_machine_are_refused() {
        for (start, end) in FOLDERS {
            places(&sample(&format!("cd {start}{end}/x")), &["a:1"]);
            places(&sample(&format!("'{start}{end}'")), &["a:1"]);
        }
        let fine = "batch/workflows\n/workflows/a\n${HOME}/x\nhttps://github.com/a/work\n/var/root-dir\n--root-dir=/x";
        places(&sample(fine), &[]);
    }

    #[test]
    fn tools_and_mirrors_are_refused() {
        for (start, end) in TOOLS {
            places(&sample(&format!("By {start}{}.", end.to_uppercase())), &["a:1"]);
        }
        for host in ["mirror.corp.internal/simple", "notgithub.com/x", "10.1.2.3:8080"] {
            places(&sample(&format!("see http{}{host}", "://")), &["a:1"]);
        }
        let fine =
            "https://github.com/x\nhttps://www.w3.org/TR\nhttps://{ADDRESS}:6443\nhttps://hooks.example.com\nhttps://…";
        places(&sample(fine), &[]);
    }

    #[test]
    fn names_of_files_count() {
        let name = format!("{}{}.md", "CLA", "UDE");
        let file = TextFile {
            path: name.clone(),
            text: String::new(),
        };
        places(&check(&file), &[name.as_str()]);
    }
}
