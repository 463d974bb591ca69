//! Which source wins, and how two join.

use serde_json::{Value, json};

use super::{Said, at, merged};
use crate::{
    definition::JobTemplate,
    job::{check_settings, enforce},
};

const SOURCES: [&str; 6] = ["defaults", "class", "workflow", "task", "step", "enforced"];

/// Where each source says a field, in the order of `SOURCES`, and where it ends up.
struct Field {
    places: [&'static str; 6],
    pointer: &'static str,
}

/// A field that the operator's layers call `layer`. Empty: the source cannot say it.
const fn field(pointer: &'static str, layer: &'static str, [workflow, task, step]: [&'static str; 3]) -> Field {
    Field {
        places: [layer, layer, workflow, task, step, layer],
        pointer,
    }
}

const FIELDS: [Field; 14] = [
    field(
        "/pod/spec/nodeSelector/disk",
        "nodeSelector.disk",
        ["nodeSelector.disk", "pod.nodeSelector.disk", "nodeSelector.disk"],
    ),
    field(
        "/pod/spec/nodeSelector/disk",
        "",
        ["", "nodeSelector.disk", "nodeSelector.disk"],
    ),
    field(
        "/pod/spec/containers/0/resources/limits/cpu",
        "resources.limits.cpu",
        ["resources.limits.cpu"; 3],
    ),
    field(
        "/pod/metadata/labels/team",
        "labels.team",
        ["labels.team", "metadata.labels.team", ""],
    ),
    field(
        "/pod/metadata/annotations/team",
        "annotations.team",
        ["annotations.team", "metadata.annotations.team", ""],
    ),
    field(
        "/pod/spec/containers/0/imagePullPolicy",
        "imagePullPolicy",
        ["", "imagePullPolicy", "imagePullPolicy"],
    ),
    field(
        "/pod/spec/serviceAccountName",
        "serviceAccountName",
        ["", "pod.serviceAccountName", ""],
    ),
    field(
        "/pod/spec/schedulerName",
        "schedulerName",
        ["", "pod.schedulerName", ""],
    ),
    field(
        "/pod/spec/priorityClassName",
        "priorityClassName",
        ["", "pod.priorityClassName", ""],
    ),
    field(
        "/pod/spec/runtimeClassName",
        "runtimeClassName",
        ["", "pod.runtimeClassName", ""],
    ),
    field(
        "/pod/spec/securityContext/fsGroupChangePolicy",
        "podSecurityContext.fsGroupChangePolicy",
        ["", "pod.securityContext.fsGroupChangePolicy", ""],
    ),
    field(
        "/pod/spec/containers/0/securityContext/procMount",
        "securityContext.procMount",
        ["", "securityContext.procMount", ""],
    ),
    field(
        "/pod/spec/containers/0/workingDir",
        "",
        ["", "workingDir", "workingDir"],
    ),
    field("/pod/spec/containers/0/image", "", ["", "image", "image"]),
];

/// The value that `field` has, if each of `sources` sets it to what `value` gives for its name.
fn result(field: &Field, sources: &[&str], value: impl Fn(&str) -> Value) -> Value {
    let mut said = Said {
        settings: json!({"jobClasses": {"c": {}}}),
        task: json!({"image": "i", "class": "c"}),
        ..Said::default()
    };
    let places = SOURCES.iter().zip(field.places);
    for (source, place) in places.filter(|(source, _)| sources.contains(source)) {
        let value = value(source);
        let (said, place) = match *source {
            "class" => (&mut said.settings, format!("jobClasses.c.{place}")),
            "workflow" => (&mut said.workflow, place.to_owned()),
            "task" => (&mut said.task, place.to_owned()),
            "step" => (&mut said.step, place.to_owned()),
            layer => (&mut said.settings, format!("{layer}.{place}")),
        };
        *said = merged(said.take(), at(&place, &value));
    }
    let mut template = said.fold().unwrap();
    let enforced = serde_json::from_value(said.settings["enforced"].clone()).unwrap_or_default();
    enforce(&mut template, &enforced);
    let template = serde_json::to_value(template).unwrap();
    template.pointer(field.pointer).cloned().unwrap_or_default()
}

#[test]
fn a_nearer_source_wins() {
    for field in &FIELDS {
        let says: Vec<_> = SOURCES
            .iter()
            .zip(field.places)
            .filter(|(_, place)| !place.is_empty())
            .collect();
        for (index, (above, _)) in says.iter().enumerate() {
            for (below, _) in says.iter().take(index) {
                let value = result(field, &[below, above], |source| json!(source));
                assert_eq!(value, json!(above), "{}: {below} < {above}", field.pointer);
            }
            assert_eq!(
                result(field, &[above], |source| json!(source)),
                json!(above),
                "{} of {above}",
                field.pointer
            );
        }
    }
    let ttl = field(
        "/ttlSecondsAfterFinished",
        "ttlSecondsAfterFinished",
        ["ttlSecondsAfterFinished", "", ""],
    );
    let seconds = |source: &str| json!(SOURCES.iter().position(|other| *other == source));
    assert_eq!(result(&ttl, &["defaults", "workflow"], seconds), json!(2));
    assert_eq!(result(&ttl, &["workflow", "enforced"], seconds), json!(5));
}

#[test]
fn sources_join() {
    let toleration = |key: &str| json!({"key": key, "operator": "Exists"});
    let said = Said {
        settings: json!({"defaults": {
            "nodeSelector": {"zone": "a", "disk": "hdd"}, "tolerations": [toleration("all")], "imagePullSecrets": [{"name": "all"}],
            "env": [{"name": "HTTP_PROXY", "value": "http://proxy"}, {"name": "LEVEL", "value": "info"}],
            "affinity": {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}},
            "podSecurityContext": {"runAsUser": 1000, "seccompProfile": {"type": "Localhost", "localhostProfile": "x.json"}},
            "resources": {"limits": {"memory": "64Mi"}, "requests": {"cpu": "1"}}}}),
        workflow: json!({"tolerations": [toleration("all"), toleration("run")], "imagePullSecrets": [{"name": "run"}, {"name": "all"}]}),
        task: json!({
            "image": "i", "args": ["a", "b"], "env": [{"name": "A", "value": "1"}, {"name": "LEVEL", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
            "pod": {"nodeSelector": {"disk": "ssd"}, "tolerations": [toleration("task")], "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}},
                    "affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}}},
            "resources": {"limits": {"cpu": "2"}},
        }),
        step: json!({"args": ["c"], "tolerations": [toleration("step"), toleration("task")], "env": [{"name": "B", "value": "$(A)"}]}),
    };
    for (pointer, expected) in [
        ("/pod/spec/nodeSelector", json!({"zone": "a", "disk": "ssd"})),
        (
            "/pod/spec/tolerations",
            json!([
                toleration("all"),
                toleration("run"),
                toleration("task"),
                toleration("step")
            ]),
        ),
        ("/pod/spec/imagePullSecrets", json!([{"name": "all"}, {"name": "run"}])),
        ("/pod/spec/containers/0/args", json!(["c"])),
        (
            "/pod/spec/containers/0/resources",
            json!({"limits": {"memory": "64Mi", "cpu": "2"}, "requests": {"cpu": "1"}}),
        ),
        (
            "/pod/spec/containers/0/env",
            json!([
            {"name": "HTTP_PROXY", "value": "http://proxy"}, {"name": "A", "value": "1"},
            {"name": "LEVEL", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}, {"name": "B", "value": "$(A)"}]),
        ),
        (
            "/pod/spec/affinity",
            json!({
            "nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []},
            "podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}}),
        ),
        (
            "/pod/spec/securityContext",
            json!({"runAsNonRoot": true, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}}),
        ),
    ] {
        assert_eq!(said.folded(pointer), expected, "{pointer}");
    }
}

#[test]
fn the_class_is_the_nearest_named_and_lies_below_the_workflow() {
    let classes = json!({"jobClasses": {
        "of-run": {"schedulerName": "run"}, "of-task": {"schedulerName": "task"}, "of-step": {"schedulerName": "step", "nodeSelector": {"disk": "class"}}}});
    let (run, task, step) = (
        json!({"class": "of-run", "nodeSelector": {"disk": "run"}}),
        json!({"image": "i", "class": "of-task"}),
        json!({"class": "of-step"}),
    );
    let said = |workflow: &Value, task: &Value, step: &Value| Said {
        settings: classes.clone(),
        workflow: workflow.clone(),
        task: task.clone(),
        step: step.clone(),
    };
    assert_eq!(said(&run, &task, &step).folded("/pod/spec/schedulerName"), "step");
    assert_eq!(said(&run, &task, &json!({})).folded("/pod/spec/schedulerName"), "task");
    assert_eq!(
        said(&run, &json!({"image": "i"}), &json!({})).folded("/pod/spec/schedulerName"),
        "run"
    );
    assert_eq!(said(&run, &task, &step).folded("/pod/spec/nodeSelector/disk"), "run");
}

#[test]
fn a_program_is_replaced_as_a_whole() {
    let command = "/pod/spec/containers/0/command";
    let args = "/pod/spec/containers/0/args";
    let script = json!({"image": "i", "script": "echo $A", "interpreter": ["python", "-c"]});
    let plain = json!({"image": "i", "command": ["/bin/count"], "args": ["--all"]});
    for (task, step, expected) in [
        (&script, json!({}), json!([["python", "-c", "echo $$A"], null])),
        (
            &script,
            json!({"script": "exit 0"}),
            json!([["python", "-c", "exit 0"], null]),
        ),
        (
            &script,
            json!({"interpreter": ["bash", "-c"]}),
            json!([["bash", "-c", "echo $$A"], null]),
        ),
        (&script, json!({"command": ["/bin/true"]}), json!([["/bin/true"], null])),
        (
            &plain,
            json!({"script": "exit 0"}),
            json!([["/bin/sh", "-ec", "exit 0"], null]),
        ),
        (&plain, json!({"args": ["--one"]}), json!([["/bin/count"], ["--one"]])),
        (
            &plain,
            json!({"command": ["/bin/sum"]}),
            json!([["/bin/sum"], ["--all"]]),
        ),
    ] {
        let said = Said {
            task: task.clone(),
            step: step.clone(),
            ..Said::default()
        };
        assert_eq!(json!([said.folded(command), said.folded(args)]), expected, "{step}");
    }
}

#[test]
fn computed_fields_and_written_ones_replace_each_other() {
    let computed = |field: &str, by: &str| json!({"field": field, "expression": by});
    let said = |step: Value| Said {
        task: json!({"image": "i", "fieldsFrom": [computed("image", "inputs.a"), computed("resources.limits.memory", "inputs.b"), computed("nodeSelector", "inputs.c")]}),
        step,
        ..Said::default()
    };
    for (step, expected) in [
        (
            json!({"image": "j"}),
            json!([
                computed("resources.limits.memory", "inputs.b"),
                computed("nodeSelector", "inputs.c")
            ]),
        ),
        (
            json!({"fieldsFrom": [computed("image", "inputs.x")]}),
            json!([
                computed("resources.limits.memory", "inputs.b"),
                computed("nodeSelector", "inputs.c"),
                computed("image", "inputs.x")
            ]),
        ),
        (
            json!({"resources": {"limits": {"memory": "1Gi"}}, "nodeSelector": {"a": "b"}}),
            json!([computed("image", "inputs.a"), computed("nodeSelector", "inputs.c")]),
        ),
    ] {
        assert_eq!(said(step).folded("/fieldsFrom"), expected);
    }
}

#[test]
fn every_container_is_restricted_until_someone_says_otherwise() {
    let said = Said {
        settings: json!({"defaults": {"imagePullPolicy": "Always", "securityContext": {"readOnlyRootFilesystem": true}}}),
        task: json!({
            "image": "i", "securityContext": {"capabilities": {"add": ["NET_BIND_SERVICE"]}},
            "initContainers": [{"name": "fetch", "image": "f", "securityContext": {"runAsUser": 7}}],
            "sidecars": [{"name": "proxy", "image": "p", "imagePullPolicy": "Never", "securityContext": {"readOnlyRootFilesystem": false}}]}),
        ..Said::default()
    };
    let security = |more: Value| {
        merged(
            json!({"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}, "readOnlyRootFilesystem": true}),
            more,
        )
    };
    for (pointer, expected) in [
        (
            "/pod/spec/containers/0/securityContext",
            security(json!({"capabilities": {"add": ["NET_BIND_SERVICE"]}})),
        ),
        // Sidecars first: the init containers can use them.
        (
            "/pod/spec/initContainers",
            json!([
            {"name": "proxy", "image": "p", "restartPolicy": "Always", "imagePullPolicy": "Never", "securityContext": security(json!({"readOnlyRootFilesystem": false}))},
            {"name": "fetch", "image": "f", "imagePullPolicy": "Always", "securityContext": security(json!({"runAsUser": 7}))}]),
        ),
        (
            "/pod/spec/securityContext",
            json!({"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}}),
        ),
        ("/pod/spec/automountServiceAccountToken", json!(false)),
        ("/pod/spec/enableServiceLinks", json!(false)),
        ("/pod/spec/restartPolicy", json!("Never")),
    ] {
        assert_eq!(said.folded(pointer), expected, "{pointer}");
    }
    let token = Said {
        task: json!({"image": "i", "pod": {"automountServiceAccountToken": true}}),
        ..Said::default()
    };
    assert_eq!(token.folded("/pod/spec/automountServiceAccountToken"), true);
}

#[test]
fn enforced_settings_reach_every_container_and_come_last() {
    let task = json!({"image": "i", "env": [{"name": "HTTP_PROXY", "value": "none"}], "sidecars": [{"name": "s", "image": "s", "imagePullPolicy": "Never"}]});
    let mut template = Said {
        task,
        ..Said::default()
    }
    .fold()
    .unwrap();
    let enforced = serde_json::from_value(json!({
        "imagePullPolicy": "Always", "env": [{"name": "HTTP_PROXY", "value": "http://proxy"}],
        "securityContext": {"readOnlyRootFilesystem": true}, "podSecurityContext": {"runAsUser": 65534}}))
    .unwrap();
    enforce(&mut template, &enforced);
    let once: JobTemplate = template.clone();
    enforce(&mut template, &enforced);
    assert_eq!(template, once, "twice is once");
    let template = serde_json::to_value(template).unwrap();
    for (pointer, expected) in [
        ("/pod/spec/containers/0/imagePullPolicy", json!("Always")),
        ("/pod/spec/initContainers/0/imagePullPolicy", json!("Always")),
        ("/pod/spec/initContainers/0/name", json!("s")),
        (
            "/pod/spec/initContainers/0/securityContext/readOnlyRootFilesystem",
            json!(true),
        ),
        (
            "/pod/spec/containers/0/env",
            json!([{"name": "HTTP_PROXY", "value": "http://proxy"}]),
        ),
        ("/pod/spec/securityContext/runAsUser", json!(65534)),
    ] {
        assert_eq!(template.pointer(pointer), Some(&expected), "{pointer}");
    }
}

#[test]
fn the_operators_own_settings_are_checked_too() {
    let settings = serde_json::from_value(json!({
        "defaults": {"labels": {"jobwright.dev/run": "1"}}, "enforced": {"env": [{"name": "INPUT_X", "value": ""}]},
        "jobClasses": {"gpu": {"nodeSelector": {"disk": "a b"}}}}))
    .unwrap();
    let paths: Vec<_> = check_settings(&settings)
        .into_iter()
        .map(|problem| problem.path)
        .collect();
    assert_eq!(
        paths,
        [
            "defaults.labels[jobwright.dev/run]",
            "enforced.env[0].name",
            "jobClasses[gpu].nodeSelector[disk]"
        ]
    );
}
