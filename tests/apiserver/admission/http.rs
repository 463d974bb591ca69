//! Steps that send requests.

use super::{ACCEPTED, Row, check};

const REQUESTS: &[Row] = &[
    ("http: {}", &["spec.steps[0].http.url: Required value"]),
    ("http: {url: {}}", &["spec.steps[0].http.url", "exactly one of value"]),
    (
        "http: {url: {value: 'http://h/', expression: '''http://h/'''}}",
        &["spec.steps[0].http.url", "exactly one of value"],
    ),
    (
        "http: {url: {value: 'ftp://h/'}}",
        &["spec.steps[0].http.url.value", "http://host/path or https://host/path"],
    ),
    (
        "http: {url: {value: 'https://me:word@h/'}}",
        &["spec.steps[0].http.url.value", "without user, password"],
    ),
    ("http: {url: {value: 'https://h/a@b?c=d@e'}}", ACCEPTED),
    (
        "http: {url: {value: 'http://h/'}, method: TRACE}",
        &["spec.steps[0].http.method", "\"GET\""],
    ),
    (
        "http: {url: {value: 'http://h/'}, method: GET, body: {value: 1}}",
        &["spec.steps[0].http.body", "have no body"],
    ),
    (
        "http: {url: {value: 'http://h/'}, method: POST, body: {value: 1, expression: '1'}}",
        &["spec.steps[0].http.body", "exactly one of value"],
    ),
    (
        "http: {url: {value: 'http://h/'}, timeout: 2h}",
        &["spec.steps[0].http.timeout", "1h at most"],
    ),
    (
        "http: {url: {value: 'http://h/'}, headers: [{name: Host, value: other}]}",
        &["spec.steps[0].http.headers", "written by the sender itself"],
    ),
    (
        "http: {url: {value: 'http://h/'}, headers: [{name: A, value: b, secretKeyRef: {name: s, key: k}}]}",
        &["spec.steps[0].http.headers[0]", "exactly one of value"],
    ),
    (
        "http: {url: {value: 'http://h/'}, headers: [{name: A, secretKeyRef: {name: s}}]}",
        &["spec.steps[0].http.headers[0].secretKeyRef.key: Required value"],
    ),
    (
        "http: {url: {value: 'http://h/'}, query: [{name: a}]}",
        &["spec.steps[0].http.query[0]", "exactly one of value"],
    ),
    (
        "http: {url: {value: 'http://h/'}, outputs: [{name: num}]}",
        &["spec.steps[0].http.outputs[0].expression: Required value"],
    ),
    (
        "http: {url: {value: 'http://h/'}}, inputs: [{name: num, value: 1}]",
        &["spec.steps[0].inputs", "url, headers, query and body"],
    ),
    (
        "http: {url: {value: 'http://h/'}}, outputs: [{name: num}]",
        &["spec.steps[0].outputs", "under http"],
    ),
    (
        "http: {url: {value: 'http://h/'}}, job: {image: i}",
        &["spec.steps[0]", "a step has one kind"],
    ),
    (
        "http: {url: {value: 'http://h/'}, limits: {rate: {requests: 0, per: 1s}}}",
        &["spec.steps[0].http.limits.rate.requests", "greater than or equal to 1"],
    ),
    (
        "forEach: {count: 3}, retry: {}, timeouts: {startToClose: 1m}, idempotencyKey: {expression: '''k'''}, \
         http: {method: PUT, url: {expression: '''http://h/''' }, headers: [{name: A, expression: '''b'''}, \
         {name: B, secretKeyRef: {name: s, key: k}}], query: [{name: q, value: ''}], body: {value: {a: [1, null]}}, \
         expect: response.status == 201, timeout: 1h, outputs: [{name: num, type: integer, default: 1, \
         expression: response.body.n}], limits: {scope: Path, rate: {requests: 10, per: 1m, burst: 5}, \
         breaker: {failures: 3, pause: 30s}}}",
        ACCEPTED,
    ),
];

#[tokio::test]
async fn requests_are_whole() {
    let rows = REQUESTS.iter().map(|(part, words)| {
        let spec = format!("{{steps: [{{name: a, {part}}}, {{name: z, task: {{name: c}}}}]}}");
        (spec, words.to_vec())
    });
    check("Workflow", rows).await;
}

/// Below blocks the engine says what the rules cannot, but for the kinds of a step.
#[tokio::test]
async fn requests_within_blocks_are_taken() {
    let rows = REQUESTS
        .iter()
        .filter(|(_, words)| words.is_empty())
        .map(|(part, words)| {
            let blocks = format!("{{b: {{steps: [{{name: a, {part}}}]}}}}");
            (
                format!("{{blocks: {blocks}, steps: [{{name: z, block: b}}]}}"),
                words.to_vec(),
            )
        });
    check("Workflow", rows).await;
}
