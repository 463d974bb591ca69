//! The way into a cluster that is up, for its owner and for anybody else on the machine.

use crate::{
    name::Name,
    namespace,
    paths::Paths,
    pki::ADMIN,
    process::{PROXY_VARIABLES, search_path},
};
use anyhow::{Context, Result, bail};
use std::{
    ffi::OsStr,
    ffi::OsString,
    path::{Path, PathBuf},
};
use tokio::process::Command;

const NAME_VARIABLE: &str = "JOBWRIGHT_CLUSTER_NAME";

/// A cluster that is up. It owns nothing: dropping it ends nothing.
#[derive(Clone, Debug)]
pub struct Access {
    paths: Paths,
    kubeconfig: PathBuf,
    audit_log: PathBuf,
    containerd_socket: PathBuf,
}

impl Access {
    /// The cluster of that name, or an error that says that it is not up.
    pub fn of(name: &Name) -> Result<Self> {
        let access = Self::to(&Paths::of(name));
        if !access.paths.network_namespace().exists() || !access.kubeconfig.exists() {
            bail!("no cluster {name} is up; bring it up with `jobwright-cluster up --name {name}`");
        }
        Ok(access)
    }

    /// The cluster that this process was started in by `jobwright-cluster run` or `exec`.
    pub fn from_environment() -> Result<Self> {
        let name = std::env::var(NAME_VARIABLE)
            .with_context(|| format!("{NAME_VARIABLE} is not set: start this with `jobwright-cluster run -- ...`"))?;
        Self::of(&name.parse()?)
    }

    pub(crate) fn to(paths: &Paths) -> Self {
        Self {
            kubeconfig: paths.kubeconfig(ADMIN),
            audit_log: paths.audit_log(),
            containerd_socket: paths.containerd_socket(),
            paths: paths.clone(),
        }
    }

    /// The cluster's name.
    #[must_use]
    pub fn name(&self) -> &Name {
        self.paths.name()
    }

    /// Where it keeps what.
    #[must_use]
    pub fn paths(&self) -> &Paths {
        &self.paths
    }

    /// The kubeconfig of a user who may do everything.
    #[must_use]
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// The API server's audit log: every request, with the bodies of writes to what our checks read.
    #[must_use]
    pub fn audit_log(&self) -> &Path {
        &self.audit_log
    }

    /// containerd's socket, for `ctr --address`; it exists in a cluster with a node.
    #[must_use]
    pub fn containerd_socket(&self) -> &Path {
        &self.containerd_socket
    }

    /// Moves the calling thread into the cluster's network, see [`crate::enter`].
    pub fn enter(&self) -> Result<()> {
        namespace::enter(self.name())
    }

    /// What a program inside is told: `KUBECONFIG`, a `PATH` with kubectl, and where things are.
    #[must_use]
    pub fn environment(&self) -> Vec<(&'static str, OsString)> {
        vec![
            ("KUBECONFIG", self.kubeconfig.clone().into()),
            ("PATH", self.search_path()),
            (NAME_VARIABLE, self.name().as_str().into()),
            ("JOBWRIGHT_AUDIT_LOG", self.audit_log.clone().into()),
            ("JOBWRIGHT_CONTAINERD_SOCKET", self.containerd_socket.clone().into()),
        ]
    }

    /// A command that will run inside, with [`Self::environment`]. Its process id is the program's own.
    #[must_use]
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        // nsenter and not `ip netns exec`: that remounts /sys and so hides the cgroups.
        let mut command = Command::new("nsenter");
        let mut handle = OsString::from("--net=");
        handle.push(self.paths.network_namespace());
        command.arg(handle).arg("--").arg(program).envs(self.environment());
        for variable in PROXY_VARIABLES {
            command.env_remove(variable);
        }
        command
    }

    /// What kubectl prints; an error with its complaint if it fails.
    pub async fn kubectl<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Result<String> {
        output(self.command("kubectl").args(args)).await
    }

    /// Gives the node an image, from a tar that [`crate::Image::write`] or `docker save` made.
    pub async fn load(&self, image: &Path) -> Result<()> {
        if !self.containerd_socket.exists() {
            bail!("cluster {} has no node to load {} into", self.name(), image.display());
        }
        let mut ctr = Command::new("ctr");
        ctr.arg("--address")
            .arg(&self.containerd_socket)
            .args(["--namespace", "k8s.io"]);
        output(ctr.args(["images", "import"]).arg(image)).await.map(drop)
    }

    fn search_path(&self) -> OsString {
        let mut path = self.paths.programs().into_os_string();
        path.push(":");
        path.push(search_path());
        path
    }
}

async fn output(command: &mut Command) -> Result<String> {
    let program = command.as_std().get_program().to_owned();
    let answer = command.kill_on_drop(true).output().await;
    let answer = answer.with_context(|| format!("run {}", program.display()))?;
    if !answer.status.success() {
        let complaint = String::from_utf8_lossy(&answer.stderr).trim().to_owned();
        let args: Vec<_> = command.as_std().get_args().map(OsStr::to_string_lossy).collect();
        bail!(
            "{} {}: {}: {complaint}",
            program.display(),
            args.join(" "),
            answer.status
        );
    }
    Ok(String::from_utf8_lossy(&answer.stdout).into_owned())
}
