//! The two kinds of patches that the operator sends.

use serde_json::Value;

/// RFC 7386, section 2, to the letter.
pub(crate) fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(serde_json::Map::new());
    }
    let members = target.as_object_mut().unwrap();
    for (name, value) in patch {
        if value.is_null() {
            members.remove(name);
        } else {
            merge(members.entry(name.clone()).or_insert(Value::Null), value);
        }
    }
}

/// RFC 6902, as far as it is used: add, replace and remove of members of objects.
pub(crate) fn edit(target: &mut Value, operations: &[Value]) {
    for operation in operations {
        let path = operation["path"].as_str().unwrap();
        let mut names: Vec<String> = path
            .split('/')
            .skip(1)
            .map(|name| name.replace("~1", "/").replace("~0", "~"))
            .collect();
        let last = names.pop().unwrap();
        let mut at = &mut *target;
        for name in &names {
            at = at.get_mut(name).unwrap();
        }
        let members = at.as_object_mut().unwrap();
        match operation["op"].as_str().unwrap() {
            "remove" => drop(members.remove(&last)),
            _ => drop(members.insert(last, operation["value"].clone())),
        }
    }
}
