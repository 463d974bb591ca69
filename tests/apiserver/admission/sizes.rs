//! The bounds of lists, names and texts: the longest is accepted, one more is refused.

use super::{ACCEPTED, check};

fn list(count: usize, item: impl Fn(usize) -> String) -> String {
    let items: Vec<String> = (0..count).map(item).collect();
    format!("[{}]", items.join(", "))
}

fn steps(count: usize) -> String {
    let steps = list(count, |n| format!("{{name: s{n}, task: {{name: b}}}}"));
    format!("{{steps: {steps}}}")
}

/// One step with `part` in it.
fn with(part: &str) -> String {
    format!("{{steps: [{{name: a, task: {{name: b}}, {part}}}]}}")
}

fn needs(count: usize) -> String {
    with(&format!("needs: {}", list(count, |n| format!("s{n}"))))
}

fn bindings(count: usize) -> String {
    let bindings = list(count, |n| format!("{{name: i{n}, value: 1}}"));
    with(&format!("inputs: {bindings}"))
}

fn when(length: usize) -> String {
    with(&format!("when: {}", "n".repeat(length)))
}

fn script(length: usize) -> String {
    with(&format!("job: {{script: {}}}", "n".repeat(length)))
}

fn inputs(count: usize) -> String {
    let inputs = list(count, |n| format!("{{name: i{n}, value: 1}}"));
    format!("{{inputs: {inputs}, steps: [{{name: a, task: {{name: b}}}}]}}")
}

fn step_name(length: usize) -> String {
    let name = "n".repeat(length);
    format!("{{steps: [{{name: {name}, task: {{name: b}}}}]}}")
}

fn task_name(length: usize) -> String {
    let name = "n".repeat(length);
    format!("{{steps: [{{name: a, task: {{name: {name}}}}}]}}")
}

#[tokio::test]
async fn sizes_are_bounded() {
    type Case = (fn(usize) -> String, usize, &'static str);
    let cases: &[Case] = &[
        (steps, 256, "spec.steps: Too many"),
        (needs, 64, "spec.steps[0].needs: Too many"),
        (bindings, 64, "spec.steps[0].inputs: Too many"),
        (inputs, 64, "spec.inputs: Too many"),
        (step_name, 40, "spec.steps[0].name: Too long"),
        (task_name, 253, "spec.steps[0].task.name: Too long"),
        (when, 2_048, "spec.steps[0].when: Too long"),
        (script, 65_536, "spec.steps[0].job.script: Too long"),
    ];
    let rows = cases
        .iter()
        .flat_map(|(spec, most, refusal)| [(spec(*most), ACCEPTED.to_vec()), (spec(most + 1), vec![*refusal])]);
    check("Workflow", rows).await;
    check("Workflow", [(when(3 * 1_024), vec!["may not be more than 2048"])]).await;
}
