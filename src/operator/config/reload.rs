//! The file is taken over when it changes, without a restart.
//!
//! The directory is watched, not the file: a mounted `ConfigMap` changes by a symlink that is
//! swapped beside it, and editors replace files too. A new content that is wrong changes nothing.

use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::{sync::Notify, time::sleep};

use super::Settings;
use crate::context::Context;

/// A change of a file is several events; the last of them comes within this time.
const SETTLE: Duration = Duration::from_millis(200);

/// Watches one file.
pub struct Reload {
    path: PathBuf,
    changed: Arc<Notify>,
    _watcher: RecommendedWatcher,
}

impl Reload {
    /// Begins to watch.
    ///
    /// # Errors
    /// The directory cannot be watched.
    pub fn new(path: &Path) -> notify::Result<Self> {
        let changed = Arc::new(Notify::new());
        let notify = Arc::clone(&changed);
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            // Our own reading is an event as well.
            let is_read = event.is_ok_and(|event| event.kind.is_access());
            if !is_read {
                notify.notify_one();
            }
        })?;
        let directory = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        watcher.watch(directory, RecursiveMode::NonRecursive)?;
        Ok(Self {
            path: path.to_owned(),
            changed,
            _watcher: watcher,
        })
    }

    /// Takes over what changes, until dropped. `taken` is called after each.
    pub async fn run(&self, ctx: &Context, taken: impl Fn()) {
        let mut seen = None;
        loop {
            self.changed.notified().await;
            sleep(SETTLE).await;
            // Other files of the directory change as well: the same text is judged once.
            let text = Settings::read(&self.path).ok();
            if text.is_none() || text != seen {
                seen = text;
                self.load(ctx, &taken);
            }
        }
    }

    fn load(&self, ctx: &Context, taken: &impl Fn()) {
        let current = ctx.settings();
        match Settings::load(&self.path) {
            Ok(newer) if newer == *current => drop(ctx.metrics.config_valid.set(1)),
            Ok(newer) => {
                ctx.metrics.config_valid.set(1);
                let restart = current.needs_restart(&newer);
                if !restart.is_empty() {
                    tracing::warn!(fields = ?restart, "these changed settings are only read at start: restart the operator");
                }
                ctx.reload(newer);
                tracing::info!(path = %self.path.display(), "configuration taken over");
                taken();
            }
            Err(error) => {
                ctx.metrics.config_valid.set(0);
                tracing::error!(path = %self.path.display(), %error, "the changed configuration is wrong: the old one stays");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{clock, report::events::Events};

    fn context() -> Context {
        let (client, _) = crate::testing::client(|_| None);
        Context::new(
            client,
            Arc::new(clock::System::new()),
            Settings::default(),
            Events::none(),
        )
    }

    async fn until(holds: impl Fn() -> bool) {
        for _ in 0..200 {
            if holds() {
                return;
            }
            sleep(Duration::from_millis(50)).await;
        }
        panic!("not within 10 s");
    }

    #[tokio::test]
    async fn a_swapped_symlink_is_taken_over_and_a_wrong_file_is_not() {
        let directory = std::env::temp_dir().join(format!("jobwright-reload-{}", std::process::id()));
        let version = |name: &str, text: &str| {
            let of = directory.join(name);
            std::fs::create_dir_all(&of).unwrap();
            std::fs::write(of.join("config.yaml"), text).unwrap();
            let link = directory.join("new");
            std::os::unix::fs::symlink(&of, &link).unwrap();
            std::fs::rename(link, directory.join("..data")).unwrap();
        };
        std::fs::create_dir_all(&directory).unwrap();
        version("1", "concurrency: 1");
        let file = directory.join("config.yaml");
        std::os::unix::fs::symlink(directory.join("..data/config.yaml"), &file).unwrap();

        let ctx = context();
        let reload = Reload::new(&file).unwrap();
        let changes = async {
            version("2", "concurrency: 2\napi: {timeout: 1s}");
            until(|| ctx.settings().concurrency.0 == 2).await;
            version("3", "concurrency: 0");
            until(|| ctx.metrics.config_valid.get() == 0).await;
            assert_eq!(ctx.settings().concurrency.0, 2, "the old one stays");
            version("4", "concurrency: 3");
            until(|| ctx.settings().concurrency.0 == 3).await;
            assert_eq!(ctx.metrics.config_valid.get(), 1);
        };
        tokio::select! {
            () = reload.run(&ctx, || {}) => {}
            () = changes => {}
        }
        std::fs::remove_dir_all(directory).unwrap();
    }
}
