//! Rows for `Workflow`: steps, values, retry and times.

use super::{ACCEPTED, Row, check, check_rows};

const MISSING_OR_UNKNOWN: &[Row] = &[
    (
        "{}",
        &["spec", "a Workflow has one source: write steps, or templateRef"],
    ),
    ("{steps: []}", &["spec.steps", "at least 1 item"]),
    (
        "{steps: null}",
        &["spec", "a Workflow has one source: write steps, or templateRef"],
    ),
    (
        "{templateRef: {name: t}, steps: [{name: a, task: {name: b}}]}",
        &["spec", "a Workflow has one source: write steps, or templateRef"],
    ),
    (
        "{templateRef: {name: t}, outputs: [{name: a, expression: '1'}]}",
        &["spec.templateRef", "are the template's: leave them out here"],
    ),
    ("{templateRef: {}}", &["spec.templateRef.name: Required value"]),
    (
        "{steps: [{name: a, workflow: {}}]}",
        &["spec.steps[0].workflow.templateRef: Required value"],
    ),
    (
        "{steps: [{name: a, workflow: {templateRef: {name: t}, onParentClose: Stop}}]}",
        &[
            "spec.steps[0].workflow.onParentClose",
            "\"Terminate\", \"Cancel\", \"Abandon\"",
        ],
    ),
    (
        "{steps: [{name: a}]}",
        &["spec.steps[0]", "a step has one kind", "task: {name: ...}"],
    ),
    ("{steps: [{task: {name: a}}]}", &["spec.steps[0].name: Required value"]),
    (
        "{steps: [{name: a, task: {}}]}",
        &["spec.steps[0].task.name: Required value"],
    ),
    (
        "{steps: [{name: a, job: {}}]}",
        &["spec.steps[0].job", "needs an image"],
    ),
    (
        "{steps: [{name: a, job: {command: [b]}}]}",
        &["spec.steps[0].job", "needs an image"],
    ),
    (
        "{steps: [{name: a, task: {name: b}, outputs: [{name: c}]}]}",
        &["spec.steps[0].outputs", "declared where they are made: in the Task"],
    ),
    (
        "{steps: [{name: a, task: {name: b, namespace: c}}]}",
        &["unknown field \"spec.steps[0].task.namespace\""],
    ),
    (
        "{steps: [{name: a, task: {name: b}, maxIteration: 3}]}",
        &["unknown field \"spec.steps[0].maxIteration\""],
    ),
    (
        "{steps: [{name: a, task: {name: b}, onFailure: Ignore}]}",
        &["spec.steps[0].onFailure", "must be of type object"],
    ),
    (
        "{steps: [{name: a, task: {name: b}, onFailure: {then: Ignore}}]}",
        &[
            "spec.steps[0].onFailure.then",
            "supported values: \"Fail\", \"Continue\", \"FailAtEnd\"",
        ],
    ),
    (
        "{runPolicy: Twice, steps: [{name: a, task: {name: b}}]}",
        &["spec.runPolicy", "supported values: \"Once\", \"OnChange\""],
    ),
    (
        "{steps: [{name: a, job: {image: b, pod: {hostNetwork: true}}}]}",
        &["unknown field \"spec.steps[0].job.pod\""],
    ),
    (
        "{steps: [{name: a, job: {image: b, envFrom: []}}]}",
        &["unknown field \"spec.steps[0].job.envFrom\""],
    ),
    (
        "{steps: [{name: a, job: {image: b, securityContext: {privileged: true}}}]}",
        &["unknown field \"spec.steps[0].job.securityContext\""],
    ),
    (
        "{steps: [{name: a, job: {image: b, volumeMounts: []}}]}",
        &["unknown field \"spec.steps[0].job.volumeMounts\""],
    ),
    ("{steps: [{name: a, task: {name: b}}]}", ACCEPTED),
    (
        "{steps: [{name: a, task: {name: b}, job: {image: c, command: [d]}}]}",
        ACCEPTED,
    ),
    (
        "{steps: [{name: a, job: {fieldsFrom: [{field: image, expression: inputs.x}]}}]}",
        ACCEPTED,
    ),
];

#[tokio::test]
async fn what_is_missing_or_unknown_is_named() {
    check_rows("Workflow", MISSING_OR_UNKNOWN).await;
}

