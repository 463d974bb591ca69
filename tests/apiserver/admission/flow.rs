//! Rows for what a step can be beside a Job, and for how it forks, joins and is followed.

use super::{ACCEPTED, Row, check};

/// The fields of a step after its name; the run has a block `b` and a step `z`.
const KINDS: &[Row] = &[
    ("block: b, task: {name: c}", &["spec.steps[0]", "a step has one kind"]),
    ("wait: {for: 1s}, exit: {}", &["spec.steps[0]", "a step has one kind"]),
    (
        "loop: {block: b, until: 'true', maxIterations: 1}, block: b",
        &[
            "spec.steps[0]",
            "one of block, choice, loop, wait, http, set, exit and workflow",
        ],
    ),
    ("set: []", &["spec.steps[0].set", "at least 1"]),
    (
        "block: b, retry: {}",
        &["spec.steps[0].retry", "set them at the steps of the block"],
    ),
    (
        "wait: {for: 1s}, idempotencyKey: {expression: '1'}",
        &["retry and idempotencyKey are for steps with a Job"],
    ),
    (
        "block: b, timeouts: {startToClose: 1s}",
        &["spec.steps[0].timeouts", "has one time limit: scheduleToClose"],
    ),
    (
        "block: b, outputs: [{name: c}]",
        &["spec.steps[0].outputs", "declared where they are made"],
    ),
    ("block: b, timeouts: {scheduleToClose: 1s}", ACCEPTED),
    (
        "choice: {cases: [], default: {block: none}}",
        &["choice.cases", "at least 1"],
    ),
    (
        "choice: {cases: [{when: 'true', block: b}]}",
        &["choice.default: Required value"],
    ),
    (
        "choice: {cases: [{when: 'true', block: b}], default: {block: none}}",
        ACCEPTED,
    ),
    (
        "loop: {block: b, maxIterations: 3}",
        &["spec.steps[0].loop", "a loop ends by a condition"],
    ),
    (
        "loop: {block: b, until: 'true'}",
        &["spec.steps[0].loop.maxIterations: Required value"],
    ),
    (
        "loop: {block: b, until: 'true', maxIterations: 0}",
        &["loop.maxIterations", "greater than or equal to 1"],
    ),
    (
        "loop: {block: b, until: 'true', while: 'true', maxIterations: 9, delay: {initial: 1s}}",
        ACCEPTED,
    ),
    ("wait: {}", &["spec.steps[0].wait", "a wait has one end"]),
    (
        "wait: {for: 1s, at: {expression: '1'}}",
        &["spec.steps[0].wait", "a wait has one end"],
    ),
    ("wait: {for: soon}", &["wait.for", "is not a duration"]),
    (
        "set: [{name: v, type: integer}]",
        &["spec.steps[0].set[0]", "exactly one of value"],
    ),
    (
        "set: [{name: v, value: 1}, {name: v, value: 2}]",
        &["spec.steps[0].set[1]: Duplicate value"],
    ),
    ("set: [{name: v, type: integer, value: 1}]", ACCEPTED),
    (
        "exit: {reason: too old}",
        &["spec.steps[0].exit.reason", "one word in PascalCase"],
    ),
    (
        "exit: {phase: Cancelled}",
        &["exit.phase", "supported values: \"Succeeded\", \"Failed\""],
    ),
    ("exit: {phase: Failed, reason: TooOld, message: 'since 1970'}", ACCEPTED),
];

