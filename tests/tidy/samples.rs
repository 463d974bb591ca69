//! Every sample and every configuration is valid to the letter: a newcomer copies them.

use jobwright_api::{Task, Workflow, WorkflowTemplate, crd, settings::JobSettings};
use jobwright_engine::{
    expr::is_reserved,
    job::review,
    plan::{Sources, check_template, plan},
    problem::Problem,
};
use jobwright_operator::config::Settings;
use k8s_openapi::{
    api::core::v1::{ConfigMap, Namespace, Secret, ServiceAccount},
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, OnceLock},
};

use crate::{conformance::EXPECTED, finding::Finding, repository::TextFile, schema};

const SAMPLES: &str = "config/samples/";
const ENVIRONMENTS: &str = "config/environments/";

/// What stands in the samples of one folder.
#[derive(Default)]
struct Folder {
    tasks: BTreeMap<String, Arc<Task>>,
    templates: BTreeMap<String, Arc<WorkflowTemplate>>,
    workflows: Vec<(String, Workflow)>,
    found: Vec<Finding>,
}

fn check(files: &[&TextFile]) -> Vec<Finding> {
    let mut folders: BTreeMap<&Path, Folder> = BTreeMap::new();
    for file in files {
        let folder = Path::new(&file.path).parent().unwrap_or_else(|| Path::new(""));
        folders.entry(folder).or_default().read(file);
    }
    folders.into_values().flat_map(Folder::finish).collect()
}

impl Folder {
    fn read(&mut self, file: &TextFile) {
        let documents: Vec<Value> = match serde_saphyr::from_multiple(&file.text) {
            Ok(documents) => documents,
            Err(error) => return self.found.push(Finding::of(&file.path, format!("no YAML: {error}"))),
        };
        for (number, document) in (1..).zip(documents).filter(|(_, document)| !document.is_null()) {
            let name = document["metadata"]["name"].as_str().unwrap_or("?");
            let kind = document["kind"].as_str().unwrap_or("?");
            let place = format!("{} document {number} ({kind} {name})", file.path);
            if let Err(words) = self.take(kind, &document, &place) {
                self.found.push(Finding::of(&place, words));
            }
        }
    }

    fn take(&mut self, kind: &str, document: &Value, place: &str) -> Result<(), String> {
        match kind {
            "Task" => {
                let task: Task = ours(kind, document)?;
                review(&task, &JobSettings::default(), is_reserved).map_err(|problems| words(&problems))?;
                let name = task.metadata.name.clone().unwrap_or_default();
                self.tasks.insert(name, Arc::new(task));
            }
            "Workflow" => {
                let workflow: Workflow = ours(kind, document)?;
                self.workflows.push((place.to_owned(), workflow));
            }
            "WorkflowTemplate" => {
                let template: WorkflowTemplate = ours(kind, document)?;
                let name = template.metadata.name.clone().unwrap_or_default();
                self.templates.insert(name, Arc::new(template));
            }
            "ConfigMap" => theirs::<ConfigMap>(document)?,
            "Namespace" => theirs::<Namespace>(document)?,
            "Secret" => theirs::<Secret>(document)?,
            "ServiceAccount" => theirs::<ServiceAccount>(document)?,
            _ => return Err("a kind that tests/tidy/samples.rs cannot read: add it there".into()),
        }
        Ok(())
    }

    /// Workflows and templates compile with what is beside them.
    fn finish(mut self) -> Vec<Finding> {
        let sources = Sources {
            tasks: &self.tasks,
            templates: &self.templates,
            settings: &JobSettings::default(),
        };
        for name in self.templates.keys() {
            if let Err(problems) = check_template(name, sources) {
                self.found.push(Finding::of(name, words(&problems)));
            }
        }
        for (place, workflow) in &self.workflows {
            if let Err(unready) = plan(&workflow.spec, sources) {
                self.found.push(Finding::of(place, words(unready.problems())));
            }
        }
        self.found
    }
}

fn words(problems: &[Problem]) -> String {
    let all: Vec<String> = problems.iter().map(Problem::to_string).collect();
    all.join("; ")
}

/// One of our kinds, as its definition has it and nothing more.
fn ours<K: DeserializeOwned>(kind: &str, document: &Value) -> Result<K, String> {
    static CRDS: OnceLock<Vec<CustomResourceDefinition>> = OnceLock::new();
    let crd = CRDS
        .get_or_init(crd::all)
        .iter()
        .find(|crd| crd.spec.names.kind == kind);
    let crd = crd.ok_or_else(|| format!("there is no kind {kind}"))?;
    let schema = schema::of(crd).ok_or_else(|| format!("{kind} has no schema"))?;
    let version = crd.spec.versions.first().map_or("", |version| version.name.as_str());
    let wanted = format!("{}/{version}", crd.spec.group);
    if document["apiVersion"] != wanted.as_str() {
        return Err(format!("apiVersion is {}, not {wanted}", document["apiVersion"]));
    }
    let mut unknown = Vec::new();
    for (name, member) in document.as_object().into_iter().flatten() {
        match (
            name.as_str(),
            schema.properties.as_ref().and_then(|properties| properties.get(name)),
        ) {
            ("apiVersion" | "kind", _) => {}
            ("metadata", _) => unknown.extend(lost::<ObjectMeta>(member)?.iter().map(|path| format!("metadata{path}"))),
            ("status", _) | (_, None) => unknown.push(name.clone()),
            (_, Some(schema)) => schema::unknown_fields(schema, member, name, &mut unknown),
        }
    }
    refuse(&unknown)?;
    serde_json::from_value(document.clone()).map_err(|error| error.to_string())
}

