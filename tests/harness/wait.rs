//! Waiting for objects by watching them.

use anyhow::{Context, Result, bail};
use futures::StreamExt;
use kube::{
    Api, Resource, ResourceExt,
    runtime::{
        WatchStreamExt,
        watcher::{self, Event, watcher},
    },
};
use serde::{Serialize, de::DeserializeOwned};
use std::{
    collections::BTreeMap,
    fmt::{Debug, Write},
    time::Duration,
};
use tokio::time::timeout;

/// How much of an object a failure shows.
const SHOWN_BYTES_MAX: usize = 4000;

/// Waits until the objects that match satisfy a condition, and gives them.
pub async fn wait_all<K>(
    api: &Api<K>,
    config: watcher::Config,
    within: Duration,
    what: &str,
    condition: impl Fn(&BTreeMap<String, K>) -> bool,
) -> Result<BTreeMap<String, K>>
where
    K: Resource + Clone + Debug + DeserializeOwned + Serialize + Send + 'static,
{
    let mut seen = BTreeMap::new();
    let watched = async {
        let mut events = watcher(api.clone(), config).default_backoff().boxed();
        let mut is_listed = false;
        while let Some(event) = events.next().await {
            match event {
                Ok(Event::Init) => seen.clear(),
                Ok(Event::InitApply(object) | Event::Apply(object)) => {
                    seen.insert(object.name_any(), object);
                }
                Ok(Event::Delete(object)) => {
                    seen.remove(&object.name_any());
                }
                Ok(Event::InitDone) => is_listed = true,
                Err(_) => {} // the watcher goes on by itself
            }
            if is_listed && condition(&seen) {
                return true;
            }
        }
        false
    };
    match timeout(within, watched).await {
        Ok(true) => Ok(seen),
        Ok(false) => bail!("the watch ended while waiting for {what}"),
        Err(_) => bail!(
            "waited {} s for {what}; seen last: {}",
            within.as_secs_f32(),
            shown(&seen)
        ),
    }
}

/// Waits until one object satisfies a condition, and gives it. While it does not exist it satisfies none.
pub async fn wait<K>(
    api: &Api<K>,
    name: &str,
    within: Duration,
    what: &str,
    condition: impl Fn(&K) -> bool,
) -> Result<K>
where
    K: Resource + Clone + Debug + DeserializeOwned + Serialize + Send + 'static,
{
    let one = watcher::Config::default().fields(&format!("metadata.name={name}"));
    let fits = |seen: &BTreeMap<String, K>| seen.get(name).is_some_and(&condition);
    let mut seen = wait_all(api, one, within, &format!("{name}: {what}"), fits).await?;
    seen.remove(name).context("it was there a moment ago")
}

/// The status of each, for people.
fn shown<K: Serialize>(seen: &BTreeMap<String, K>) -> String {
    if seen.is_empty() {
        return "nothing".to_owned();
    }
    let mut text = String::new();
    for (name, object) in seen {
        let value = serde_json::to_value(object).unwrap_or_default();
        let status = value.get("status").unwrap_or(&value);
        write!(text, "\n{name}: {status:#}").ok();
    }
    let mut end = text.len().min(SHOWN_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    text
}

/// Lets time pass where no fact can be waited for: that nothing happens, or what nobody announces.
pub async fn let_pass(time: Duration, _why: &str) {
    tokio::time::sleep(time).await;
}
