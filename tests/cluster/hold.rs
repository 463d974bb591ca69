//! Who may touch a cluster: a file lock that the kernel lets go when its holder dies, however it dies.

use anyhow::{Context, Result, bail};
use std::{
    fs::{self, File, TryLockError},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::time::{Instant, sleep};

/// A held lock.
///
/// Guarantees: no other process holds the same path; a lock whose holder was killed is free.
#[derive(Debug)]
pub(crate) struct Hold {
    path: PathBuf,
    _file: File,
}

impl Hold {
    /// Takes the lock if it is free.
    pub(crate) fn try_take(path: &Path) -> Result<Option<Self>> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
        }
        loop {
            let file = File::create(path).with_context(|| format!("open {}", path.display()))?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => return Err(error).context("lock"),
            }
            // The last holder may have removed the file between our open and our lock.
            let ours = file.metadata()?.ino();
            if fs::metadata(path).is_ok_and(|named| named.ino() == ours) {
                return Ok(Some(Self {
                    path: path.to_owned(),
                    _file: file,
                }));
            }
        }
    }

    /// Takes the lock, waiting for its holder for at most `patience`.
    pub(crate) async fn take(path: &Path, what: &str, patience: Duration) -> Result<Self> {
        let deadline = Instant::now() + patience;
        let mut told = false;
        loop {
            if let Some(hold) = Self::try_take(path)? {
                return Ok(hold);
            }
            if Instant::now() >= deadline {
                bail!(
                    "{what} is still in use by another process after {} s",
                    patience.as_secs()
                );
            }
            if !told {
                tracing::info!("waiting for another process that holds {what}");
                told = true;
            }
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// Lets go and leaves no file behind.
    pub(crate) fn release(self) {
        // While we hold it nobody else can have it, so removing it takes it from no one.
        fs::remove_file(&self.path).ok();
    }
}

#[cfg(test)]
mod tests {
    use super::Hold;

    #[test]
    fn a_lock_has_one_holder_and_leaves_no_file() {
        let path = std::env::temp_dir().join(format!("jobwright-hold-{}", std::process::id()));
        let hold = Hold::try_take(&path).unwrap().unwrap();
        assert!(Hold::try_take(&path).unwrap().is_none());
        hold.release();
        assert!(!path.exists());
        Hold::try_take(&path).unwrap().unwrap().release();
    }
}
