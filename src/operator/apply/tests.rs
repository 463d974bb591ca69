//! The exact requests of each action, and what is learned from each answer.

use jobwright_engine::{
    decision::Action,
    observed::{Notes, RefusalKind},
};
use k8s_openapi::api::{batch::v1::Job, core::v1::Pod};
use serde_json::{Value, json};
use std::time::Duration;

use super::{Applied, all};
use crate::{
    context::Context,
    memory::Entry,
    testing::{Answer, Log, Sent, context, key, refusal},
};

const JOBS: &str = "/apis/batch/v1/namespaces/n/jobs";
const RECORDS: &str = "/apis/jobwright.dev/v1alpha1/namespaces/n/workflowrecords";

fn job(owner: &str, attempt: &str) -> Value {
    json!({
        "apiVersion": "batch/v1", "kind": "Job",
        "metadata": {
            "name": "j", "namespace": "n", "uid": "j-uid", "resourceVersion": "5",
            "labels": {"jobwright.dev/workflow-uid": "w-uid"},
            "annotations": {"jobwright.dev/attempt-key": attempt},
            "ownerReferences": [{"apiVersion": "jobwright.dev/v1alpha1", "kind": "Workflow", "name": "w", "uid": owner, "controller": true}]
        }
    })
}

fn start() -> Action {
    let job: Job = serde_json::from_value(job("w-uid", "k")).unwrap();
    Action::StartJob {
        name: "j".into(),
        job: Box::new(job),
    }
}

fn confirm() -> Action {
    Action::ConfirmJob { name: "j".into() }
}

async fn apply(action: Action, memory: &mut Entry, ctx: &Context) -> Applied {
    all(vec![action], &key(), "w-uid", memory, ctx).await
}

async fn once(
    action: Action,
    answer: impl Fn(&Sent) -> Answer + Send + Sync + 'static,
) -> (Notes, Context, Log, Applied) {
    let (ctx, log) = context(answer);
    let mut memory = Entry::default();
    let applied = apply(action, &mut memory, &ctx).await;
    (memory.notes, ctx, log, applied)
}

fn is_known(ctx: &Context) -> bool {
    let (run, _) = ctx.stores.run("w-uid", ctx.clock.monotonic());
    run.jobs.contains_key("j")
}

#[tokio::test]
async fn a_job_is_created_and_counts_as_seen() {
    let (notes, ctx, log, applied) = once(start(), |_| Some((201, job("w-uid", "k")))).await;
    let sent = log.take().remove(0);
    assert_eq!(sent.line, format!("POST {JOBS}?fieldManager=jobwright-operator"));
    assert_eq!(sent.body["metadata"]["name"], "j");
    assert!(is_known(&ctx) && applied.progressed);
    assert_eq!(notes, Notes::default());
}

#[tokio::test]
async fn a_job_that_is_there_is_as_good_if_it_is_ours() {
    for (owner, attempt, ours) in [("w-uid", "k", true), ("w-uid", "other", false), ("x", "k", false)] {
        let answer = move |sent: &Sent| {
            if sent.line.starts_with("POST") {
                return refusal(409, "AlreadyExists", "exists");
            }
            Some((200, job(owner, attempt)))
        };
        let (notes, ctx, log, _) = once(start(), answer).await;
        assert_eq!(log.lines()[1], format!("GET {JOBS}/j"));
        assert_eq!(is_known(&ctx), ours, "{owner} {attempt}");
        let kind = notes.refusals.get("j").map(|refusal| refusal.kind);
        assert_eq!(kind, (!ours).then_some(RefusalKind::NameTaken));
    }
}

