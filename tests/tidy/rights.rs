//! What the operator may do in a cluster: nothing that would make it worth stealing.

use serde_json::Value;

use crate::{finding::Finding, repository::TextFile};

const ROLES: &str = "config/rbac.yaml";

/// One Secret by its name, when it is sent: nobody can list what there is, or wait for what comes.
const OF_SECRETS: [&str; 1] = ["get"];

/// Values of these kinds never pass through the operator; nor may it make itself mightier.
const RESOURCES: [&str; 9] = [
    "*",
    "clusterrolebindings",
    "clusterroles",
    "configmaps",
    "nodes",
    "pods/exec",
    "rolebindings",
    "roles",
    "serviceaccounts/token",
];
const VERBS: [&str; 6] = ["*", "bind", "deletecollection", "escalate", "impersonate", "use"];

fn check(file: &TextFile) -> Vec<Finding> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(&file.text).expect("YAML");
    let roles = documents.iter().filter(|document| {
        let kind = document["kind"].as_str().unwrap_or_default();
        kind == "ClusterRole" || kind == "Role"
    });
    let mut found = Vec::new();
    for rule in roles.flat_map(|role| role["rules"].as_array().into_iter().flatten()) {
        let named = |key: &str, banned: &[&str]| -> Vec<String> {
            let values = rule[key].as_array().into_iter().flatten().filter_map(Value::as_str);
            values
                .filter(|value| banned.contains(value))
                .map(str::to_owned)
                .collect()
        };
        let mut bad = vec![
            named("apiGroups", &["*"]),
            named("resources", &RESOURCES),
            named("verbs", &VERBS),
        ];
        if !named("resources", &["secrets"]).is_empty() {
            let verbs = rule["verbs"].as_array().into_iter().flatten().filter_map(Value::as_str);
            bad.push(
                verbs
                    .filter(|verb| !OF_SECRETS.contains(verb))
                    .map(str::to_owned)
                    .collect(),
            );
        }
        found.extend(bad.concat().iter().map(|name| {
            Finding::of(
                &file.path,
                format!("a rule names {name:?}: the operator works without it, and a thief would not"),
            )
        }));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        finding::{none, places},
        repository::file,
    };

    fn sample(rule: &str) -> Vec<Finding> {
        check(&TextFile {
            path: "a".into(),
            text: format!("kind: ServiceAccount\n---\nkind: ClusterRole\nrules:\n- {rule}\n"),
        })
    }

    #[test]
    fn the_operator_cannot_list_secrets_or_raise_its_rights() {
        let roles = file(ROLES);
        assert!(roles.text.contains("kind: ClusterRole"), "no role in {ROLES}");
        none("the operator has the least rights", &check(roles));
    }

    #[test]
    fn mighty_rules_are_refused() {
        places(&sample("{apiGroups: [batch], resources: [jobs], verbs: [create]}"), &[]);
        places(&sample("{apiGroups: ['*'], resources: [jobs], verbs: [get]}"), &["a"]);
        places(
            &sample("{apiGroups: [''], resources: [pods, secrets], verbs: ['*']}"),
            &["a", "a"],
        );
        places(&sample("{apiGroups: [''], resources: [secrets], verbs: [get]}"), &[]);
        places(
            &sample("{apiGroups: [''], resources: [pods, secrets], verbs: [get, list]}"),
            &["a"],
        );
        places(
            &sample("{apiGroups: [rbac], resources: [roles], verbs: [bind]}"),
            &["a", "a"],
        );
    }
}
