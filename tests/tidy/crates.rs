//! Who may depend on whom.

use crate::{
    finding::Finding,
    members::{Dependency, Member},
};

/// What a crate of ours may depend on.
pub(crate) struct Room {
    pub(crate) name: &'static str,
    pub(crate) folder: &'static str,
    /// Crates of ours.
    ours: &'static [&'static str],
    foreign: Foreign,
}

enum Foreign {
    /// These, and no others: whoever adds one thinks twice.
    Only(&'static [&'static str]),
    AllBut(&'static [&'static str]),
}

pub(crate) const ROOMS: [Room; 8] = [
    Room {
        name: "jobwright-api",
        folder: "src/api/",
        ours: &[],
        foreign: Foreign::Only(&[
            "jiff",
            "k8s-openapi",
            "kube",
            "schemars",
            "serde",
            "serde_json",
            "sha2",
            "thiserror",
        ]),
    },
    Room {
        name: "jobwright-engine",
        folder: "src/engine/",
        ours: &["jobwright-api"],
        foreign: Foreign::Only(&[
            "croner",
            "jiff",
            "k8s-openapi",
            "regex",
            "regex-automata",
            "serde",
            "serde_json",
            "sha2",
            "thiserror",
        ]),
    },
    Room {
        name: "jobwright-outbound",
        folder: "src/outbound/",
        ours: &["jobwright-api", "jobwright-engine"],
        foreign: Foreign::AllBut(&["kube"]),
    },
    Room {
        name: "jobwright-server",
        folder: "src/server/",
        ours: &["jobwright-api", "jobwright-engine"],
        foreign: Foreign::AllBut(&["kube"]),
    },
    Room {
        name: "jobwright-operator",
        folder: "src/operator/",
        ours: &[
            "jobwright-api",
            "jobwright-engine",
            "jobwright-outbound",
            "jobwright-server",
        ],
        foreign: Foreign::AllBut(&["chrono", "serde_yaml"]),
    },
    Room {
        name: "jobwright-cli",
        folder: "src/cli/",
        ours: &["jobwright-api", "jobwright-engine"],
        foreign: Foreign::AllBut(&["chrono", "serde_yaml"]),
    },
    Room {
        name: "jobwright-cluster",
        folder: "tests/cluster/",
        ours: &[],
        foreign: Foreign::AllBut(&["chrono", "serde_yaml"]),
    },
    Room {
        name: "jobwright-tests",
        folder: "tests/",
        ours: &[
            "jobwright-api",
            "jobwright-cluster",
            "jobwright-cli",
            "jobwright-engine",
            "jobwright-operator",
            "jobwright-outbound",
            "jobwright-server",
        ],
        foreign: Foreign::AllBut(&["chrono", "serde_yaml"]),
    },
];

/// Features of kube that bring no connection.
const PLAIN_KUBE: [&str; 1] = ["derive"];

fn directions(member: &Member) -> Vec<Finding> {
    let Some(room) = ROOMS.iter().find(|room| room.name == member.name) else {
        let words = "a crate that tests/tidy/crates.rs does not know: a new crate only where its dependencies differ; then say there what it may import";
        return vec![Finding::of(&member.name, words)];
    };
    let manifest = format!("{}Cargo.toml", room.folder);
    let wrong = member
        .dependencies
        .iter()
        .filter_map(|dependency| judge(room, dependency));
    wrong.map(|words| Finding::of(&manifest, words)).collect()
}

fn judge(room: &Room, dependency: &Dependency) -> Option<String> {
    let name = dependency.name.as_str();
    if name.starts_with("jobwright-") {
        let words = format!(
            "{} must not import {name}: see the import directions in ARCHITECTURE.md",
            room.name
        );
        return (!room.ours.contains(&name)).then_some(words);
    }
    if dependency.is_dev {
        return None;
    }
    let is_allowed = match room.foreign {
        Foreign::Only(list) => list.contains(&name),
        Foreign::AllBut(list) => !list.contains(&name),
    };
    if !is_allowed {
        return Some(format!(
            "{} must not depend on {name}: move what needs it to the crate that may (tests/tidy/crates.rs has the list)",
            room.name
        ));
    }
    let is_pure = matches!(room.foreign, Foreign::Only(_));
    let extra = dependency
        .features
        .iter()
        .find(|feature| !PLAIN_KUBE.contains(&feature.as_str()));
    extra.filter(|_| is_pure && name == "kube").map(|feature| {
        format!(
            "{} takes kube's {feature}: only {PLAIN_KUBE:?} has no connection",
            room.name
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        finding::{none, places},
        members::members,
    };

    fn member(name: &str, dependencies: &[(&str, &[&str], bool)]) -> Member {
        let dependency = |(name, features, is_dev): &(&str, &[&str], bool)| Dependency {
            name: (*name).to_owned(),
            features: features.iter().map(ToString::to_string).collect(),
            is_dev: *is_dev,
        };
        Member {
            name: name.to_owned(),
            dependencies: dependencies.iter().map(dependency).collect(),
        }
    }

    #[test]
    fn imports_go_one_way() {
        let found: Vec<_> = members().iter().flat_map(directions).collect();
        none("crates import only what their room allows", &found);
    }

    #[test]
    fn wrong_directions_are_refused() {
        let fine: &[&str] = &[];
        let (api, engine) = ("src/api/Cargo.toml", "src/engine/Cargo.toml");
        for (name, dependency, expected) in [
            ("jobwright-api", ("jobwright-engine", fine, false), api),
            ("jobwright-api", ("tokio", fine, false), api),
            ("jobwright-api", ("kube", &["derive", "client"], false), api),
            ("jobwright-engine", ("kube", fine, false), engine),
            ("jobwright-engine", ("tracing", fine, false), engine),
            ("jobwright-engine", ("rand", fine, false), engine),
            ("jobwright-engine", ("jobwright-operator", fine, true), engine),
            ("jobwright-server", ("kube", fine, false), "src/server/Cargo.toml"),
            (
                "jobwright-operator",
                ("jobwright-cluster", fine, true),
                "src/operator/Cargo.toml",
            ),
            (
                "jobwright-operator",
                ("jobwright-tests", fine, true),
                "src/operator/Cargo.toml",
            ),
            (
                "jobwright-operator",
                ("jobwright-cli", fine, false),
                "src/operator/Cargo.toml",
            ),
            (
                "jobwright-cluster",
                ("jobwright-api", fine, false),
                "tests/cluster/Cargo.toml",
            ),
            ("jobwright-new", ("serde", fine, false), "jobwright-new"),
        ] {
            places(&directions(&member(name, &[dependency])), &[expected]);
        }
        places(
            &directions(&member("jobwright-api", &[("kube", &["derive"], false)])),
            &[],
        );
        places(&directions(&member("jobwright-engine", &[("cel", fine, true)])), &[]);
        places(
            &directions(&member("jobwright-tests", &[("jobwright-cluster", fine, false)])),
            &[],
        );
    }
}
