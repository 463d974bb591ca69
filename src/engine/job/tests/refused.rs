//! What is refused, where, and with what advice.

use serde_json::{Value, json};

use super::{Said, merged};

/// A Task that says this beside its image has one problem: at this path, with these words.
fn check(task: &Value, path: &str, words: &str) {
    let said = Said {
        task: merged(json!({"image": "i"}), task.clone()),
        ..Said::default()
    };
    let problems = said.problems();
    assert_eq!(problems.len(), 1, "{task}: {problems:?}");
    let problem = problems.first().unwrap();
    assert!(
        problem.starts_with(&format!("task:spec.job.{path}: ")) && problem.contains(words),
        "{task}: {problem}"
    );
}

#[test]
fn reserved_names_never_come_from_users() {
    for key in [
        "jobwright.dev/run",
        "app.kubernetes.io/managed-by",
        "batch.kubernetes.io/x",
        "controller-uid",
        "job-name",
    ] {
        check(
            &json!({"metadata": {"labels": {key: "x"}}}),
            &format!("metadata.labels[{key}]"),
            "reserved",
        );
        check(
            &json!({"metadata": {"annotations": {key: "x"}}}),
            &format!("metadata.annotations[{key}]"),
            "reserved",
        );
    }
    for name in ["INPUT_X", "JOBWRIGHT_RUN", "TRACEPARENT", "INPUT_"] {
        check(
            &json!({"env": [{"name": "OK"}, {"name": name}]}),
            "env[1].name",
            "reserved",
        );
        check(
            &json!({"sidecars": [{"name": "s", "image": "s", "env": [{"name": name}]}]}),
            "sidecars[0].env[0].name",
            "reserved",
        );
    }
    check(
        &json!({"envFrom": [{"prefix": "INPUT_", "configMapRef": {"name": "c"}}]}),
        "envFrom[0].prefix",
        "reserved",
    );
    let fine = json!({"image": "i", "metadata": {"labels": {"job-names": "x", "app.kubernetes.io/name": "x"}}, "env": [{"name": "MY_INPUT_X"}]});
    assert_eq!(
        Said {
            task: fine,
            ..Said::default()
        }
        .problems(),
        Vec::<String>::new()
    );
}

#[test]
fn names_and_labels_are_kubernetes_own() {
    for value in ["x".repeat(64).as_str(), "a/b", "-a", "a b", "é"] {
        check(
            &json!({"metadata": {"labels": {"team": value}}}),
            "metadata.labels[team]",
            "value of a label",
        );
        check(
            &json!({"pod": {"nodeSelector": {"team": value}}}),
            "pod.nodeSelector[team]",
            "value of a label",
        );
    }
    for key in ["", "a/b/c", "/a", "a/", "UP/a"] {
        check(
            &json!({"metadata": {"annotations": {key: ""}}}),
            &format!("metadata.annotations[{key}]"),
            "key",
        );
    }
    check(&json!({"env": [{"name": "A=B"}]}), "env[0].name", "variable");
    check(&json!({"env": [{"name": ""}]}), "env[0].name", "variable");
}

#[test]
fn no_step_has_power_over_the_node() {
    check(
        &json!({"pod": {"volumes": [{"name": "v", "hostPath": {"path": "/"}}]}}),
        "pod.volumes[0].hostPath",
        "claim",
    );
    check(
        &json!({"securityContext": {"privileged": true}}),
        "securityContext.privileged",
        "node",
    );
    check(
        &json!({"initContainers": [{"name": "x", "image": "x", "securityContext": {"privileged": true}}]}),
        "initContainers[0].securityContext.privileged",
        "node",
    );
    check(
        &json!({"sidecars": [{"name": "x", "image": "x", "ports": [{"containerPort": 1, "hostPort": 1}]}]}),
        "sidecars[0].ports[0].hostPort",
        "node",
    );
    check(
        &json!({"pod": {"securityContext": {"windowsOptions": {"hostProcess": true}}}}),
        "pod.securityContext.windowsOptions.hostProcess",
        "node",
    );
    check(
        &json!({"pod": {"priorityClassName": "system-node-critical"}}),
        "pod.priorityClassName",
        "cluster's own",
    );
}

