//! The CEL rules of the kinds, each with a message that says what to do.
//!
//! Where a value is wrong by its form, a rule stands in place of `pattern`: the API server answers
//! a failed pattern with the regular expression, and a failed rule with our words. A rule costs
//! by the bounds of the lists above it, so each is as short as it can be.

use serde_json::{Value, json};

use crate::meta::{label, variable};

pub(crate) mod http;

/// Words that CEL keeps for itself, and the roots of our expressions: no step or input is named so.
pub const RESERVED_WORDS: [&str; 32] = [
    "as",
    "block",
    "break",
    "const",
    "continue",
    "else",
    "error",
    "false",
    "for",
    "function",
    "if",
    "import",
    "in",
    "index",
    "inputs",
    "item",
    "iteration",
    "last",
    "let",
    "loop",
    "namespace",
    "null",
    "package",
    "response",
    "return",
    "steps",
    "true",
    "var",
    "vars",
    "void",
    "while",
    "workflow",
];

/// The form of a duration; each unit is bounded so that the sum is at most ten years.
const DURATION: &str = "^(([0-9]{1,3}|[12][0-9]{3})d)?([0-9]{1,4}h)?([0-9]{1,5}m)?([0-9]{1,7}s)?([0-9]{1,9}ms)?$";

fn rule(rule: &str, message: &str) -> Value {
    json!({ "rule": rule, "message": message })
}

/// A rule whose error points at `field` of the object that it is about.
fn at(field: &str, rule: &str, message: &str) -> Value {
    json!({ "rule": rule, "message": message, "fieldPath": format!(".{field}") })
}

pub(crate) fn identifier() -> Value {
    let words = RESERVED_WORDS.join("','");
    json!([
        rule(
            "self.matches('^[a-z][a-z0-9_]*$')",
            "names of steps, inputs and outputs are read by expressions: begin with a lower-case letter and go on with lower-case letters, digits and '_' ('-' is only for names of objects)",
        ),
        rule(
            &format!("!(self in ['{words}'])"),
            "this word belongs to the expression language: choose another name, such as a longer one",
        ),
    ])
}

pub(crate) fn object_name() -> Value {
    json!([rule(
        "self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')",
        "is not the name of a Kubernetes object: write lower-case letters, digits, '-' and '.', with a letter or digit at both ends ('_' is only for names of steps, inputs and outputs)",
    )])
}

pub(crate) fn duration() -> Value {
    json!([
        rule(
            &format!("self.matches('{DURATION}')"),
            "is not a duration: write whole numbers with units, largest first, such as 90s, 5m, 1h30m or 2d",
        ),
        rule(
            "self.matches('[1-9]')",
            "must be longer than zero: leave the field out for its default",
        ),
    ])
}

/// `max >= initial`, where neither counts days: CEL cannot read those, so the engine has to.
pub(crate) fn backoff() -> Value {
    json!([at(
        "max",
        &format!(
            "!has(self.initial) || !has(self.max) || !self.initial.matches('{DURATION}') || !self.max.matches('{DURATION}') || self.initial.contains('d') || self.max.contains('d') || duration(self.initial) <= duration(self.max)"
        ),
        "backoff.max must not be shorter than backoff.initial",
    )])
}

/// Of a Task or a step.
pub(crate) fn unlimited_retry() -> Value {
    at(
        "retry",
        "!has(self.retry) || !has(self.retry.maxAttempts) || self.retry.maxAttempts > 0 || (has(self.timeouts) && has(self.timeouts.scheduleToClose))",
        "retry.maxAttempts 0 is unlimited: set timeouts.scheduleToClose beside it, or a number of attempts",
    )
}

pub(crate) fn task() -> Value {
    json!([unlimited_retry()])
}

