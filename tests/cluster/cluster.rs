//! A cluster from its start to its end.

use crate::{
    access::Access,
    base_images, binaries,
    components::ControllerLimits,
    hold::Hold,
    name::Name,
    namespace,
    paths::Paths,
    probe,
    process::Programs,
    requirements,
    start::{self, Plan},
    teardown,
};
use anyhow::{Context, Result, bail};
use std::{
    fs,
    ops::Deref,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::time::timeout;

/// How long another start or end of the same cluster may take.
const OTHER_LAUNCHER: Duration = Duration::from_secs(60);

/// What a cluster consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Shape {
    /// Everything: pods run in real containers.
    Node,
    /// etcd, API server and controllers: pods stay pending until a fake kubelet reports on them.
    Api,
}

/// What to start.
#[derive(Clone, Debug)]
pub struct Config {
    /// Clusters of different names live side by side.
    pub name: Name,
    pub shape: Shape,
    pub limits: ControllerLimits,
    /// Tars of images that the node gets besides `registry.local/busybox:1`.
    pub images: Vec<PathBuf>,
}

/// A running cluster that ends with this value.
///
/// Guarantees: when it is dropped, in a panic too, nothing of it is left; if this process is killed,
/// the next start of any cluster on the machine, or `down` of this one, removes it.
#[derive(Debug)]
pub struct Cluster {
    access: Access,
    shape: Shape,
    programs: Arc<Mutex<Programs>>,
    /// None once it has ended or belongs to nobody.
    hold: Option<Hold>,
}

/// What [`up`] found to do.
#[derive(Debug)]
pub enum Up {
    Started(Access),
    Already(Access),
}

/// Builds all that a shape needs and checks that the machine has the rest.
pub async fn build(shape: Shape) -> Result<()> {
    requirements::programs(shape)?;
    binaries::ensure().await?;
    if shape == Shape::Node {
        base_images::ensure().await?;
    }
    Ok(())
}

/// Brings a cluster up that outlives this process, until [`down`].
pub async fn up(config: Config) -> Result<Up> {
    let access = Access::to(&Paths::of(&config.name));
    if let Ok(shape) = fs::read_to_string(access.paths().detached()) {
        if shape != config.shape.word() {
            bail!(
                "cluster {} is up with shape {shape}; end it first, or give another name",
                config.name
            );
        }
        if answers(&access).await {
            for image in &config.images {
                access.load(image).await?;
            }
            return Ok(Up::Already(access));
        }
        tracing::warn!("cluster {} does not answer: starting it anew", config.name);
        down(&config.name).await?;
    }
    Ok(Up::Started(Cluster::start(config).await?.detach()?))
}

/// Ends the cluster of that name, whatever state it is in; that there is none is success.
pub async fn down(name: &Name) -> Result<()> {
    requirements::root()?;
    let paths = Paths::of(name);
    let hold = Hold::take(&paths.lock(), &format!("cluster {name}"), OTHER_LAUNCHER).await?;
    let result = teardown::all(&paths);
    hold.release();
    result
}

impl Cluster {
    /// Starts a cluster and waits until it takes pods; builds first what is not built.
    ///
    /// If the future is dropped before it is ready, all that it has made is removed.
    pub async fn start(config: Config) -> Result<Self> {
        requirements::programs(config.shape)?;
        requirements::root()?;
        let built = binaries::ensure().await?;
        let mut images = match config.shape {
            Shape::Node => base_images::ensure().await?,
            Shape::Api => Vec::new(),
        };
        images.extend(config.images);
        end_abandoned();
        let paths = Paths::of(&config.name);
        let hold = Hold::take(&paths.lock(), &format!("cluster {}", config.name), OTHER_LAUNCHER).await?;
        if paths.detached().exists() {
            bail!(
                "cluster {0} is up already; end it with `jobwright-cluster down --name {0}`",
                config.name
            );
        }
        teardown::all(&paths)?; // of a start that was killed
        let programs = Arc::new(Mutex::new(Programs::new(paths.logs())));
        // From here on its drop cleans up.
        let mut cluster = Self {
            access: Access::to(&paths),
            shape: config.shape,
            programs: programs.clone(),
            hold: Some(hold),
        };
        let plan = Plan {
            paths,
            shape: config.shape,
            limits: config.limits,
            built,
            images,
            programs,
        };
        match start::bring_up(plan).await {
            Ok(()) => Ok(cluster),
            Err(error) => {
                let kept = cluster.fail();
                Err(error.context(format!("cluster {} did not come up{kept}", config.name)))
            }
        }
    }

    /// Ends it and tells what could not be removed.
    pub fn stop(mut self) -> Result<()> {
        self.end()
    }

    /// Ends it after something went wrong: the logs are kept and their folder is printed.
    pub fn stop_keeping_logs(mut self) -> Result<()> {
        self.keep_logs();
        self.end()
    }

    /// Leaves it running for anybody, until [`down`].
    pub fn detach(mut self) -> Result<Access> {
        let marker = self.access.paths().detached();
        fs::write(&marker, self.shape.word()).with_context(|| format!("write {}", marker.display()))?;
        if let Some(hold) = self.hold.take() {
            hold.release();
        }
        Ok(self.access.clone())
    }

    fn end(&mut self) -> Result<()> {
        let Some(hold) = self.hold.take() else {
            return Ok(());
        };
        let result = teardown::all(self.access.paths());
        if let Ok(mut programs) = self.programs.lock() {
            programs.reap();
        }
        hold.release();
        result
    }

    /// Ends it with its logs kept; returns where, as the end of a sentence.
    fn fail(&mut self) -> String {
        let kept = teardown::keep_logs(self.access.paths());
        self.end().unwrap_or_else(|error| tracing::error!("{error:#}"));
        kept.map_or_else(String::new, |folder| format!(", its logs are in {}", folder.display()))
    }

    fn keep_logs(&self) {
        if let Some(folder) = teardown::keep_logs(self.access.paths()) {
            tracing::error!("the logs of cluster {} are in {}", self.access.name(), folder.display());
        }
    }
}

impl Deref for Cluster {
    type Target = Access;

    fn deref(&self) -> &Access {
        &self.access
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if self.hold.is_some() && std::thread::panicking() {
            self.keep_logs();
        }
        self.end().unwrap_or_else(|error| tracing::error!("{error:#}"));
    }
}

impl Shape {
    /// As it is written on the command line.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Api => "api",
        }
    }
}

/// Whether a cluster that is said to be up serves.
async fn answers(access: &Access) -> bool {
    let kubeconfig = access.kubeconfig().to_owned();
    let question = namespace::run_inside(access.name(), false, move || async move {
        probe::server_ready(&probe::client(&kubeconfig).await?).await
    });
    matches!(timeout(Duration::from_secs(3), question).await, Ok(Ok(true)))
}

/// Removes clusters whose launcher was killed: nobody holds them, and nobody has let them go.
fn end_abandoned() {
    for name in Paths::all_names() {
        let paths = Paths::of(&name);
        let Ok(Some(hold)) = Hold::try_take(&paths.lock()) else {
            continue;
        };
        if !paths.detached().exists() {
            tracing::info!("removing cluster {name}, whose launcher was killed");
            teardown::all(&paths).unwrap_or_else(|error| tracing::warn!("{error:#}"));
        }
        hold.release();
    }
}
