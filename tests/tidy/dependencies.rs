//! Every dependency is used, and has one version for all.

use std::collections::BTreeSet;

use crate::{
    crates::ROOMS,
    finding::Finding,
    lexer::Kind,
    members::Member,
    repository::{Source, TextFile},
};

/// Names in a section of a manifest.
fn section<'a>(file: &'a TextFile, title: &'a str) -> impl Iterator<Item = (usize, &'a str)> {
    let after = file.lines().skip_while(move |(_, line)| line.trim() != title).skip(1);
    let inside = after.take_while(|(_, line)| !line.trim_start().starts_with('['));
    inside.filter_map(|(number, line)| {
        let name = line.split(['=', '.', ' ']).next()?.trim();
        (!name.is_empty() && !name.starts_with('#')).then_some((number, name))
    })
}

/// A version stands once, in the workspace: two crates never take two.
fn own_versions(manifest: &TextFile) -> Vec<Finding> {
    let titles = ["[dependencies]", "[dev-dependencies]", "[build-dependencies]"];
    let lines: Vec<(usize, &str)> = titles.iter().flat_map(|title| section(manifest, title)).collect();
    let text = |number: usize| manifest.text.lines().nth(number - 1).unwrap_or_default();
    let own = lines
        .into_iter()
        .filter(|(number, _)| !text(*number).contains("workspace = true"));
    own.map(|(number, name)| {
        let words = format!(
            "{name} has a version of its own: put it under [workspace.dependencies], and write workspace = true here"
        );
        Finding::at(&manifest.path, number, words)
    })
    .collect()
}

/// What the workspace offers, somebody takes.
fn unused_by_members(root: &TextFile, members: &[Member]) -> Vec<Finding> {
    let taken: BTreeSet<&str> = members
        .iter()
        .flat_map(|member| &member.dependencies)
        .map(|dependency| dependency.name.as_str())
        .collect();
    let offered = section(root, "[workspace.dependencies]");
    offered
        .filter(|(_, name)| !taken.contains(name))
        .map(|(number, name)| Finding::at(&root.path, number, format!("no member uses {name}: delete the line")))
        .collect()
}

/// What a crate takes, its source names.
fn unused_by_source(member: &Member, sources: &[Source]) -> Vec<Finding> {
    let Some(room) = ROOMS.iter().find(|room| room.name == member.name) else {
        return Vec::new();
    };
    let others = ROOMS.iter().filter(|other| other.folder.len() > room.folder.len());
    let inner: Vec<&str> = others
        .map(|other| other.folder)
        .filter(|folder| folder.starts_with(room.folder))
        .collect();
    let own = sources.iter().filter(|source| {
        let path = source.path();
        path.starts_with(room.folder) && !inner.iter().any(|folder| path.starts_with(folder))
    });
    let words: BTreeSet<&str> = own
        .flat_map(|source| &source.tokens)
        .filter(|token| token.kind == Kind::Word)
        .map(|token| token.text.as_str())
        .collect();
    let unused = member
        .dependencies
        .iter()
        .filter(|dependency| !words.contains(dependency.name.replace('-', "_").as_str()));
    let manifest = format!("{}Cargo.toml", room.folder);
    unused
        .map(|dependency| {
            Finding::of(
                &manifest,
                format!("nothing in the source names {}: delete the line", dependency.name),
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        finding::{none, places},
        members::{Dependency, members},
        repository::{file, files, sources},
    };

    fn member(name: &str, dependencies: &[&str]) -> Member {
        let dependency = |name: &&str| Dependency {
            name: (*name).to_owned(),
            features: Vec::new(),
            is_dev: false,
        };
        Member {
            name: name.to_owned(),
            dependencies: dependencies.iter().map(dependency).collect(),
        }
    }

    #[test]
    fn every_dependency_is_used() {
        let members = members();
        let mut found = unused_by_members(file("Cargo.toml"), &members);
        found.extend(members.iter().flat_map(|member| unused_by_source(member, sources())));
        none("no dependency without use", &found);
    }

    #[test]
    fn versions_stand_in_the_workspace() {
        let found: Vec<_> = files()
            .iter()
            .filter(|file| file.path.ends_with("/Cargo.toml"))
            .flat_map(own_versions)
            .collect();
        none("every version stands once", &found);
    }

    #[test]
    fn a_version_of_its_own_is_refused() {
        let manifest = TextFile {
            path: "src/a/Cargo.toml".into(),
            text: "[package]\nversion.workspace = true\n[dependencies]\na.workspace = true\nb = \"1\"\n[dev-dependencies]\nc = { workspace = true, features = [\"d\"] }\ne = { version = \"2\" }".into(),
        };
        places(&own_versions(&manifest), &["src/a/Cargo.toml:5", "src/a/Cargo.toml:8"]);
    }

    #[test]
    fn what_nobody_uses_is_refused() {
        let root = TextFile {
            path: "Cargo.toml".into(),
            text: "[workspace]\na = 1\n[workspace.dependencies]\nserde = \"1\"\nold = { version = \"2\" }\n[profile.dev]\nb = 2".into(),
        };
        let api = [member("jobwright-api", &["serde", "serde_json", "k8s-openapi"])];
        places(&unused_by_members(&root, &api), &["Cargo.toml:5"]);
        let source = Source::new(
            "src/api/lib.rs",
            "use serde::Serialize; // serde_json\nuse k8s_openapi::api;",
        );
        let found = unused_by_source(&api[0], &[source]);
        places(&found, &["src/api/Cargo.toml"]);
        assert!(found[0].to_string().contains("serde_json"), "{found:?}");
    }
}
