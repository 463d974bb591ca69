//! Only `apply`, the Lease and the publisher of events write to Kubernetes.
//!
//! Held by who may name what: without a client, an `Api` or a request nobody can write, by accident
//! or otherwise. Who needs a client to hand it on may not call what writes.

use crate::{
    finding::Finding,
    lexer::Token,
    repository::Source,
    tokens::{Path, paths, stands},
};

const OPERATOR: &str = "src/operator/";
/// The rooms that write.
const WRITERS: [&str; 3] = [
    "src/operator/apply/",
    "src/operator/lease",
    "src/operator/report/events.rs",
];
/// Reads by list and watch, so it may name an `Api` too.
const WATCH: &str = "src/operator/watch";
/// Build the parts and hand them a client.
const HAND_ON: [&str; 4] = [
    "src/operator/context.rs",
    "src/operator/lib.rs",
    "src/operator/main.rs",
    "src/operator/operator.rs",
];

/// What everybody may take from kube: types without a connection.
const PLAIN: [&[&str]; 6] = [
    &["kube", "Error"],
    &["kube", "Resource"],
    &["kube", "ResourceExt"],
    &["kube", "core"],
    &["kube", "runtime", "watcher"],
    &["kube", "runtime", "reflector", "ObjectRef"],
];
const CLIENT: [&[&str]; 4] = [
    &["kube", "Client"],
    &["kube", "Config"],
    &["kube", "client"],
    &["kube", "config"],
];
const READ: [&[&str]; 2] = [&["kube", "Api"], &["kube", "runtime"]];
/// What builds or sends a request by hand; a header is only a name.
const HTTP: [&[&str]; 8] = [
    &["axum", "http", "Method"],
    &["axum", "http", "Request"],
    &["axum", "http", "request"],
    &["http", "Method"],
    &["http", "Request"],
    &["http", "request"],
    &["hyper"],
    &["reqwest"],
];

/// Methods of `Api` and `Client` that write, or that send what somebody built.
const WRITING: [&str; 22] = [
    "cordon",
    "create",
    "create_subresource",
    "create_token_request",
    "delete",
    "delete_collection",
    "entry",
    "evict",
    "patch",
    "patch_metadata",
    "patch_scale",
    "patch_status",
    "patch_subresource",
    "replace",
    "replace_scale",
    "replace_status",
    "replace_subresource",
    "request",
    "request_events",
    "request_status",
    "request_text",
    "restart",
];

fn check(source: &Source) -> Vec<Finding> {
    let path = source.path();
    let is_writer = WRITERS.iter().any(|room| path.starts_with(room));
    if !path.starts_with(OPERATOR) || is_writer {
        return Vec::new();
    }
    let is_watch = path.starts_with(WATCH);
    let has_client = is_watch || HAND_ON.contains(&path);
    let mut found = Vec::new();
    for piece in source.product() {
        let named = paths(piece)
            .into_iter()
            .filter(|path| !may_name(path, has_client, is_watch));
        found.extend(named.map(|name| {
            let words = format!(
                "{} outside the rooms that write: return an Action and let src/operator/apply do it",
                name.segments.join("::")
            );
            Finding::at(path, name.line, words)
        }));
        if has_client {
            found.extend(calls(path, piece));
        }
    }
    found
}

fn may_name(path: &Path, has_client: bool, is_watch: bool) -> bool {
    let Some(first) = path.segments.first() else {
        return true;
    };
    if HTTP
        .iter()
        .any(|banned| path.segments.len() > 1 && path.reaches(banned))
    {
        return false;
    }
    if first != "kube" && first != "kube_client" && first != "kube_runtime" {
        return true;
    }
    let within = |allowed: &[&[&str]]| allowed.iter().any(|start| path.starts_with(start));
    within(&PLAIN) || (has_client && within(&CLIENT)) || (is_watch && within(&READ))
}

fn calls<'a>(path: &'a str, tokens: &'a [Token]) -> impl Iterator<Item = Finding> + 'a {
    let calls = (0..tokens.len()).filter(|at| {
        let is_method = *at > 0 && (tokens[at - 1].is(".") || tokens[at - 1].is(":"));
        let is_call = stands(tokens, at + 1, &["("]) || stands(tokens, at + 1, &[":", ":", "<"]);
        is_method && is_call && WRITING.iter().any(|method| tokens[*at].is(method))
    });
    calls.map(move |at| {
        let words = format!(
            "calls {} where a client is at hand: only {} write to Kubernetes",
            tokens[at].text,
            WRITERS.join(", ")
        );
        Finding::at(path, tokens[at].line, words)
    })
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::{
        finding::{none, places},
        repository::{Source, sources},
    };

    fn lines(path: &str, text: &str) -> Vec<String> {
        let found = check(&Source::new(path, text));
        let line = |finding: &crate::finding::Finding| finding.to_string().split(": ").next().unwrap().to_owned();
        found.iter().map(line).collect()
    }

    #[test]
    fn only_apply_the_lease_and_events_write_to_kubernetes() {
        let found: Vec<_> = sources().iter().flat_map(check).collect();
        none(
            "only src/operator/apply, lease and report/events.rs write to Kubernetes",
            &found,
        );
    }

    #[test]
    fn a_client_in_the_wrong_room_is_refused() {
        let text = "use kube::{Resource, runtime::watcher::Event,\nClient};\nuse kube as k;\nuse kube::*;\nfn a() { http::Request::builder(); http::header::USER_AGENT }\nuse axum::http::{StatusCode, Request};\nfn b(text: &str) { text.replace(c, d); queue.entry(e) }";
        let at = |line| format!("src/operator/gather.rs:{line}");
        assert_eq!(
            lines("src/operator/gather.rs", text),
            [at(2), at(3), at(4), at(5), at(6)]
        );
        assert_eq!(lines("src/operator/apply/job.rs", text), Vec::<String>::new());
        assert_eq!(lines("src/operator/lease.rs", text), Vec::<String>::new());
    }

    #[test]
    fn who_has_a_client_may_not_write_with_it() {
        let text = "use kube::{Api, Client};\nfn a(api: Api<Job>) { api.list(x); api\n.patch_status(y); Api::<Job>::delete(z); client.request::<Job>(r) }";
        let watch = Source::new("src/operator/watch.rs", text);
        places(
            &check(&watch),
            &[
                "src/operator/watch.rs:3",
                "src/operator/watch.rs:3",
                "src/operator/watch.rs:3",
            ],
        );
        let root = Source::new(
            "src/operator/main.rs",
            "use kube::{Api, Client};\nfn a() { Client::try_default() }",
        );
        places(&check(&root), &["src/operator/main.rs:1"]);
    }

    #[test]
    fn what_tests_do_is_their_own_affair() {
        let text = "#[cfg(test)] mod tests { use kube::Client; }";
        places(&check(&Source::new("src/operator/gather.rs", text)), &[]);
    }
}
