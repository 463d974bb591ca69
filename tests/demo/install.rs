//! Puts the kinds and the sample into the cluster, by server-side apply.

use crate::texts::Texts;
use anyhow::{Context, Result, bail};
use jobwright_api::Workflow;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{
    Api, Client, ResourceExt,
    api::{DeleteParams, DynamicObject, Patch, PatchParams},
    core::{ApiResource, GroupVersionKind, TypeMeta},
    runtime::wait::{await_condition, conditions},
};
use serde_json::{Value, json};
use std::{fs, path::PathBuf, time::Duration};
use tokio::time::timeout;

/// Name of the Workflow of the sample.
pub(crate) const WORKFLOW: &str = "wordcount";
/// Name of the `ConfigMap` that its Tasks mount.
const TEXTS: &str = "wordcount-texts";
const KINDS: &str = "crds";
const SAMPLE: &str = "config/samples/wordcount";
const FIELD_MANAGER: &str = "jobwright-demo";
/// A loaded cluster takes seconds to serve a new kind or to collect an old run.
const PATIENCE: Duration = Duration::from_secs(60);

/// Installs our kinds and waits until they are served. Returns their names.
pub(crate) async fn kinds(client: &Client) -> Result<Vec<String>> {
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    let kinds = objects(KINDS)?;
    let mut names = Vec::new();
    for kind in &kinds {
        names.push(kind["spec"]["names"]["kind"].as_str().unwrap_or_default().to_owned());
        apply(client, kind).await?;
    }
    for kind in &kinds {
        let name = kind["metadata"]["name"].as_str().unwrap_or_default();
        let served = await_condition(api.clone(), name, conditions::is_crd_established());
        let served = timeout(PATIENCE, served).await;
        served.with_context(|| format!("{name} is not served after {PATIENCE:?}"))??;
    }
    Ok(names)
}

/// Removes the last run, brings the texts and applies the sample.
pub(crate) async fn sample(client: &Client, texts: &Texts, image: Option<&str>) -> Result<()> {
    remove(client).await?;
    apply(client, &texts.config_map(TEXTS)).await?;
    for mut object in objects(SAMPLE)? {
        if let Some(image) = image {
            set_images(&mut object, image);
        }
        apply(client, &object).await?;
    }
    Ok(())
}

async fn remove(client: &Client) -> Result<()> {
    let api: Api<Workflow> = Api::default_namespaced(client.clone());
    let Some(old) = api.get_metadata_opt(WORKFLOW).await? else {
        return Ok(());
    };
    let uid = old.uid().unwrap_or_default();
    // Its Jobs go behind our back: those of the new run have other names.
    match api.delete(WORKFLOW, &DeleteParams::background()).await {
        Err(kube::Error::Api(status)) if status.is_not_found() => return Ok(()),
        answer => answer.context("delete the last run")?,
    };
    let gone = await_condition(api, WORKFLOW, conditions::is_deleted(&uid));
    timeout(PATIENCE, gone)
        .await
        .context("the last run is not gone yet")??;
    Ok(())
}

/// Every image of a Task or of the inline jobs of a Workflow.
fn set_images(object: &mut Value, image: &str) {
    let steps = object
        .pointer("/spec/steps")
        .and_then(Value::as_array)
        .map_or(0, Vec::len);
    let jobs = (0..steps).map(|step| format!("/spec/steps/{step}/job/image"));
    for path in jobs.chain(["/spec/job/image".to_owned()]) {
        if let Some(field) = object.pointer_mut(&path) {
            *field = json!(image);
        }
    }
}

async fn apply(client: &Client, object: &Value) -> Result<()> {
    let object: DynamicObject = serde_json::from_value(object.clone())?;
    let Some(TypeMeta { api_version, kind }) = &object.types else {
        bail!("an object without kind");
    };
    let (group, version) = api_version.rsplit_once('/').unwrap_or(("", api_version));
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
    let api: Api<DynamicObject> = if kind == "CustomResourceDefinition" {
        Api::all_with(client.clone(), &resource)
    } else {
        Api::default_namespaced_with(client.clone(), &resource)
    };
    let (name, as_us) = (object.name_any(), PatchParams::apply(FIELD_MANAGER).force());
    let answer = api.patch(&name, &as_us, &Patch::Apply(&object)).await;
    answer.map(drop).with_context(|| format!("apply {kind} {name}"))
}

/// All objects of the YAML files of a folder, in the order of their names.
fn objects(folder: &str) -> Result<Vec<Value>> {
    let files = fs::read_dir(folder).with_context(|| format!("read {folder}: start in the repository's root"))?;
    let mut files: Vec<PathBuf> = files.flatten().map(|file| file.path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    let mut all = Vec::new();
    for file in files {
        let parsed = serde_saphyr::from_multiple::<Value>(&fs::read_to_string(&file)?);
        all.extend(parsed.with_context(|| format!("parse {}", file.display()))?);
    }
    Ok(all)
}