pub(crate) fn step() -> Value {
    json!([
        rule(
            "[has(self.task) || has(self.job), has(self.block), has(self.choice), has(self.loop), has(self.wait), has(self.http), has(self.set), has(self.exit), has(self.workflow)].filter(k, k).size() == 1",
            "a step has one kind: write task: {name: ...} for a Task, job: {image: ...} inline, or one of block, choice, loop, wait, http, set, exit and workflow",
        ),
        at(
            "retry",
            "has(self.task) || has(self.job) || has(self.http) || (has(self.workflow) ? !has(self.idempotencyKey) : !has(self.retry) && !has(self.idempotencyKey))",
            "retry and idempotencyKey are for steps with a Job or a request, retry for steps with a workflow too: set them at the steps of the block",
        ),
        at(
            "timeouts",
            "has(self.task) || has(self.job) || has(self.http) || has(self.workflow) || !has(self.timeouts) || (!has(self.timeouts.scheduleToStart) && !has(self.timeouts.startToClose))",
            "a step without a Job, request or Workflow of its own has one time limit: scheduleToClose",
        ),
        at(
            "outputs",
            "!has(self.outputs) || (has(self.job) && !has(self.task))",
            "outputs are declared where they are made: in the Task, in the block, under http, or here for an inline job",
        ),
        at(
            "job",
            "has(self.task) || !has(self.job) || has(self.job.image) || (has(self.job.fieldsFrom) && self.job.fieldsFrom.exists(f, f.field == 'image'))",
            "an inline job needs an image",
        ),
        at(
            "needs",
            "!has(self.needs) || !(self.name in self.needs)",
            "a step cannot need itself",
        ),
        at(
            "forEach",
            "!has(self.forEach) || has(self.task) || has(self.job) || has(self.http) || has(self.block) || has(self.workflow)",
            "a fork runs a task, a job, a request, a block or a workflow for each item: put the other kinds into a block",
        ),
        at(
            "onFailure",
            "!has(self.onFailure) || !has(self.onFailure.inputs) || has(self.onFailure.block)",
            "onFailure.inputs are for the block that runs: name it in onFailure.block",
        ),
        at(
            "join",
            "!has(self.join) || (has(self.needs) && (!has(self.join.require) || type(self.join.require) != int || self.join.require <= size(self.needs)))",
            "a join is about needs: name them, and require no more than there are",
        ),
        at(
            "inputs",
            "!has(self.http) || !has(self.inputs)",
            "a request takes its values in url, headers, query and body: give them there",
        ),
        unlimited_retry(),
    ])
}

pub(crate) fn loops() -> Value {
    json!([rule(
        "has(self.while) || has(self.until)",
        "a loop ends by a condition: write while, judged before each iteration, or until, judged after it",
    )])
}

pub(crate) fn wait() -> Value {
    json!([rule(
        "has(self.for) != has(self.at)",
        "a wait has one end: write for, a duration, or at, an instant",
    )])
}

pub(crate) fn for_each() -> Value {
    json!([rule(
        "has(self.items) != has(self.count)",
        "a fork has one source: write items, CEL that gives a list, or count, a number",
    )])
}

pub(crate) fn number_or_percentage() -> Value {
    json!([rule(
        "type(self) == int ? self >= 0 : self.matches('^(100|[0-9]{1,2})%$')",
        "is neither a number nor a percentage: write a whole number such as 3, or a share such as 5%",
    )])
}

pub(crate) fn reason_word() -> Value {
    json!([rule(
        "self.matches('^[A-Z][A-Za-z0-9]*$')",
        "a reason is one word in PascalCase, such as NothingToDo: details go into message",
    )])
}

pub(crate) fn require() -> Value {
    json!([rule(
        "type(self) == int ? self >= 1 : self in ['All', 'Any']",
        "write All, Any, or how many needs have to count, 1 at least",
    )])
}

/// Keys of `blocks`.
pub(crate) fn block_names() -> Value {
    json!([rule(
        "self.all(name, name.matches('^[a-z][a-z0-9_]{0,39}$') && name != 'none')",
        "names of blocks begin with a lower-case letter and go on with lower-case letters, digits and '_', 40 at most; none stands for no block",
    )])
}