const NAMES: &[Row] = &[
    (
        "{steps: [{name: my-step, task: {name: b}}]}",
        &["spec.steps[0].name", "\"my-step\"", "'-' is only for names of objects"],
    ),
    (
        "{steps: [{name: a, task: {name: my_task}}]}",
        &["spec.steps[0].task.name", "'_' is only for names of steps"],
    ),
    (
        "{steps: [{name: a, task: {name: ../b}}]}",
        &["spec.steps[0].task.name", "is not the name of a Kubernetes object"],
    ),
    (
        "{steps: [{name: a, task: {name: ''}}]}",
        &["spec.steps[0].task.name", "is not the name of a Kubernetes object"],
    ),
    (
        "{steps: [{name: \"a\\nb\", task: {name: b}}]}",
        &["spec.steps[0].name", "begin with a lower-case letter"],
    ),
    (
        "{steps: [{name: \"a\\n\", task: {name: b}}]}",
        &["spec.steps[0].name", "begin with a lower-case letter"],
    ),
    (
        "{steps: [{name: in, task: {name: b}}]}",
        &["spec.steps[0].name", "belongs to the expression language"],
    ),
    (
        "{steps: [{name: a, task: {name: b}}, {name: a, task: {name: b}}]}",
        &["spec.steps[1]: Duplicate value", "\"a\""],
    ),
    (
        "{steps: [{name: a, needs: [a], task: {name: b}}]}",
        &["spec.steps[0].needs", "cannot need itself"],
    ),
    (
        "{steps: [{name: a, needs: [b, b], task: {name: b}}]}",
        &["spec.steps[0].needs[1]: Duplicate value"],
    ),
    (
        "{inputs: [{name: A, value: 1}], steps: [{name: a, task: {name: b}}]}",
        &["spec.inputs[0].name", "begin with a lower-case letter"],
    ),
    (
        "{outputs: [{name: a-b, expression: '1'}], steps: [{name: a, task: {name: b}}]}",
        &["spec.outputs[0].name", "begin with a lower-case letter"],
    ),
];

#[tokio::test]
async fn names_tell_steps_from_objects() {
    check_rows("Workflow", NAMES).await;
}

const VALUES: &[Row] = &[
    (
        "{steps: [{name: a, task: {name: b}, inputs: [{name: x}]}]}",
        &[
            "spec.steps[0].inputs[0]",
            "exactly one of value (a literal) and expression (CEL)",
        ],
    ),
    (
        "{steps: [{name: a, task: {name: b}, inputs: [{name: x, value: null}]}]}",
        &["spec.steps[0].inputs[0]", "exactly one of value"],
    ),
    (
        "{steps: [{name: a, task: {name: b}, inputs: [{name: x, value: 1, expression: '1'}]}]}",
        &["spec.steps[0].inputs[0]", "exactly one of value"],
    ),
    (
        "{steps: [{name: a, task: {name: b}, inputs: [{name: x, expression: ''}]}]}",
        &["spec.steps[0].inputs[0].expression", "at least 1"],
    ),
    (
        "{steps: [{name: a, task: {name: b}, inputs: [{name: x, value: 1}, {name: x, value: 2}]}]}",
        &["spec.steps[0].inputs[1]: Duplicate value"],
    ),
    (
        "{inputs: [{name: a}], steps: [{name: a, task: {name: b}}]}",
        &["spec.inputs[0].value: Required value"],
    ),
    (
        "{steps: [{name: a, task: {name: b}, when: ''}]}",
        &["spec.steps[0].when", "at least 1"],
    ),
    (
        "{steps: [{name: a, task: {name: b}, inputs: [{name: s, value: '{{ inputs.x }}'}, {name: t, value: '$(INPUT_TOP) $$(A) ${b}'}, {name: half, value: 1.5}, {name: f, value: false}, {name: e, value: ''}, {name: l, value: [1, null, {a: {}}]}, {name: o, value: {}}, {name: x, expression: steps.q.outputs.r}]}]}",
        ACCEPTED,
    ),
];

#[tokio::test]
async fn a_value_is_a_literal_or_an_expression() {
    check_rows("Workflow", VALUES).await;
}

