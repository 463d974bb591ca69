//! The whole: watches, queues and servers around one context. `main` only starts it.

use http::header::{HeaderValue, USER_AGENT};
use kube::Client;
use std::{future::Future, path::Path, sync::Arc, time::Duration};
use tokio::{net::TcpListener, sync::watch as signal, time::timeout};

use crate::{
    clock,
    config::{Settings, reload::Reload},
    context::Context,
    health,
    queue::Queue,
    reconcile,
    report::events::Events,
    store::Woken,
    sweep::Sweep,
    task, template, watch, write,
};

/// How long the last looks and status writes may take once the end was asked for: well within the
/// grace period that Kubernetes gives by default (30 s), and what tests wait for.
const SHUTDOWN: Duration = Duration::from_secs(8);

/// A connection on which nothing arrives for this long is broken.
const READ_TIMEOUT: Duration = Duration::from_secs(300);

/// The running operator.
pub struct Operator {
    ctx: Arc<Context>,
    client: Client,
    tasks: Queue,
    templates: Queue,
    sweep: Sweep,
}

impl Operator {
    #[must_use]
    pub fn new(ctx: Arc<Context>, client: Client) -> Self {
        Self {
            ctx,
            client,
            tasks: Queue::default(),
            templates: Queue::default(),
            sweep: Sweep::default(),
        }
    }

    #[must_use]
    pub fn context(&self) -> &Context {
        &self.ctx
    }

    pub(crate) fn client(&self) -> Client {
        self.client.clone()
    }

    /// The namespaces as the stores know them, in the order of their sources.
    pub(crate) fn namespaces(&self) -> Vec<Option<String>> {
        let namespaces = self.ctx.stores.namespaces();
        if namespaces.is_empty() {
            return vec![None];
        }
        namespaces.iter().cloned().map(Some).collect()
    }

    /// Hands on who has to look.
    pub(crate) fn woken(&self, woken: Woken) {
        for (_, uid) in &woken.gone {
            self.ctx.memory.forget(uid);
        }
        self.sweep.note(woken.unused);
        if !woken.tasks.is_empty() {
            self.tasks.wake(woken.tasks);
        }
        if !woken.templates.is_empty() {
            self.templates.wake(woken.templates);
        }
        if !woken.workflows.is_empty() {
            self.ctx.looks.wake(woken.workflows);
        }
    }

    fn wake_all(&self) {
        self.tasks.wake(self.ctx.stores.tasks());
        self.templates.wake(self.ctx.stores.templates());
        self.ctx.looks.wake(self.ctx.stores.workflows());
    }

    /// Runs until `stop`, then ends what is under way and writes what is not stored yet.
    pub async fn run(&self, reload: Option<&Reload>, stop: impl Future<Output = ()>) {
        let (stopped, stopping) = signal::channel(false);
        let concurrency = self.ctx.settings().concurrency.0;
        let ctx = &*self.ctx;
        let workflows = ctx.looks.run(concurrency, raised(&stopping), |key| async move {
            reconcile::workflow(&key, ctx).await
        });
        let writes = ctx.writes.run(concurrency, raised(&stopping), |key| async move {
            write::status(&key, ctx).await
        });
        let tasks = self.tasks.run(concurrency, raised(&stopping), |key| async move {
            task::task(&key, ctx).await
        });
        let templates = self.templates.run(concurrency, raised(&stopping), |key| async move {
            template::template(&key, ctx).await
        });
        let watches = futures::future::join_all(watch::all(self));
        let reload = async {
            match reload {
                Some(reload) => reload.run(ctx, || self.wake_all()).await,
                None => std::future::pending().await,
            }
        };
        let background = async {
            tokio::join!(watches, self.sweep.run(ctx), reload);
        };
        let ordered = async {
            stop.await;
            tracing::info!("stopping: looks under way end, statuses are written");
            ctx.stop();
            stopped.send_replace(true);
        };
        let looks = async { tokio::join!(workflows, writes, tasks, templates, ordered) };
        let mut looks = std::pin::pin!(looks);
        let mut late = std::pin::pin!(async {
            raised(&stopping).await;
            tokio::time::sleep(SHUTDOWN / 2).await;
        });
        tokio::select! {
            _ = &mut looks => {}
            () = background => {}
            () = &mut late => tracing::warn!("looks under way did not end in time"),
        }
        if timeout(SHUTDOWN / 2, write::flush(ctx)).await.is_err() {
            tracing::warn!("not all statuses were written in time: the next start derives them again");
        }
    }
}

async fn raised(signal: &signal::Receiver<bool>) {
    // The sender lives as long as the looks.
    signal.clone().wait_for(|raised| *raised).await.ok();
}

/// Starts everything and runs until a signal.
///
/// # Errors
/// No API server is configured, or the port cannot be bound.
pub async fn serve(settings: Settings, path: Option<&Path>) -> anyhow::Result<()> {
    let mut config = kube::Config::infer().await?;
    // One policy of ours: kube's own would repeat for minutes within one call.
    config.default_retry = false;
    // A watch is never quiet for so long: the API server sends bookmarks every minute. A list or the
    // start of a watch without an answer ends with it; each other call has a limit of its own.
    config.read_timeout = Some(READ_TIMEOUT);
    // So that the API server's audit log and priority rules can tell us from others.
    let name = HeaderValue::from_static(concat!("jobwright-operator/", env!("CARGO_PKG_VERSION")));
    config.headers.push((USER_AGENT, name));
    let api_server = api_server(&config);
    let client = Client::try_from(config)?;
    let bind = settings.http.bind;
    let (events, publisher) = Events::queue();
    let ctx = Context::new(client.clone(), Arc::new(clock::System::new()), settings, events);
    ctx.refuse_hosts(api_server);
    let ctx = Arc::new(ctx);
    let reload = path.map(Reload::new).transpose()?;
    let listener = TcpListener::bind(bind).await?;
    tracing::info!(http = %listener.local_addr()?, version = env!("CARGO_PKG_VERSION"), "started");
    let http = tokio::spawn(axum::serve(listener, health::routes(Arc::clone(&ctx))).into_future());
    let instance = std::env::var("POD_NAME").ok();
    let events = tokio::spawn(publisher.run(client.clone(), instance));
    let operator = Operator::new(ctx, client);
    operator.run(reload.as_ref(), signalled()).await;
    http.abort();
    drop(operator); // and with it the queue of events: the publisher ends after the last
    timeout(Duration::from_secs(1), events).await.ok();
    tracing::info!("stopped");
    Ok(())
}

/// Where the API server is, as far as this process knows.
fn api_server(config: &kube::Config) -> Vec<String> {
    let named = config
        .cluster_url
        .host()
        .map(|host| host.trim_matches(['[', ']']).to_owned());
    let service = std::env::var("KUBERNETES_SERVICE_HOST").ok();
    named.into_iter().chain(service).collect()
}

async fn signalled() {
    use tokio::signal::unix::{SignalKind, signal};
    let wait = async |kind| match signal(kind) {
        Ok(mut stream) => drop(stream.recv().await),
        Err(error) => {
            tracing::error!(%error, "signals cannot be received");
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        () = wait(SignalKind::terminate()) => {}
        () = wait(SignalKind::interrupt()) => {}
    }
}