#[tokio::test]
async fn a_refusal_is_remembered_with_the_servers_words() {
    let words = "jobs.batch \"j\" is forbidden: exceeded quota: q";
    let (notes, _, _, applied) = once(start(), move |_| refusal(403, "Forbidden", words)).await;
    let refusal = &notes.refusals["j"];
    assert_eq!(
        (refusal.kind, refusal.message.as_str(), refusal.count),
        (RefusalKind::Quota, words, 1)
    );
    assert!(applied.progressed, "the engine has to hear of it");
    assert!(applied.next.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_request_without_answer_ends_and_its_name_tells_next_time() {
    let (ctx, log) = context(|sent| sent.line.starts_with("GET").then(|| (200, job("w-uid", "k"))));
    let mut memory = Entry::default();
    apply(start(), &mut memory, &ctx).await;
    assert_eq!(memory.notes.refusals["j"].kind, RefusalKind::Unavailable);
    apply(start(), &mut memory, &ctx).await;
    assert_eq!(log.lines().len(), 1, "not again before the pause is over");
    tokio::time::sleep(Duration::from_secs(1)).await;
    apply(confirm(), &mut memory, &ctx).await;
    assert!(is_known(&ctx));
    assert!(memory.notes.refusals.is_empty());
}

#[tokio::test]
async fn a_job_is_stopped_with_its_pods_and_only_itself() {
    let stop = || Action::StopJob {
        name: "j".into(),
        uid: "j-uid".into(),
    };
    let (_, _, log, applied) = once(stop(), |_| Some((200, job("w-uid", "k")))).await;
    let sent = log.take().remove(0);
    assert_eq!(sent.line, format!("DELETE {JOBS}/j"));
    let expected = json!({
        "kind": "DeleteOptions", "apiVersion": "v1",
        "propagationPolicy": "Foreground", "preconditions": {"uid": "j-uid"}
    });
    assert_eq!(sent.body, expected);
    assert!(applied.progressed);
    for (code, reason) in [(404, "NotFound"), (409, "Conflict")] {
        let (_, _, _, applied) = once(stop(), move |_| refusal(code, reason, "gone")).await;
        assert!(applied.progressed, "{code}: nothing to be done any more");
    }
}

#[tokio::test]
async fn an_action_whose_effect_has_yet_to_show_is_not_repeated() {
    let (ctx, log) = context(|_| refusal(404, "NotFound", "gone"));
    let mut memory = Entry::default();
    for _ in 0..3 {
        let stop = Action::StopJob {
            name: "j".into(),
            uid: "j-uid".into(),
        };
        apply(stop, &mut memory, &ctx).await;
    }
    assert_eq!(log.lines().len(), 1);
}

#[tokio::test]
async fn a_ttl_is_patched_onto_the_job_that_is_meant() {
    let expire = Action::ExpireJob {
        name: "j".into(),
        uid: "j-uid".into(),
        ttl_s: 60,
    };
    let (_, _, log, _) = once(expire, |_| Some((200, job("w-uid", "k")))).await;
    let sent = log.take().remove(0);
    assert_eq!(sent.line, format!("PATCH {JOBS}/j?fieldManager=jobwright-operator"));
    assert_eq!(sent.content_type, "application/merge-patch+json");
    let expected = json!({"metadata": {"uid": "j-uid"}, "spec": {"ttlSecondsAfterFinished": 60}});
    assert_eq!(sent.body, expected);
}

#[tokio::test]
async fn an_absence_is_confirmed_by_a_live_read() {
    let (notes, _, log, _) = once(confirm(), |_| refusal(404, "NotFound", "gone")).await;
    assert_eq!(log.lines(), [format!("GET {JOBS}/j")]);
    assert!(notes.absent.contains("j"));
    let (notes, ..) = once(confirm(), |_| Some((200, job("someone", "")))).await;
    assert!(notes.absent.contains("j"), "a Job of somebody else is none of ours");
    let (notes, ctx, ..) = once(confirm(), |_| Some((200, job("w-uid", "k")))).await;
    assert!(notes.absent.is_empty() && is_known(&ctx));
    let (notes, _, _, applied) = once(confirm(), |_| refusal(500, "InternalError", "x")).await;
    assert!(notes.absent.is_empty(), "an error proves nothing");
    assert!(!applied.progressed && applied.next.is_some());
}

#[tokio::test]
async fn the_pods_of_a_job_are_listed_live() {
    let list = || Action::ConfirmPods { job: "j".into() };
    let (notes, _, log, _) = once(list(), |_| Some((200, json!({"items": []})))).await;
    let line = "GET /api/v1/namespaces/n/pods?labelSelector=batch.kubernetes.io/job-name=j";
    assert_eq!(log.lines(), [line]);
    assert!(notes.podless.contains("j"));
    let pod = json!({"items": [{"metadata": {
        "name": "p", "namespace": "n", "uid": "p-uid", "resourceVersion": "9",
        "labels": {"jobwright.dev/workflow-uid": "w-uid"},
        "ownerReferences": [{"apiVersion": "batch/v1", "kind": "Job", "name": "j", "uid": "j-uid", "controller": true}]
    }}]});
    let (notes, ctx, ..) = once(list(), move |_| Some((200, pod.clone()))).await;
    let (run, _) = ctx.stores.run("w-uid", ctx.clock.monotonic());
    assert!(notes.podless.is_empty() && run.pods["j"].len() == 1);
}

#[tokio::test]
async fn pods_of_one_shape_are_probed_once() {
    let words = "violates PodSecurity \"restricted:latest\"";
    let (ctx, log) = context(move |_| refusal(403, "Forbidden", words));
    let mut memory = Entry::default();
    let probe = |(name, command): (&str, &str)| {
        let pod = json!({"spec": {"containers": [{"name": "main", "command": [command]}]}});
        let pod: Pod = serde_json::from_value(pod).unwrap();
        Action::ProbePod {
            name: name.into(),
            pod: Box::new(pod),
        }
    };
    let together = [("a", "x"), ("b", "y")].map(probe);
    all(together.into(), &key(), "w-uid", &mut memory, &ctx).await;
    apply(probe(("c", "z")), &mut memory, &ctx).await;
    let line = "POST /api/v1/namespaces/n/pods?dryRun=All&fieldManager=jobwright-operator&fieldValidation=Strict";
    assert_eq!(log.lines(), [line]);
    let refused = Some((RefusalKind::Permanent, words.to_owned()));
    assert_eq!(memory.notes.probes["a"].refused, refused);
    assert_eq!(memory.notes.probes["b"].refused, refused);
    assert_eq!(memory.notes.probes["c"].refused, refused);
}

#[tokio::test]
async fn a_snapshot_is_stored_once_and_marked_when_it_is_old() {
    let record = |data: &str, created: &str| {
        json!({
            "apiVersion": "jobwright.dev/v1alpha1", "kind": "WorkflowRecord",
            "metadata": {"name": "s", "namespace": "n", "uid": "s-uid", "resourceVersion": "3", "creationTimestamp": created},
            "spec": {"kind": "Snapshot", "data": data}
        })
    };
    let (young, old) = ("2025-12-31T23:59:00Z", "2025-12-31T00:00:00Z");
    let (create, get) = (
        format!("POST {RECORDS}?fieldManager=jobwright-operator"),
        format!("GET {RECORDS}/s"),
    );
    let mark = format!("PATCH {RECORDS}/s?fieldManager=jobwright-operator");
    for (there, expected, stored) in [
        (None, vec![&create], true),
        (Some(record("{}", young)), vec![&create, &get], true),
        (Some(record("{}", old)), vec![&create, &get, &mark], true),
        (Some(record("another", young)), vec![&create, &get], false),
    ] {
        let store = || Action::StoreSnapshot {
            name: "s".into(),
            data: "{}".into(),
        };
        let answer = move |sent: &Sent| match (&there, sent.line.starts_with("POST")) {
            (None, true) => Some((201, record("{}", young))),
            (Some(_), true) => refusal(409, "AlreadyExists", "exists"),
            (there, false) => there.clone().map(|there| (200, there)),
        };
        let (notes, ctx, log, _) = once(store(), answer).await;
        assert_eq!(log.lines().iter().collect::<Vec<_>>(), expected);
        assert_eq!(!notes.snapshots.is_empty(), stored);
        if stored && expected.len() < 3 {
            apply(store(), &mut Entry::default(), &ctx).await;
            assert!(log.lines().is_empty(), "the next run of the same content asks nothing");
        }
    }
}

#[tokio::test]
async fn the_servers_wish_to_wait_is_honoured() {
    let (ctx, _) = context(|_| {
        Some((
            429,
            json!({
                "kind": "Status", "status": "Failure", "code": 429, "reason": "TooManyRequests",
                "message": "slow down", "details": {"retryAfterSeconds": 30}
            }),
        ))
    });
    let applied = apply(start(), &mut Entry::default(), &ctx).await;
    let rest = applied.next.unwrap().saturating_sub(ctx.clock.monotonic());
    assert!(rest > Duration::from_secs(29), "{rest:?}");
}

#[tokio::test]
async fn a_page_belongs_to_its_workflow_and_one_that_is_there_is_the_same() {
    for (code, reason) in [(201, ""), (409, "AlreadyExists")] {
        let store = Action::StorePage {
            name: "p".into(),
            data: "{}".into(),
            steps: vec!["a[0]".into()],
        };
        let answer = move |_: &Sent| match code {
            201 => Some((201, json!({}))),
            _ => refusal(code, reason, "exists"),
        };
        let (notes, _, log, _) = once(store, answer).await;
        let sent = log.take().remove(0);
        assert_eq!(sent.line, format!("POST {RECORDS}?fieldManager=jobwright-operator"));
        assert_eq!(sent.body["spec"], json!({"kind": "Page", "data": "{}"}));
        assert_eq!(sent.body["metadata"]["ownerReferences"][0]["uid"], "w-uid");
        assert_eq!(notes.sealed["p"], ["a[0]"]);
    }
}

#[tokio::test]
async fn a_page_is_read_and_one_that_is_gone_is_known_to_be() {
    let step =
        r#"{"a[0]":{"path":[{"name":"a","index":0}],"kind":"job","phase":"Succeeded","seq":3,"outputs":{"n":1}}}"#;
    let record = json!({
        "apiVersion": "jobwright.dev/v1alpha1", "kind": "WorkflowRecord",
        "metadata": {"name": "p", "namespace": "n", "uid": "p-uid", "resourceVersion": "3"},
        "spec": {"kind": "Page", "data": step}
    });
    let read = || Action::ReadPage { name: "p".into() };
    let (notes, _, log, applied) = once(read(), move |_| Some((200, record.clone()))).await;
    assert_eq!(log.lines(), [format!("GET {RECORDS}/p")]);
    let page = notes.pages["p"].clone().unwrap();
    assert_eq!(page["a[0]"].outputs["n"], 1);
    assert!(applied.progressed, "what waits for it goes on at once");
    let (notes, ..) = once(read(), |_| refusal(404, "NotFound", "gone")).await;
    assert_eq!(notes.pages["p"], None);
}