/// A configuration of the operator, read as the operator reads it.
fn environment(file: &TextFile) -> Option<Finding> {
    let error = Settings::parse(&file.text).err()?;
    Some(Finding::of(&file.path, error.to_string()))
}

fn theirs<K: DeserializeOwned + Serialize>(document: &Value) -> Result<(), String> {
    refuse(&lost::<K>(document)?)
}

fn lost<K: DeserializeOwned + Serialize>(value: &Value) -> Result<Vec<String>, String> {
    let read: K = serde_json::from_value(value.clone()).map_err(|error| error.to_string())?;
    let again = serde_json::to_value(read).map_err(|error| error.to_string())?;
    let mut found = Vec::new();
    schema::lost_fields(value, &again, "", &mut found);
    Ok(found)
}

fn refuse(unknown: &[String]) -> Result<(), String> {
    if unknown.is_empty() {
        Ok(())
    } else {
        Err(format!("unknown fields: {}", unknown.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{finding::none, repository::files};

    const TASK: &str =
        "apiVersion: jobwright.dev/v1alpha1\nkind: Task\nmetadata: {name: a}\nspec: {job: {image: a:1}}\n";
    const WORKFLOW: &str = "apiVersion: jobwright.dev/v1alpha1\nkind: Workflow\nmetadata: {name: b}\nspec: {steps: [{name: c, task: {name: a}}]}\n";

    /// What is said of the samples, without the places.
    fn said(texts: &[&str]) -> Vec<String> {
        let file = |text: &&str| TextFile {
            path: "config/samples/a.yaml".into(),
            text: (*text).to_owned(),
        };
        let files: Vec<TextFile> = texts.iter().map(file).collect();
        let found = check(&files.iter().collect::<Vec<_>>());
        found.iter().map(ToString::to_string).collect()
    }

    fn yaml_under(folder: &str) -> Vec<&'static TextFile> {
        let is_yaml = |path: &Path| {
            path.extension()
                .is_some_and(|extension| extension == "yaml" || extension == "yml")
        };
        let under = files()
            .iter()
            .filter(|file| file.path.starts_with(folder) && is_yaml(Path::new(&file.path)));
        let found: Vec<_> = under.collect();
        assert!(!found.is_empty(), "nothing under {folder}");
        found
    }

    #[test]
    fn every_environment_is_valid() {
        let found: Vec<_> = yaml_under(ENVIRONMENTS).into_iter().filter_map(environment).collect();
        none("configurations of the operator are valid", &found);
    }

    #[test]
    fn a_bad_environment_is_refused() {
        let file = |text: &str| TextFile {
            path: "config/environments/a.yaml".into(),
            text: text.into(),
        };
        assert_eq!(environment(&file("api: {qps: 50}")), None);
        assert!(environment(&file("api: {qqs: 50}")).is_some());
        assert!(environment(&file("api: {qps: -1}")).is_some());
    }

    #[test]
    fn every_sample_is_valid() {
        let mut samples = yaml_under(SAMPLES);
        samples.retain(|file| !file.path.ends_with(EXPECTED));
        none("samples are strictly valid and compile", &check(&samples));
    }

    #[test]
    fn good_samples_pass() {
        let map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, labels: {b: c}}\ndata: {d: e}\n";
        assert_eq!(
            said(&[&format!("{TASK}---\n{WORKFLOW}---\n{map}")]),
            Vec::<String>::new()
        );
        assert_eq!(said(&[WORKFLOW, TASK]), Vec::<String>::new());
    }

    #[test]
    fn bad_samples_are_refused() {
        for (text, expected) in [
            ("a: [", "no YAML"),
            (&TASK.replace("image:", "imgae:"), "spec.job.imgae"),
            (&TASK.replace("{name: a}", "{name: a, label: {}}"), "metadata.label"),
            (&TASK.replace("spec:", "status: {}\nspec:"), "status"),
            (&TASK.replace("v1alpha1", "v1"), "not jobwright.dev/v1alpha1"),
            (&TASK.replace("{image: a:1}", "{}"), "image"),
            (WORKFLOW, "there is no Task a"),
            (
                &WORKFLOW.replace("task: {name: a}", "job: {image: a:1}, needs: [d]"),
                "no step d",
            ),
            (&WORKFLOW.replace("{name: a}", "{name: 1}"), "string"),
            ("kind: ConfigMap\nmetadata: {name: a}\ndatum: {}", ".datum"),
            ("kind: Pod", "cannot read"),
        ] {
            let said = said(&[text]);
            assert!(said.len() == 1 && said[0].contains(expected), "{text}\n{said:?}");
        }
    }
}