const FORKS_AND_JOINS: &[Row] = &[
    (
        "forEach: {}, task: {name: c}",
        &["spec.steps[0].forEach", "a fork has one source"],
    ),
    (
        "forEach: {items: '[1]', count: 2}, task: {name: c}",
        &["spec.steps[0].forEach", "a fork has one source"],
    ),
    (
        "forEach: {count: 2}, wait: {for: 1s}",
        &["spec.steps[0].forEach", "put the other kinds into a block"],
    ),
    (
        "forEach: {count: 2, maxFailed: few}, task: {name: c}",
        &["forEach.maxFailed", "neither a number nor a percentage"],
    ),
    (
        "forEach: {count: 2, maxFailed: 101%}, task: {name: c}",
        &["forEach.maxFailed", "neither a number nor a percentage"],
    ),
    (
        "forEach: {count: 2, maxFailed: -1}, task: {name: c}",
        &["forEach.maxFailed", "neither a number nor a percentage"],
    ),
    (
        "forEach: {count: 2, maxConcurrent: 0}, task: {name: c}",
        &["forEach.maxConcurrent", "greater than or equal to 1"],
    ),
    (
        "forEach: {count: 2, onItemFailed: Ignore}, task: {name: c}",
        &["forEach.onItemFailed", "supported values: \"Cancel\", \"LetFinish\""],
    ),
    (
        "forEach: {items: '[1]', as: my-item}, task: {name: c}",
        &["forEach.as", "begin with a lower-case letter"],
    ),
    (
        "forEach: {items: '[1]', as: file, maxFailed: 5%, maxConcurrent: 3, when: 'true', stopWhen: 'true'}, block: b",
        ACCEPTED,
    ),
    (
        "join: {require: Any}, task: {name: c}",
        &["spec.steps[0].join", "a join is about needs"],
    ),
    (
        "needs: [z], join: {require: 2}, task: {name: c}",
        &["spec.steps[0].join", "require no more than there are"],
    ),
    (
        "needs: [z], join: {require: 0}, task: {name: c}",
        &["join.require", "write All, Any, or how many needs"],
    ),
    (
        "needs: [z], join: {require: Some}, task: {name: c}",
        &["join.require", "write All, Any, or how many needs"],
    ),
    (
        "needs: [z], join: {others: Stop}, task: {name: c}",
        &["join.others", "supported values: \"Run\", \"Cancel\""],
    ),
    (
        "needs: [z], join: {require: 1, count: Succeeded, others: Cancel}, task: {name: c}",
        ACCEPTED,
    ),
    (
        "task: {name: c}, onFailure: {inputs: [{name: x, value: 1}]}",
        &["spec.steps[0].onFailure", "name it in onFailure.block"],
    ),
    (
        "task: {name: c}, onFailure: {then: Continue, block: b, inputs: [{name: x, value: 1}]}",
        ACCEPTED,
    ),
];

#[tokio::test]
async fn a_step_is_one_thing() {
    check("Workflow", KINDS.iter().map(whole)).await;
}

#[tokio::test]
async fn forks_and_joins_are_whole() {
    check("Workflow", FORKS_AND_JOINS.iter().map(whole)).await;
}

fn whole((part, words): &Row) -> (String, Vec<&'static str>) {
    let steps = format!("[{{name: a, {part}}}, {{name: z, task: {{name: c}}}}]");
    let blocks = "{b: {steps: [{name: x, task: {name: c}}]}}";
    (format!("{{blocks: {blocks}, steps: {steps}}}"), words.to_vec())
}

const BLOCKS: &[Row] = &[
    (
        "{None: {steps: [{name: x, exit: {}}]}}",
        &["spec.blocks", "names of blocks begin with"],
    ),
    (
        "{none: {steps: [{name: x, exit: {}}]}}",
        &["spec.blocks", "none stands for no block"],
    ),
    (
        "{my-block: {steps: [{name: x, exit: {}}]}}",
        &["spec.blocks", "names of blocks begin with"],
    ),
    ("{b: {}}", &["spec.blocks.b.steps: Required value"]),
    ("{b: {steps: []}}", &["spec.blocks.b.steps", "at least 1"]),
    (
        "{b: {steps: [{name: x}]}}",
        &["spec.blocks[b].steps[0]", "a step has one kind"],
    ),
    (
        "{b: {steps: [{name: x, exit: {}}], outputs: [{name: num}]}}",
        &["spec.blocks.b.outputs[0].expression: Required value"],
    ),
    (
        "{b: {inputs: [{name: num, type: integer, default: 1}], steps: [{name: x, exit: {}}], outputs: [{name: num, type: integer, expression: inputs.num}], onFailure: {block: c}}}",
        ACCEPTED,
    ),
];

#[tokio::test]
async fn blocks_have_names_and_steps() {
    let rows = BLOCKS.iter().map(|(blocks, words)| {
        let spec = format!("{{blocks: {blocks}, steps: [{{name: a, task: {{name: c}}}}]}}");
        (spec, words.to_vec())
    });
    check("Workflow", rows).await;
}
