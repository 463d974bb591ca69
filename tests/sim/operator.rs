//! The real operator, over the model server: its context, its watches, and when it looks at what.

use http::{Request, Response};
use jiff::{SignedDuration, Timestamp};
use jobwright_operator::{
    clock::Clock,
    config::Settings,
    context::{Context, Wake},
    reconcile,
    report::events::Events,
    store::{Key, Woken},
    sweep, task, write,
};
use kube::{Client, client::Body};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    convert::Infallible,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::Duration,
};
use tokio::{sync::Notify, task::JoinHandle, time::Instant};

use crate::{
    faults::{Plan, Trouble},
    receiver::Receiver,
    rest::Sent,
    server::{NAMESPACE, Server, UID, WORKFLOW, refusal},
    watch::Watches,
};

/// What all share.
pub(crate) struct World {
    pub(crate) server: Mutex<Server>,
    pub(crate) plan: Mutex<Plan>,
    pub(crate) start: Timestamp,
    pub(crate) origin: Instant,
}

impl World {
    pub(crate) fn now(&self) -> Timestamp {
        self.start + SignedDuration::try_from(self.origin.elapsed()).unwrap()
    }

    /// Lets the cluster do what is due.
    pub(crate) fn advance(&self) {
        let now = self.now();
        self.server.lock().unwrap().advance(now);
    }
}

/// The operator's clock: its wall time may be wrong.
pub(crate) struct Watch {
    world: Arc<World>,
    born: Instant,
    skew_s: AtomicI64,
}

impl Clock for Watch {
    fn now(&self) -> Timestamp {
        self.world.now() + SignedDuration::from_secs(self.skew_s.load(Ordering::Relaxed))
    }

    fn monotonic(&self) -> Duration {
        Duration::from_secs(1_000) + self.born.elapsed()
    }
}

/// One life of one operator.
pub(crate) struct Operator {
    pub(crate) ctx: Arc<Context>,
    pub(crate) watches: Watches,
    clock: Arc<Watch>,
    death: Arc<Death>,
    /// When to look at Tasks, at snapshots.
    tasks: BTreeMap<Key, Instant>,
    sweeps: BTreeMap<Key, Instant>,
    /// A status on its way: looks go on meanwhile.
    writing: Option<JoinHandle<()>>,
}

#[derive(Default)]
pub(crate) struct Death {
    pub(crate) is_dead: AtomicBool,
    told: Notify,
}

impl Operator {
    /// Starts: a new process lists everything and looks at all.
    pub(crate) fn start(world: &Arc<World>) -> Self {
        let death = Arc::new(Death::default());
        let clock = Watch {
            world: Arc::clone(world),
            born: Instant::now(),
            skew_s: AtomicI64::new(0),
        };
        let clock = Arc::new(clock);
        let client = client(Arc::clone(world), Arc::clone(&death));
        let ctx = Context::new(client, Arc::<Watch>::clone(&clock), Settings::default(), Events::none());
        let ctx = ctx.sending_by(Arc::new(Receiver::new(Arc::clone(world), Arc::clone(&death))));
        let (watches, woken) = Watches::begin(&world.server.lock().unwrap(), &ctx);
        let mut operator = Self {
            ctx: Arc::new(ctx),
            watches,
            clock,
            death,
            writing: None,
            tasks: BTreeMap::new(),
            sweeps: BTreeMap::new(),
        };
        operator.woken(woken);
        operator
    }

    pub(crate) fn jump(&self, seconds: i64) {
        self.clock.skew_s.store(seconds, Ordering::Relaxed);
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.death.is_dead.load(Ordering::Relaxed)
    }

    pub(crate) fn woken(&mut self, woken: Vec<Woken>) {
        let now = Instant::now();
        for woken in woken {
            for (_, uid) in &woken.gone {
                self.ctx.memory.forget(uid);
            }
            self.ctx.looks.wake(woken.workflows);
            self.tasks.extend(woken.tasks.into_iter().map(|key| (key, now)));
            for key in woken.unused {
                self.sweeps.entry(key).or_insert(now);
            }
        }
    }

    pub(crate) fn next_at(&self) -> Option<Instant> {
        let others = self.tasks.values().chain(self.sweeps.values()).copied();
        others
            .chain(self.ctx.looks.next_at())
            .chain(self.ctx.writes.next_at())
            .min()
    }

    pub(crate) const fn is_writing(&self) -> bool {
        self.writing.is_some()
    }

    /// Until the status on its way has arrived, if there is one.
    pub(crate) async fn written(&mut self) {
        match &mut self.writing {
            Some(writing) => writing.await.unwrap(),
            None => std::future::pending().await,
        }
        self.writing = None;
    }

    /// Sends the status that is due.
    fn write(&mut self) {
        if self.writing.as_ref().is_some_and(JoinHandle::is_finished) {
            self.writing = None;
        }
        if let Some(key) = self.ctx.writes.take() {
            let ctx = Arc::clone(&self.ctx);
            self.writing = Some(tokio::spawn(async move {
                let wake = write::status(&key, &ctx).await;
                ctx.writes.done(key, wake);
            }));
        }
    }