#[test]
fn containers_around_the_step() {
    check(
        &json!({"sidecars": [{"name": "x", "image": "x", "restartPolicy": "Always"}]}),
        "sidecars[0].restartPolicy",
        "leave this out",
    );
    check(
        &json!({"initContainers": [{"name": "x", "image": "x", "restartPolicyRules": []}]}),
        "initContainers[0].restartPolicyRules",
        "leave this out",
    );
    check(
        &json!({"initContainers": [{"name": "main", "image": "x"}]}),
        "initContainers[0].name",
        "two containers are named main",
    );
    check(
        &json!({"sidecars": [{"name": "x", "image": "x"}], "initContainers": [{"name": "x", "image": "x"}]}),
        "initContainers[0].name",
        "two containers",
    );
    check(&json!({"sidecars": [{"name": "x"}]}), "sidecars[0].image", "no image");
}

#[test]
fn programs() {
    check(
        &json!({"script": "true", "command": ["x"]}),
        "script",
        "leave out command and args",
    );
    check(
        &json!({"script": "true", "args": ["x"]}),
        "script",
        "leave out command and args",
    );
    check(&json!({"interpreter": ["bash"]}), "interpreter", "needs a script");
    check(
        &json!({"command": ["sh", "-c", "echo $(INPUT_X)"]}),
        "command[2]",
        "\"$INPUT_X\", in double quotes",
    );
    check(
        &json!({"command": ["bash"], "args": ["-ec", "echo $(INPUT_X)"]}),
        "args[1]",
        "write the text as script",
    );
    check(&json!({"script": "a\0b"}), "script", "NUL");
    check(&json!({"args": ["a\0b"]}), "args", "NUL");
    check(&json!({"env": [{"name": "A", "value": "\0"}]}), "env[0].value", "NUL");
    check(
        &json!({"securityContext": {"runAsUser": 0}}),
        "securityContext",
        "runAsNonRoot: false",
    );
    check(
        &json!({"fieldsFrom": [{"field": "hostNetwork", "expression": "true"}]}),
        "fieldsFrom[0].field",
        "cannot be computed",
    );
    check(
        &json!({"fieldsFrom": [{"field": "image", "expression": "a"}, {"field": "image", "expression": "b"}]}),
        "fieldsFrom[1].field",
        "twice",
    );
}

#[test]
fn an_image_is_needed_from_somewhere() {
    let problems = |task: Value, step: Value| {
        Said {
            task,
            step,
            ..Said::default()
        }
        .problems()
    };
    assert_eq!(
        problems(json!({}), Value::Null),
        ["task:spec.job.image: no image: write the image that the step runs"]
    );
    assert_eq!(
        problems(Value::Null, json!({})),
        ["spec.steps[0].job.image: no image: write the image that the step runs"]
    );
    assert!(problems(json!({}), json!({"image": "i"})).is_empty());
    assert!(
        problems(
            json!({"fieldsFrom": [{"field": "image", "expression": "inputs.i"}]}),
            Value::Null
        )
        .is_empty()
    );
}

#[test]
fn a_problem_stands_where_it_was_written() {
    let said = Said {
        settings: json!({"jobClasses": {"gpu-large": {}, "gpu-small": {}}}),
        workflow: json!({"labels": {"job-name": "x"}}),
        task: json!({"image": "i", "script": "true", "class": "gpu-large"}),
        step: json!({"args": ["x"], "class": "gpu-larg"}),
    };
    let problems = said.problems();
    let starts = [
        "spec.jobDefaults.labels[job-name]: job-name is reserved",
        "spec.steps[0].job.class: there is no class gpu-larg: did you mean gpu-large? Known are gpu-large, gpu-small",
        "spec.steps[0].job.script: a script is the whole program",
    ];
    assert_eq!(problems.len(), starts.len(), "{problems:?}");
    for (problem, start) in problems.iter().zip(starts) {
        assert!(problem.starts_with(start), "{problem}");
    }
}