pub(crate) fn step_job() -> Value {
    json!([
        at(
            "script",
            "!has(self.script) || (!has(self.command) && !has(self.args))",
            "script takes the place of command and args: write either script, or command and args",
        ),
        at(
            "interpreter",
            "!has(self.interpreter) || has(self.script)",
            "interpreter is what reads the script: add a script, or write command and args",
        ),
    ])
}

pub(crate) fn task_job() -> Value {
    let mut rules = step_job();
    if let Some(list) = rules.as_array_mut() {
        list.push(rule(
            "has(self.image) || (has(self.fieldsFrom) && self.fieldsFrom.exists(f, f.field == 'image'))",
            "a job needs an image",
        ));
    }
    rules
}

pub(crate) fn image() -> Value {
    json!([rule(
        r"self.matches('^[a-zA-Z0-9\\[][-a-zA-Z0-9._/:@\\[\\]]*$')",
        "is not an image: write host/name:tag or host/name@sha256:...",
    )])
}

pub(crate) fn field_from() -> Value {
    json!([rule(
        r"self.matches('^(image|priorityClassName|nodeSelector|resources\\.(requests|limits)\\.[a-z0-9][a-z0-9./-]*)$')",
        "cannot be computed: write image, priorityClassName, nodeSelector or one quantity such as resources.limits.memory",
    )])
}

/// The name of a variable of the main container.
pub(crate) fn variable_name() -> Value {
    let reserved = any_prefix("self", &variable::RESERVED_PREFIXES);
    json!([
        rule(
            &format!("!({reserved})"),
            &format!(
                "variables that begin with {} are set by Jobwright: choose another name, or declare an input",
                variable::RESERVED_PREFIXES.join(", ")
            ),
        ),
        rule(
            "!self.contains('=')",
            "the name of a variable has no equals sign: the text after it goes into value",
        ),
    ])
}

/// An init container or a sidecar.
pub(crate) fn container() -> Value {
    let restarts = "restarts are decided by Jobwright: leave it out (a container that runs beside the main one stands under sidecars)";
    json!([
        at("restartPolicy", "!has(self.restartPolicy)", restarts),
        at("restartPolicyRules", "!has(self.restartPolicyRules)", restarts),
        at(
            "name",
            "self.name != 'main'",
            "the name main is that of the step itself: choose another",
        ),
    ])
}

pub(crate) fn host_port() -> Value {
    json!([rule(
        "self == 0",
        "is refused, since a step has no port of its node: leave it out",
    )])
}

pub(crate) fn volume() -> Value {
    json!([at(
        "hostPath",
        "!has(self.hostPath)",
        "is refused, since a step has no files of its node: take a persistentVolumeClaim, an ephemeral or emptyDir volume, a configMap or a secret",
    )])
}

pub(crate) fn priority_class() -> Value {
    json!([rule(
        "!self.startsWith('system-')",
        "priority classes of the system are refused: name one of your own",
    )])
}

/// A value may be any JSON, and CEL types do not cover that: hence `dyn`, so that the look happens
/// when the rule runs.
pub(crate) fn binding() -> Value {
    json!([rule(
        "has(dyn(self).value) != has(self.expression)",
        "give exactly one of value (a literal) and expression (CEL)",
    )])
}

/// Of a Task's inputs.
pub(crate) fn input() -> Value {
    json!([at(
        "pattern",
        "!has(self.pattern) || !has(self.type) || self.type == 'string'",
        "a pattern is for inputs of type string",
    )])
}

pub(crate) fn output() -> Value {
    json!([at(
        "format",
        "!has(self.format) || !has(self.type) || self.type == 'string'",
        "format: Text is for an output of type string",
    )])
}

