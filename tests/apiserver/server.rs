//! The API server of KUBECONFIG, with our kinds installed.

use jobwright_api::crd;
use k8s_openapi::{
    api::core::v1::Namespace, apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use kube::{
    Api, Client, ResourceExt,
    api::{Patch, PatchParams},
    runtime::{conditions, wait::await_condition},
};
use serde_json::{Value, json};
use std::{env, time::Duration};
use tokio::{sync::OnceCell, time};

const READY_WITHIN: Duration = Duration::from_secs(30);

/// Each test has a runtime of its own, and a client lives in one: only the installation is shared.
static INSTALLED: OnceCell<()> = OnceCell::const_new();

pub(crate) async fn client() -> Client {
    assert!(
        env::var_os("KUBECONFIG").is_some(),
        "KUBECONFIG is not set: run `make test-apiserver`"
    );
    let client = Client::try_default().await.unwrap();
    INSTALLED.get_or_init(|| install(client.clone())).await;
    client
}

async fn install(client: Client) {
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    let params = PatchParams::apply("jobwright-tests").force();
    let mut names = Vec::new();
    for definition in crd::all() {
        let name = definition.name_any();
        let manifest = crd::manifest(&definition).unwrap();
        api.patch(&name, &params, &Patch::Apply(&manifest)).await.unwrap();
        names.push(name);
    }
    for name in names {
        let established = await_condition(api.clone(), &name, conditions::is_crd_established());
        time::timeout(READY_WITHIN, established).await.unwrap().unwrap();
    }
    // Established is said a moment before it is so, and a schema is taken up a moment later.
    time::sleep(Duration::from_secs(1)).await;
}

/// Makes a namespace, or finds it there.
pub(crate) async fn namespace(client: &Client, name: &str) {
    let api: Api<Namespace> = Api::all(client.clone());
    let namespace = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name } });
    let params = PatchParams::apply("jobwright-tests");
    api.patch(name, &params, &Patch::Apply(&namespace)).await.unwrap();
}

/// Creates an object as `kubectl apply` does the first time: unknown fields are errors.
/// With a dry run nothing is stored. The answer is the object, or the server's refusal.
pub(crate) async fn create(client: &Client, object: &Value, dry_run: bool) -> Result<Value, Refused> {
    let kind = object["kind"].as_str().unwrap().to_lowercase();
    let namespace = object["metadata"]["namespace"].as_str().unwrap();
    let path = format!("/apis/jobwright.dev/v1alpha1/namespaces/{namespace}/{kind}s");
    let params = kube::api::PostParams {
        dry_run,
        field_manager: Some("jobwright-tests".into()),
    };
    let body = serde_json::to_vec(object).unwrap();
    let mut request = kube::core::Request::new(path).create(&params, body).unwrap();
    let strict = format!("{}&fieldValidation=Strict", request.uri());
    *request.uri_mut() = strict.parse().unwrap();
    client.request(request).await.map_err(Refused::from)
}

/// What the server said, with the fields that it spoke of.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) message: String,
    pub(crate) causes: Vec<(String, String)>,
}

impl From<kube::Error> for Refused {
    fn from(error: kube::Error) -> Self {
        let kube::Error::Api(status) = error else {
            panic!("no answer of the API server: {error}");
        };
        let causes = status.details.iter().flat_map(|details| &details.causes);
        Self {
            causes: causes
                .map(|cause| (cause.field.clone(), cause.message.clone()))
                .collect(),
            message: status.message.clone(),
        }
    }
}
