//! The Job of an attempt.

use jobwright_api::{Reason, policy::Timeouts, settings::Layer};
use k8s_openapi::api::batch::v1::Job;
use serde_json::{Value, json};
use std::collections::BTreeMap;

use super::{Said, merged};
use crate::{
    definition::StepDefinition,
    id::{RunIdentity, StepId},
    job::{Attempt, INPUT_BYTES_MAX, Unbuildable, build, pod_of},
};

/// The Job of a step with this task, these inputs and computed fields.
fn made(task: Value, inputs: &Value, fields: &Value, enforced: &Value) -> Result<Job, Unbuildable> {
    let said = Said {
        task: merged(json!({"image": "registry.local/tools:1"}), task),
        ..Said::default()
    };
    let step = StepDefinition {
        name: "count".to_owned(),
        task: Some("count".to_owned()),
        timeouts: serde_json::from_value::<Timeouts>(json!({"scheduleToStart": "1h", "startToClose": "10m"})).unwrap(),
        job: said.fold().unwrap(),
        ..StepDefinition::default()
    };
    let run = RunIdentity {
        namespace: "team-a".to_owned(),
        name: "report".to_owned(),
        uid: "3d5f2c1e-0000-4000-8000-000000000001".to_owned(),
        run: 2,
    };
    let values = |object: &Value| {
        object
            .as_object()
            .cloned()
            .unwrap_or_default()
            .into_iter()
            .collect::<BTreeMap<_, _>>()
    };
    let attempt = Attempt {
        run: &run,
        id: &StepId::root("count"),
        number: 1,
        step: &step,
        inputs: &values(inputs),
        fields: &values(fields),
        idempotency_key: "key",
        carried: Some(r#"{"list":{}}"#.to_owned()),
    };
    let enforced: Layer = serde_json::from_value(enforced.clone()).unwrap();
    let job = build(&attempt, &enforced);
    assert_eq!(job, build(&attempt, &enforced));
    job
}

fn json_of(job: &Job) -> Value {
    serde_json::to_value(job).unwrap()
}

#[test]
fn a_whole_job() {
    let task = json!({
        "command": ["/bin/count", "--top=$(INPUT_TOP)", "$(INPUT_FILE)"],
        "env": [{"name": "WHERE", "value": "/data/$(INPUT_FILE)"}],
        "metadata": {"labels": {"team": "data"}, "annotations": {"docs": "https://x"}},
        "pod": {"nodeSelector": {"disk": "ssd"}}});
    let job = made(task, &json!({"top": 10, "file": "a.txt"}), &json!({}), &json!({})).unwrap();
    let golden: Value = serde_json::from_str(include_str!("whole_job.json")).unwrap();
    let text = serde_json::to_string_pretty(&json_of(&job)).unwrap();
    assert_eq!(json_of(&job), golden, "{text}");
}

/// What Kubernetes makes of a value: `$$` is `$`, and `$(NAME)` the variable.
fn expanded(value: &str) -> String {
    let mut out = String::new();
    let mut rest = value;
    while let Some((head, tail)) = rest.split_once('$') {
        out.push_str(head);
        rest = match tail.strip_prefix('$') {
            Some(tail) => {
                out.push('$');
                tail
            }
            None if tail.starts_with('(') => panic!("{value} would be expanded"),
            None => {
                out.push('$');
                tail
            }
        };
    }
    out.push_str(rest);
    out
}

fn env(job: &Job, name: &str) -> Option<String> {
    let container = job.spec.as_ref()?.template.spec.as_ref()?.containers.first()?;
    container
        .env
        .as_ref()?
        .iter()
        .find(|variable| variable.name == name)?
        .value
        .clone()
}

#[test]
fn values_arrive_byte_for_byte() {
    for text in [
        "$(HOME)",
        "$$",
        "$",
        "$$(A)",
        "$(INPUT_TOP)",
        "$$$",
        "a$",
        "$(",
        "'; id; '",
        "`id`",
        "$(id)",
        "\"",
        "\\n",
        "a\nb\r\n",
        "\t ",
        "",
        "{{ inputs.x }}",
        "${x}",
        "steps.list.outputs",
        "😀 é e\u{301} \u{202e} \u{200d}",
        "\u{1}\u{7f}",
    ] {
        let job = made(json!({}), &json!({"x": text}), &json!({}), &json!({})).unwrap();
        assert_eq!(expanded(&env(&job, "INPUT_X").unwrap()), text);
        let script = json!({"script": format!("x{text}")});
        let job = json_of(&made(script, &json!({}), &json!({}), &json!({})).unwrap());
        let command = job.pointer("/spec/template/spec/containers/0/command").unwrap();
        assert_eq!(command.as_array().unwrap().len(), 3, "one argument");
        assert_eq!(expanded(command[2].as_str().unwrap()), format!("x{text}"));
    }
    for (value, expected) in [
        (json!(10), "10"),
        (json!(1.5), "1.5"),
        (json!(true), "true"),
        (json!(["$(A)", {"b": null}]), r#"["$(A)",{"b":null}]"#),
        (json!({"nul": "\0"}), r#"{"nul":"\u0000"}"#),
    ] {
        let job = made(json!({}), &json!({"x": value}), &json!({}), &json!({})).unwrap();
        assert_eq!(expanded(&env(&job, "INPUT_X").unwrap()), expected);
    }
}

#[test]
fn values_that_do_not_fit_are_refused_before_the_job() {
    let wrong = |inputs: Value| made(json!({}), &inputs, &json!({}), &json!({})).unwrap_err();
    let nul = wrong(json!({"x": "a\0b"}));
    assert_eq!(
        (nul.reason, nul.message.contains("input x has a NUL")),
        (Reason::InvalidInput, true)
    );
    let room = INPUT_BYTES_MAX - "INPUT_X".len();
    assert!(made(json!({}), &json!({"x": "$".repeat(room)}), &json!({}), &json!({})).is_ok());
    let large = wrong(json!({"x": "$".repeat(room + 1)}));
    assert_eq!(
        (large.reason, large.message.contains("hand over a reference")),
        (Reason::TooLarge, true)
    );
    let sum = wrong(json!({"x": "a".repeat(room / 2), "y": "a".repeat(room / 2 + 1)}));
    assert_eq!(sum.reason, Reason::TooLarge);
}

/// The pod spec of a step that computes this field, or why there is none.
fn computed(field: &str, value: &Value) -> Result<Value, String> {
    let task = json!({"fieldsFrom": [{"field": field, "expression": "x"}], "pod": {"nodeSelector": {"zone": "a"}}});
    let job = made(task, &json!({}), &json!({ field: value }), &json!({}));
    job.map(|job| json_of(&job)["spec"]["template"]["spec"].clone())
        .map_err(|wrong| {
            assert_eq!(wrong.reason, Reason::InvalidInput);
            wrong.message
        })
}

#[test]
fn computed_fields_are_set() {
    for (field, value, pointer, expected) in [
        ("image", json!("r/i:2"), "/containers/0/image", json!("r/i:2")),
        ("priorityClassName", json!("low"), "/priorityClassName", json!("low")),
        (
            "nodeSelector",
            json!({"disk": "ssd"}),
            "/nodeSelector",
            json!({"disk": "ssd", "zone": "a"}),
        ),
        (
            "resources.limits.memory",
            json!("64Mi"),
            "/containers/0/resources/limits/memory",
            json!("64Mi"),
        ),
        (
            "resources.requests.cpu",
            json!(2),
            "/containers/0/resources/requests/cpu",
            json!("2"),
        ),
        (
            "resources.limits.nvidia.com/gpu",
            json!(1),
            "/containers/0/resources/limits/nvidia.com~1gpu",
            json!("1"),
        ),
    ] {
        assert_eq!(
            computed(field, &value).unwrap().pointer(pointer),
            Some(&expected),
            "{field}"
        );
    }
}

#[test]
fn computed_fields_of_the_wrong_kind_are_refused() {
    for (field, value, words) in [
        (
            "image",
            json!(1),
            "fieldsFrom image: it must be a string, and is of type integer",
        ),
        ("image", json!(""), "cannot be the name of an image"),
        ("image", json!("a b"), "cannot be the name of an image"),
        ("priorityClassName", json!("system-cluster-critical"), "cluster's own"),
        ("priorityClassName", json!("A b"), "priority class"),
        ("nodeSelector", json!(["a"]), "is of type array"),
        ("nodeSelector", json!({"a": 1}), "is of type integer"),
        ("nodeSelector", json!({"a": "b c"}), "label of a node"),
        (
            "resources.limits.memory",
            json!("lots"),
            "fieldsFrom resources.limits.memory: lots is not a quantity",
        ),
        ("resources.limits.memory", json!(-1), "is not a quantity"),
        ("resources.limits.memory", json!(null), "is of type null"),
    ] {
        let message = computed(field, &value).unwrap_err();
        assert!(message.contains(words), "{message}");
    }
}

#[test]
fn enforced_is_above_computed_and_our_marks_above_all() {
    let task = json!({"fieldsFrom": [{"field": "priorityClassName", "expression": "x"}]});
    let enforced = json!({"priorityClassName": "low", "labels": {"jobwright.dev/run": "99", "team": "x"}, "env": [{"name": "HTTP_PROXY", "value": "p"}]});
    let job = json_of(&made(task, &json!({}), &json!({"priorityClassName": "high"}), &enforced).unwrap());
    for (pointer, expected) in [
        ("/spec/template/spec/priorityClassName", "low"),
        ("/metadata/labels/jobwright.dev~1run", "2"),
        ("/spec/template/metadata/labels/jobwright.dev~1run", "2"),
        ("/spec/template/metadata/labels/team", "x"),
    ] {
        assert_eq!(job.pointer(pointer), Some(&json!(expected)), "{pointer}");
    }
}

#[test]
fn the_pod_of_a_job_is_the_controllers() {
    let job = made(
        json!({"metadata": {"labels": {"team": "data"}}}),
        &json!({}),
        &json!({}),
        &json!({}),
    )
    .unwrap();
    let (pod, job) = (pod_of(&job), json_of(&job));
    let pod = serde_json::to_value(pod).unwrap();
    assert_eq!(pod["spec"], job["spec"]["template"]["spec"]);
    assert_eq!(pod["metadata"]["namespace"], "team-a");
    assert_eq!(pod["metadata"]["labels"]["team"], "data");
    assert_eq!(pod["metadata"]["labels"]["job-name"], job["metadata"]["name"]);
    assert!(
        pod["metadata"]["annotations"]
            .get("jobwright.dev/carried-results")
            .is_none()
    );
}
