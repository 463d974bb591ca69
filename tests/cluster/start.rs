//! Bringing a cluster up: everything that can start at once does.

use crate::{
    access::Access,
    binaries::Built,
    cgroups,
    cluster::Shape,
    components::{self, ControllerLimits},
    config, namespace,
    paths::Paths,
    pki::{self, NODE},
    probe,
    process::Programs,
};
use anyhow::{Context, Result, anyhow};
use kube::Client;
use std::{
    fs::DirBuilder,
    os::unix::fs::{DirBuilderExt, symlink},
    path::PathBuf,
    sync::{Arc, Mutex},
};
use tokio::net::UnixStream;

/// All that is needed to start.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) paths: Paths,
    pub(crate) shape: Shape,
    pub(crate) limits: ControllerLimits,
    pub(crate) built: Built,
    pub(crate) images: Vec<PathBuf>,
    pub(crate) programs: Arc<Mutex<Programs>>,
}

/// Starts everything and waits until pods would be taken.
///
/// Assumes that nothing of an earlier cluster of that name is left. On failure, or when it is dropped
/// half-way, what was made stays, for [`crate::teardown`].
pub(crate) async fn bring_up(plan: Plan) -> Result<()> {
    prepare(&plan)?;
    let name = plan.paths.name().clone();
    let mounts = plan.shape == Shape::Node;
    namespace::run_inside(&name, mounts, move || async move { plan.start().await }).await
}

fn prepare(plan: &Plan) -> Result<()> {
    let paths = &plan.paths;
    for folder in [paths.run(), paths.data(), &paths.logs()] {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
        made.with_context(|| format!("create {}", folder.display()))?;
    }
    symlink(plan.built.folder(), paths.programs()).context("link the programs")?;
    pki::create(paths)?;
    config::write(paths)?;
    namespace::create(paths)?;
    if plan.shape == Shape::Node {
        cgroups::create(paths)?;
    }
    Ok(())
}

impl Plan {
    async fn start(&self) -> Result<()> {
        let (built, paths) = (&self.built, &self.paths);
        self.run(&components::etcd(built, paths))?;
        self.run(&components::apiserver(built, paths))?;
        if self.shape == Shape::Node {
            self.run(&components::containerd(paths))?;
        }
        let client = probe::client(&paths.kubeconfig(pki::ADMIN)).await?;
        let node = async {
            match self.shape {
                Shape::Api => Ok(()),
                Shape::Node => self.start_node(&client).await,
            }
        };
        tokio::try_join!(self.start_controllers(&client), node)?;
        Ok(())
    }

    async fn start_controllers(&self, client: &Client) -> Result<()> {
        let (built, paths) = (&self.built, &self.paths);
        probe::until(
            "the API server does not serve",
            "kube-apiserver",
            &self.programs,
            || probe::server_ready(client),
        )
        .await?;
        self.run(&components::controller_manager(built, paths, self.shape, self.limits))?;
        if self.shape == Shape::Node {
            self.run(&components::scheduler(built, paths))?;
            self.run(&components::proxy(built, paths))?;
        }
        probe::until(
            "no service account `default`",
            "kube-controller-manager",
            &self.programs,
            || probe::account_exists(client),
        )
        .await
    }

    async fn start_node(&self, client: &Client) -> Result<()> {
        let access = Access::to(&self.paths);
        probe::until("containerd does not listen", "containerd", &self.programs, || async {
            Ok(UnixStream::connect(access.containerd_socket()).await.map(|_| true)?)
        })
        .await?;
        self.run(&components::kubelet(&self.built, &self.paths))?;
        for image in &self.images {
            access.load(image).await?;
        }
        probe::until("the node is not ready", "kubelet", &self.programs, || {
            probe::node_ready(client, NODE)
        })
        .await
    }

    fn run(&self, component: &components::Component) -> Result<()> {
        self.programs
            .lock()
            .map_err(|_| anyhow!("a starting thread panicked"))?
            .start(component)
    }
}
