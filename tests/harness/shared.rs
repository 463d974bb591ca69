//! What all tests of a process share: the kinds in the API server, and the fake kubelet.

use super::{Kubelet, manifest};
use anyhow::{Context, Result, bail};
use jobwright_api::{Task, Workflow, WorkflowRecord};
use jobwright_cluster::fake_kubelet::{FakeKubelet, annotated};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{
    Api, Client, Resource, ResourceExt,
    api::{DynamicObject, ListParams, Patch, PatchParams},
};
use serde::de::DeserializeOwned;
use std::{fs, path::Path, sync::Once, thread, time::Duration};
use tokio::sync::OnceCell;

use super::{wait, wait::let_pass};

/// The first test installs the kinds and starts the kubelet, the others wait for it.
pub(super) async fn prepare(client: &Client, kubelet: Kubelet) -> Result<()> {
    static KINDS: OnceCell<()> = OnceCell::const_new();
    KINDS.get_or_try_init(|| install(client)).await?;
    if kubelet == Kubelet::Fake {
        static STARTED: Once = Once::new();
        STARTED.call_once(|| drop(thread::spawn(serve)));
    }
    Ok(())
}

/// Installs the kinds of `crds/` and waits until they are served.
pub async fn install(client: &Client) -> Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crds");
    let entries = fs::read_dir(&folder).with_context(|| format!("read {}", folder.display()))?;
    for entry in entries {
        let text = fs::read_to_string(entry?.path())?;
        for object in manifest::documents(&text)? {
            let api: Api<DynamicObject> = Api::all_with(client.clone(), &manifest::resource(&object)?);
            let name = object.name_any();
            let params = PatchParams::apply("jobwright-tests").force();
            api.patch(&name, &params, &Patch::Apply(&object)).await?;
            let crds: Api<CustomResourceDefinition> = Api::all(client.clone());
            wait(&crds, &name, Duration::from_secs(30), "is established", is_established).await?;
        }
    }
    served::<Task>(client).await?;
    served::<Workflow>(client).await?;
    served::<WorkflowRecord>(client).await
}

/// An established kind may still be answered with 429, "storage is (re)initializing".
async fn served<K>(client: &Client) -> Result<()>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + std::fmt::Debug,
{
    let api: Api<K> = Api::all(client.clone());
    let few = ListParams::default().limit(1);
    for _ in 0..100 {
        match api.list(&few).await {
            Ok(_) => return Ok(()),
            Err(kube::Error::Api(status)) if status.code == 429 => {
                let_pass(Duration::from_millis(100), "the storage of a new kind").await;
            }
            Err(error) => return Err(error.into()),
        }
    }
    bail!("{} is not served", K::plural(&()))
}

fn is_established(crd: &CustomResourceDefinition) -> bool {
    let conditions = crd.status.as_ref().and_then(|status| status.conditions.as_ref());
    conditions
        .into_iter()
        .flatten()
        .any(|condition| condition.type_ == "Established" && condition.status == "True")
}

/// Serves until the process ends. A thread of its own: tests come and go.
fn serve() {
    let served = super::block_on(async {
        let client = Client::try_default().await?;
        FakeKubelet::new(client, annotated).serve().await
    });
    if let Err(error) = served {
        tracing::error!("the fake kubelet ended: {error:#}");
    }
}
