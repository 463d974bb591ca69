//! The status: only its own resource writes it, it is an index, and foreign words in it do no harm.

use jobwright_api::{Reason, StepPhase, Workflow, WorkflowPhase};
use kube::{
    Api,
    api::{DeleteParams, ListParams, Patch, PatchParams},
};
use serde_json::json;

use super::{NAMESPACE, object};
use crate::server;

#[tokio::test]
async fn a_phase_is_found_by_field_selector() {
    let client = server::client().await;
    server::namespace(&client, NAMESPACE).await;
    let api: Api<Workflow> = Api::namespaced(client.clone(), NAMESPACE);
    let spec = "{steps: [{name: a, task: {name: b}}]}";
    for (name, phase) in [("found", "Failed"), ("passed-over", "Running")] {
        api.delete(name, &DeleteParams::default()).await.ok();
        let mut forged = object("Workflow", name, spec);
        forged["status"] = json!({ "phase": "Succeeded" });
        let stored = server::create(&client, &forged, false).await.unwrap();
        assert!(stored.get("status").is_none(), "a status of a user was taken: {stored}");

        let status = json!({ "status": { "phase": phase } });
        let merge = Patch::Merge(&status);
        let ignored = api.patch(name, &PatchParams::default(), &merge).await.unwrap();
        assert_eq!(ignored.status, None, "a status of a user was taken");
        api.patch_status(name, &PatchParams::default(), &merge).await.unwrap();
    }
    let failed = ListParams::default().fields("status.phase=Failed");
    let names: Vec<String> = api
        .list(&failed)
        .await
        .unwrap()
        .items
        .into_iter()
        .filter_map(|found| found.metadata.name)
        .collect();
    assert_eq!(names, ["found"]);
    for name in ["found", "passed-over"] {
        api.delete(name, &DeleteParams::default()).await.unwrap();
    }
}

#[tokio::test]
async fn words_of_a_newer_version_are_kept() {
    let client = server::client().await;
    server::namespace(&client, NAMESPACE).await;
    let api: Api<Workflow> = Api::namespaced(client.clone(), NAMESPACE);
    api.delete("newer", &DeleteParams::default()).await.ok();
    let workflow = object("Workflow", "newer", "{steps: [{name: a, task: {name: b}}]}");
    server::create(&client, &workflow, false).await.unwrap();
    let status = json!({ "status": {
        "phase": "Hibernating", "reason": "Winter", "subStatus": "Asleep",
        "stop": { "reason": "Cold", "timeout": "winterToSpring", "at": "2026-11-21T12:00:00.123456Z" },
        "steps": { "a": { "path": [{ "name": "a" }], "kind": "task", "phase": "Dreaming", "outputs": { "x": { "y": [1, null] } } } },
    } });
    let stored = api
        .patch_status("newer", &PatchParams::default(), &Patch::Merge(&status))
        .await;
    let status = stored.unwrap().status.unwrap();
    assert_eq!(status.phase, Some(WorkflowPhase::Unknown));
    assert_eq!(status.reason, Some(Reason::Other("Winter".into())));
    assert_eq!(status.steps["a"].phase, StepPhase::Unknown);
    assert_eq!(status.steps["a"].outputs["x"], json!({ "y": [1, null] }));
    api.delete("newer", &DeleteParams::default()).await.unwrap();
}
