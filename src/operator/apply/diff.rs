//! The difference between two statuses, as a patch that changes nothing else.

use serde_json::{Map, Value, json};

/// A patch of one status.
#[derive(Clone, Debug, PartialEq)]
pub enum Patch {
    /// RFC 7386.
    Merge(Value),
    /// RFC 6902: where a value holds a null, which a merge patch would take for "remove".
    Json(Value),
}

/// What turns `status` from one into the other, guarded by a resourceVersion. None: they are equal.
///
/// Fields that neither has are not touched, so what a newer version of the operator wrote survives.
#[must_use]
pub fn status(version: &str, from: &Value, to: &Value) -> Option<Patch> {
    let changes = merge(from, to)?;
    if is_mergeable(to) {
        let patch = json!({ "metadata": { "resourceVersion": version }, "status": changes });
        return Some(Patch::Merge(patch));
    }
    let mut operations = vec![json!({ "op": "replace", "path": "/metadata/resourceVersion", "value": version })];
    let is_first = from.as_object().is_none_or(Map::is_empty);
    if is_first {
        operations.push(json!({ "op": "add", "path": "/status", "value": to }));
    } else {
        edits(from, to, "/status", &mut operations);
    }
    Some(Patch::Json(Value::Array(operations)))
}

/// The merge patch between two values, none if they are equal.
fn merge(from: &Value, to: &Value) -> Option<Value> {
    if from == to {
        return None;
    }
    let (Value::Object(from), Value::Object(to)) = (from, to) else {
        return Some(to.clone());
    };
    let mut patch = Map::new();
    for name in from.keys().filter(|name| !to.contains_key(*name)) {
        patch.insert(name.clone(), Value::Null);
    }
    for (name, value) in to {
        let change = match from.get(name) {
            Some(before) => merge(before, value),
            None => Some(value.clone()),
        };
        if let Some(change) = change {
            patch.insert(name.clone(), change);
        }
    }
    Some(Value::Object(patch))
}

/// Whether no object in it, outside arrays, has a member that is null.
fn is_mergeable(value: &Value) -> bool {
    match value {
        Value::Object(members) => members.values().all(|member| !member.is_null() && is_mergeable(member)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => true,
    }
}

fn edits(from: &Value, to: &Value, path: &str, operations: &mut Vec<Value>) {
    if from == to {
        return;
    }
    let (Value::Object(from), Value::Object(to)) = (from, to) else {
        operations.push(json!({ "op": "add", "path": path, "value": to }));
        return;
    };
    let at = |name: &str| format!("{path}/{}", name.replace('~', "~0").replace('/', "~1"));
    for name in from.keys().filter(|name| !to.contains_key(*name)) {
        operations.push(json!({ "op": "remove", "path": at(name) }));
    }
    for (name, value) in to {
        match from.get(name) {
            Some(before) => edits(before, value, &at(name), operations),
            None => operations.push(json!({ "op": "add", "path": at(name), "value": value })),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// RFC 7386, section 2, to the letter.
    fn apply_merge(target: &mut Value, patch: &Value) {
        let Value::Object(patch) = patch else {
            *target = patch.clone();
            return;
        };
        if !target.is_object() {
            *target = json!({});
        }
        let members = target.as_object_mut().unwrap();
        for (name, value) in patch {
            if value.is_null() {
                members.remove(name);
            } else {
                apply_merge(members.entry(name).or_insert(Value::Null), value);
            }
        }
    }

    /// RFC 6902, as far as it is used.
    fn apply_json(target: &mut Value, patch: &Value) {
        for operation in patch.as_array().unwrap() {
            let (parent, name) = operation["path"].as_str().unwrap().rsplit_once('/').unwrap();
            let name = name.replace("~1", "/").replace("~0", "~");
            let members = target.pointer_mut(parent).unwrap().as_object_mut().unwrap();
            match operation["op"].as_str().unwrap() {
                "remove" => members.remove(&name),
                _ => members.insert(name, operation["value"].clone()),
            };
        }
    }

    fn check(from: &Value, to: &Value) {
        let mut object = json!({ "metadata": { "resourceVersion": "7" }, "status": from });
        match status("7", from, to) {
            None => assert_eq!(from, to),
            Some(Patch::Merge(patch)) => apply_merge(&mut object, &patch),
            Some(Patch::Json(patch)) => apply_json(&mut object, &patch),
        }
        let expected = json!({ "metadata": { "resourceVersion": "7" }, "status": to });
        assert_eq!(object, expected);
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (0..3).prop_map(Value::from),
            "[a/~]{0,2}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
                object(inner),
            ]
        })
    }

    fn object(inner: impl Strategy<Value = Value>) -> impl Strategy<Value = Value> {
        prop::collection::btree_map("[ab/~]{1,2}", inner, 0..4)
            .prop_map(|members| Value::Object(members.into_iter().collect()))
    }

    proptest! {
        #[test]
        fn a_patched_status_is_the_wanted_one(from in object(value()), to in object(value())) {
            check(&from, &to);
        }
    }

    #[test]
    fn only_what_changed_is_sent() {
        let from = json!({"phase": "Running", "steps": {"a": {"phase": "Running"}, "b": {"seq": 1}}, "step": "a"});
        let to = json!({"phase": "Running", "steps": {"a": {"phase": "Succeeded"}, "b": {"seq": 1}}});
        let expected = json!({
            "metadata": {"resourceVersion": "7"},
            "status": {"steps": {"a": {"phase": "Succeeded"}}, "step": null}
        });
        assert_eq!(status("7", &from, &to), Some(Patch::Merge(expected)));
        assert_eq!(status("7", &to, &to), None);
    }

    #[test]
    fn a_null_in_an_output_survives() {
        let from = json!({"steps": {"a": {"phase": "Running"}}});
        let to = json!({"steps": {"a": {"phase": "Succeeded", "outputs": {"o": {"n": null}}}}});
        assert!(matches!(status("7", &from, &to), Some(Patch::Json(_))));
        check(&from, &to);
        check(&json!({}), &to);
    }
}