    /// Looks at what is due, until it dies.
    pub(crate) async fn look(&mut self) {
        let now = Instant::now();
        let due_tasks: Vec<Key> = due(&self.tasks, now);
        let due_sweeps: Vec<Key> = due(&self.sweeps, now);
        self.write();
        let ctx = Arc::clone(&self.ctx);
        let work = async {
            let mut again = (Vec::new(), Vec::new());
            for key in due_tasks {
                let wake = task::task(&key, &ctx).await;
                again.0.push((key, at(wake)));
            }
            while let Some(key) = ctx.looks.take() {
                let wake = reconcile::workflow(&key, &ctx).await;
                ctx.looks.done(key, wake);
            }
            for key in due_sweeps {
                let rest = sweep::one(&key, &ctx).await;
                again.1.push((key, rest.map(|rest| Instant::now() + rest)));
            }
            again
        };
        let death = self.death.told.notified();
        let done = futures::future::select(Box::pin(work), Box::pin(death)).await;
        let futures::future::Either::Left(((tasks, sweeps), _)) = done else {
            return;
        };
        for (key, again) in tasks {
            set(&mut self.tasks, key, again);
        }
        for (key, again) in sweeps {
            set(&mut self.sweeps, key, again);
        }
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        if let Some(writing) = &self.writing {
            writing.abort();
        }
    }
}

fn due(of: &BTreeMap<Key, Instant>, now: Instant) -> Vec<Key> {
    of.iter()
        .filter(|(_, at)| **at <= now)
        .map(|(key, _)| key.clone())
        .collect()
}

fn set(of: &mut BTreeMap<Key, Instant>, key: Key, again: Option<Instant>) {
    match again {
        Some(at) => drop(of.insert(key, at)),
        None => drop(of.remove(&key)),
    }
}

fn at(wake: Wake) -> Option<Instant> {
    match wake {
        Wake::OnChange => None,
        Wake::After(rest) => Some(Instant::now() + rest),
    }
}

/// Whether anything of the run is still in the making.
pub(crate) fn memory_is_clean(ctx: &Context) -> bool {
    let run = ctx.memory.run(&Key::new(NAMESPACE, WORKFLOW), UID);
    !run.outbox().is_dirty()
}

fn client(world: Arc<World>, death: Arc<Death>) -> Client {
    let service = tower::service_fn(move |request: Request<Body>| {
        let (world, death) = (Arc::clone(&world), Arc::clone(&death));
        async move {
            let sent = sent(request).await;
            let answer = serve(&world, &death, sent).await;
            let body = Body::from(serde_json::to_vec(&answer.1).unwrap());
            let response = Response::builder().status(answer.0).body(body).unwrap();
            Ok::<_, Infallible>(response)
        }
    });
    Client::new(service, NAMESPACE)
}

const SLOW: Duration = Duration::from_secs(2);

async fn serve(world: &World, death: &Death, sent: Sent) -> (u16, Value) {
    // Others get their turn: two operators meet at every request.
    tokio::task::yield_now().await;
    if death.is_dead.load(Ordering::Relaxed) {
        return std::future::pending().await;
    }
    world.advance();
    let trouble = world.plan.lock().unwrap().next(sent.what(), sent.is_write());
    if trouble == Some(Trouble::Overtaken) {
        world.server.lock().unwrap().touch();
    }
    let answer = match trouble {
        Some(trouble) if !trouble.is_done() => None,
        _ => Some(world.server.lock().unwrap().handle(&sent)),
    };
    if world.plan.lock().unwrap().is_told {
        let code = answer.as_ref().map(|answer| answer.0);
        println!(
            "{} {} {} {trouble:?} {code:?} {}",
            world.now(),
            sent.method,
            sent.path,
            sent.body["status"]
        );
    }
    match trouble {
        None | Some(Trouble::Overtaken) => answer.unwrap(),
        Some(Trouble::Slow) => {
            tokio::time::sleep(SLOW).await;
            answer.unwrap()
        }
        Some(Trouble::Refused(code) | Trouble::DoneButErrored(code)) => error(code),
        Some(trouble) => {
            if trouble.is_crash() {
                death.is_dead.store(true, Ordering::Relaxed);
                death.told.notify_one();
            }
            std::future::pending().await
        }
    }
}

fn error(code: u16) -> (u16, Value) {
    let reason = match code {
        409 => "Conflict",
        429 => "TooManyRequests",
        503 => "ServiceUnavailable",
        504 => "Timeout",
        _ => "InternalError",
    };
    let mut answer = refusal(code, reason, "a fault that was planned");
    if code == 429 {
        answer.1["details"] = serde_json::json!({"retryAfterSeconds": 1});
    }
    answer
}

async fn sent(request: Request<Body>) -> Sent {
    let (parts, body) = request.into_parts();
    let bytes = body.collect_bytes().await.unwrap();
    let header = parts.headers.get("content-type");
    Sent {
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        content_type: header.map_or_else(String::new, |value| value.to_str().unwrap().to_owned()),
        body: serde_json::from_slice(&bytes).unwrap_or(Value::Null),
    }
}
