//! The operator as a process of its own, to be killed at will.

use anyhow::{Context, Result, ensure};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::{Value, json};
use std::{
    env,
    fs::{self, File, OpenOptions},
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::sleep,
};

/// The operator of one test, with its files. Dropping it kills it.
#[derive(Debug)]
pub struct Operator {
    name: String,
    folder: PathBuf,
    address: SocketAddr,
    child: Option<Child>,
}

impl Operator {
    /// Starts one. `name` becomes its user, by which the audit log knows its requests.
    ///
    /// `config` is YAML at the top level of its configuration file.
    pub fn start(name: &str, config: &str) -> Result<Self> {
        let folder = folder()?.join(name);
        fs::create_dir_all(&folder).with_context(|| format!("create {}", folder.display()))?;
        let address = free_address()?;
        let all = format!("http: {{bind: '{address}'}}\nlog: {{format: human, level: info}}\n{config}\n");
        fs::write(folder.join("config.yaml"), all)?;
        let user = user(name);
        fs::write(folder.join("kubeconfig"), kubeconfig_of(&user)?)?;
        let mut operator = Self {
            name: name.to_owned(),
            folder,
            address,
            child: None,
        };
        operator.start_again()?;
        Ok(operator)
    }

    /// The user as whom it asks the API server.
    #[must_use]
    pub fn user(&self) -> String {
        user(&self.name)
    }

    /// Where it serves health and metrics.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its configuration file.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.folder.join("config.yaml")
    }

    /// All that it has logged, over all its lives.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    /// The process that runs now.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// Starts it with the same files; one that runs is killed before.
    pub fn start_again(&mut self) -> Result<()> {
        self.kill()?;
        let binary = binary()?;
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.folder.join("log"))?;
        // It dies with the thread that started it, however that ends: nothing is left behind.
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "--"])
            .arg(&binary)
            .arg("--config")
            .arg(self.config())
            .env("KUBECONFIG", self.folder.join("kubeconfig"))
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("start {} by setpriv", binary.display()))?;
        self.child = Some(child);
        Ok(())
    }

    /// kill -9.
    pub fn kill(&mut self) -> Result<()> {
        if let Some(mut child) = self.child.take() {
            child.kill()?;
            child.wait()?;
        }
        Ok(())
    }

    /// SIGTERM, and waits for its end.
    pub async fn stop(&mut self, within: Duration) -> Result<ExitStatus> {
        let mut child = self.child.take().context("the operator does not run")?;
        kill(Pid::from_raw(i32::try_from(child.id())?), Signal::SIGTERM)?;
        let begun = Instant::now();
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok(status);
            }
            if begun.elapsed() > within {
                child.kill()?;
                child.wait()?;
                anyhow::bail!("the operator did not end within {} s of SIGTERM", within.as_secs());
            }
            sleep(Duration::from_millis(10)).await; // the end of a process cannot be watched
        }
    }

    /// Waits until it has seen all there is: before, it does nothing.
    pub async fn ready(&mut self) -> Result<()> {
        const READY_MAX: Duration = Duration::from_secs(30);
        let begun = Instant::now();
        while !self.get("/readyz").await.is_ok_and(|answer| answer.contains(" 200 ")) {
            self.ensure_alive()?;
            ensure!(
                begun.elapsed() < READY_MAX,
                "the operator is not ready:\n{}",
                self.log()
            );
            sleep(Duration::from_millis(20)).await; // nothing tells when a port opens
        }
        Ok(())
    }

    /// What it serves at a path, with the head of the answer.
    pub async fn get(&self, path: &str) -> Result<String> {
        let mut stream = TcpStream::connect(self.address).await?;
        let request = format!("GET {path} HTTP/1.1\r\nHost: operator\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok(answer)
    }

    /// An error if it has ended by itself.
    pub fn ensure_alive(&mut self) -> Result<()> {
        if let Some(child) = &mut self.child {
            let ended = child.try_wait()?;
            ensure!(
                ended.is_none(),
                "the operator ended by itself: {ended:?}\n{}",
                self.log()
            );
        }
        Ok(())
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        self.kill().ok();
    }
}

fn user(name: &str) -> String {
    format!("jobwright:{name}")
}

/// The operator's program: `JOBWRIGHT_OPERATOR`, or the one built beside this test.
pub fn binary() -> Result<PathBuf> {
    if let Some(path) = env::var_os("JOBWRIGHT_OPERATOR") {
        return Ok(path.into());
    }
    let own = env::current_exe()?;
    let mut folders = own.ancestors().skip(1);
    let found = folders.find_map(|folder| {
        let path = folder.join("jobwright-operator");
        path.is_file().then_some(path)
    });
    found.context("no jobwright-operator beside this test: cargo build -p jobwright-operator")
}

/// Logs are where the cluster keeps its own, so that they are kept or removed with them.
fn folder() -> Result<PathBuf> {
    let audit = env::var_os("JOBWRIGHT_AUDIT_LOG").map(PathBuf::from);
    let beside = audit.as_deref().and_then(Path::parent).map(|run| run.join("log"));
    let folder = beside.unwrap_or_else(env::temp_dir).join("operators");
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// A port that was free a moment ago.
fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

/// Our kubeconfig, but as another user: so the audit log tells the operator from the test.
fn kubeconfig_of(user: &str) -> Result<String> {
    let path = env::var_os("KUBECONFIG").context("KUBECONFIG is not set: run this under `jobwright-cluster run`")?;
    let file = File::open(&path).with_context(|| format!("open {}", path.display()))?;
    let mut config: Value = serde_saphyr::from_reader(file)?;
    for entry in config
        .pointer_mut("/users")
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
    {
        if let Some(credentials) = entry.get_mut("user").and_then(Value::as_object_mut) {
            credentials.insert("as".to_owned(), json!(user));
            credentials.insert("as-groups".to_owned(), json!(["system:masters"]));
        }
    }
    Ok(config.to_string())
}