pub(crate) fn outputs() -> Value {
    json!([rule(
        "size(self) == 1 || !self.exists(o, has(o.format))",
        "format: Text takes the whole message, so it must be the only output: declare no other, or leave format out and print a JSON object",
    )])
}

/// Labels, annotations or a node selector: the keys.
pub(crate) fn keys() -> Value {
    json!([rule(
        "self.all(k, k.matches('^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[a-zA-Z0-9]([-a-zA-Z0-9_.]{0,61}[a-zA-Z0-9])?$'))",
        "a key is a name of at most 63 letters, digits, '-', '_' and '.', with a domain and '/' before it if wanted",
    )])
}

/// Labels and annotations of users: the keys.
pub(crate) fn own_keys() -> Value {
    let reserved = any_prefix("k", &label::RESERVED_PREFIXES);
    let message = format!(
        "keys that begin with {} are kept for Jobwright and Kubernetes: choose others",
        label::RESERVED_PREFIXES.join(", ")
    );
    let mut rules = keys();
    if let Some(list) = rules.as_array_mut() {
        list.push(rule(&format!("!self.exists(k, {reserved})"), &message));
    }
    rules
}

pub(crate) fn label_value() -> Value {
    json!([rule(
        "self.matches('^([a-zA-Z0-9]([-a-zA-Z0-9_.]*[a-zA-Z0-9])?)?$')",
        "a label value is at most 63 letters, digits, '-', '_' and '.', with a letter or digit at both ends",
    )])
}

pub(crate) fn quantity() -> Value {
    json!([rule(
        "type(self) == int ? self >= 0 : isQuantity(self) && quantity(self).compareTo(quantity('0')) >= 0",
        "is not a quantity: write a number with a unit where wanted, such as 500m, 2, 64Mi or 1Gi",
    )])
}

/// What a Workflow with `runPolicy: Once` keeps: `suspend` alone may change.
pub(crate) fn workflow() -> Value {
    let mut rules = vec![at(
        "runPolicy",
        "self.runPolicy == oldSelf.runPolicy",
        "runPolicy cannot change: create another Workflow",
    )];
    rules.push(rule(
        "has(self.templateRef) != has(self.steps)",
        "a Workflow has one source: write steps, or templateRef: {name: ...} to run a WorkflowTemplate",
    ));
    rules.push(at(
        "templateRef",
        "!has(self.templateRef) || !(has(self.blocks) || has(self.outputs) || has(self.onFailure) || has(self.onExit) || has(self.jobDefaults))",
        "blocks, outputs, onFailure, onExit and jobDefaults are the template's: leave them out here",
    ));
    rules.push(at(
        "steps",
        "self.runPolicy == 'OnChange' || (has(self.steps) ? has(oldSelf.steps) && self.steps == oldSelf.steps : !has(oldSelf.steps))",
        "the steps of a Workflow with runPolicy Once cannot change: create another Workflow, or delete this one first, to run again (with runPolicy: OnChange each change is a new run)",
    ));
    for field in [
        "templateRef",
        "inputs",
        "blocks",
        "outputs",
        "onFailure",
        "onExit",
        "timeouts",
        "jobDefaults",
    ] {
        rules.push(at(
            field,
            &format!(
                "self.runPolicy == 'OnChange' || (has(self.{field}) ? has(oldSelf.{field}) && self.{field} == oldSelf.{field} : !has(oldSelf.{field}))"
            ),
            &format!(
                "{field} of a Workflow with runPolicy Once cannot change: create another Workflow to run with others (only suspend may change)"
            ),
        ));
    }
    Value::Array(rules)
}

pub(crate) fn record() -> Value {
    json!([rule(
        "self == oldSelf",
        "a WorkflowRecord is immutable: runs depend on what it says",
    )])
}

fn any_prefix(text: &str, prefixes: &[&str]) -> String {
    let tests: Vec<String> = prefixes
        .iter()
        .map(|prefix| format!("{text}.startsWith('{prefix}')"))
        .collect();
    tests.join(" || ")
}