/// Parts of a step.
const RETRIES_AND_TIMES: &[Row] = &[
    (
        "retry: {maxAttempts: 0}",
        &["spec.steps[0].retry", "set timeouts.scheduleToClose"],
    ),
    (
        "retry: {maxAttempts: 0}, timeouts: {startToClose: 1m}",
        &["spec.steps[0].retry", "set timeouts.scheduleToClose"],
    ),
    (
        "retry: {maxAttempts: -1}",
        &["retry.maxAttempts", "greater than or equal to 0"],
    ),
    (
        "retry: {maxAttempts: 10001}",
        &["retry.maxAttempts", "less than or equal to 10000"],
    ),
    (
        "retry: {maxAttempts: 1.5}",
        &["retry.maxAttempts", "must be of type integer"],
    ),
    ("retry: 3", &["spec.steps[0].retry", "must be of type object"]),
    (
        "retry: {backoff: {factor: 0}}",
        &["retry.backoff.factor", "greater than or equal to 1"],
    ),
    (
        "retry: {backoff: {factor: 1000000000}}",
        &["retry.backoff.factor", "less than or equal to 10"],
    ),
    (
        "retry: {backoff: {jitter: 2}}",
        &["retry.backoff.jitter", "less than or equal to 1"],
    ),
    (
        "retry: {backoff: {jitter: -0.1}}",
        &["retry.backoff.jitter", "greater than or equal to 0"],
    ),
    (
        "retry: {backoff: {initial: 5m, max: 1m}}",
        &["retry.backoff.max", "must not be shorter than backoff.initial"],
    ),
    (
        "retry: {backoff: {initial: 1h30m, max: 5399s}}",
        &["retry.backoff.max", "must not be shorter"],
    ),
    (
        "retry: {backoff: {initial: 0s}}",
        &["retry.backoff.initial", "longer than zero"],
    ),
    (
        "retry: {never: {exitCodes: [0]}}",
        &["retry.never.exitCodes[0]", "greater than or equal to 1"],
    ),
    (
        "retry: {never: {exitCodes: [256]}}",
        &["retry.never.exitCodes[0]", "less than or equal to 255"],
    ),
    (
        "timeouts: {startToClose: 5}",
        &["timeouts.startToClose", "must be of type string"],
    ),
    (
        "timeouts: {startToClose: '5'}",
        &["timeouts.startToClose", "90s, 5m, 1h30m or 2d"],
    ),
    (
        "timeouts: {startToClose: ''}",
        &["timeouts.startToClose", "longer than zero"],
    ),
    (
        "timeouts: {startToClose: 0s}",
        &["timeouts.startToClose", "longer than zero"],
    ),
    (
        "timeouts: {startToClose: -1s}",
        &["timeouts.startToClose", "is not a duration"],
    ),
    (
        "timeouts: {startToClose: 1.5h}",
        &["timeouts.startToClose", "is not a duration"],
    ),
    (
        "timeouts: {startToClose: 1e9h}",
        &["timeouts.startToClose", "is not a duration"],
    ),
    (
        "timeouts: {startToClose: 1m1h}",
        &["timeouts.startToClose", "largest first"],
    ),
    (
        "timeouts: {startToClose: 1 h}",
        &["timeouts.startToClose", "is not a duration"],
    ),
    (
        "timeouts: {startToClose: 9999d}",
        &["timeouts.startToClose", "is not a duration"],
    ),
    (
        "timeouts: {startToClose: ٣s}",
        &["timeouts.startToClose", "is not a duration"],
    ),
    (
        "timeouts: {startToClose: five}, retry: {backoff: {initial: soon, max: 1m}}",
        &["timeouts.startToClose", "retry.backoff.initial", "is not a duration"],
    ),
    ("retry: {maxAttempts: 0}, timeouts: {scheduleToClose: 1d}", ACCEPTED),
    ("retry: {}, timeouts: {}", ACCEPTED),
    (
        "retry: {maxAttempts: 5, backoff: {initial: 1s, factor: 2, max: 1m, jitter: 0.1}, never: {exitCodes: [2]}}",
        ACCEPTED,
    ),
    (
        "retry: {backoff: {initial: 1s, max: 1s, factor: 1.5, jitter: 0}}",
        ACCEPTED,
    ),
    ("retry: {backoff: {initial: 2d, max: 3d}}", ACCEPTED),
    (
        "timeouts: {scheduleToStart: 8760h, startToClose: 604800s, scheduleToClose: 2999d9999h99999m9999999s}",
        ACCEPTED,
    ),
];

const RUN_LEVEL: &[Row] = &[
    (
        "{timeouts: {total: 0s}, steps: [{name: a, task: {name: b}}]}",
        &["spec.timeouts.total", "longer than zero"],
    ),
    (
        "{jobDefaults: {ttlSecondsAfterFinished: -1}, steps: [{name: a, task: {name: b}}]}",
        &["spec.jobDefaults.ttlSecondsAfterFinished", "greater than or equal to 0"],
    ),
    (
        "{jobDefaults: {labels: {jobwright.dev/x: a}}, steps: [{name: a, task: {name: b}}]}",
        &["spec.jobDefaults.labels", "kept for Jobwright"],
    ),
    (
        "{jobDefaults: {class: gpu-large, ttlSecondsAfterFinished: 0, imagePullSecrets: [{name: a}], resources: {limits: {memory: 64Mi}}, tolerations: [{operator: Exists}], annotations: {a: b}}, timeouts: {total: 1h}, suspend: true, steps: [{name: a, task: {name: b}}]}",
        ACCEPTED,
    ),
];

#[tokio::test]
async fn retries_and_times_end() {
    let rows = RETRIES_AND_TIMES.iter().map(|(part, words)| {
        (
            format!("{{steps: [{{name: a, task: {{name: b}}, {part}}}]}}"),
            words.to_vec(),
        )
    });
    check("Workflow", rows).await;
    check_rows("Workflow", RUN_LEVEL).await;
}
