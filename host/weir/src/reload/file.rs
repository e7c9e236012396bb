//! Follows the configuration file.
//!
//! It is checked every second: events get lost or do not exist on many file systems, and links of a mounted `ConfigMap`
//! change elsewhere. A change means different contents, not a different time.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use sha2::{Digest, Sha256};
use tokio::sync::watch;

use super::Reload;

const EVERY: Duration = Duration::from_secs(1);

/// Shows without reading whether a file may have changed: its path with links resolved, its time and its length.
type Stamp = (PathBuf, Option<SystemTime>, u64);

/// Reloads whenever the file's contents change, until `stop` is set. Does nothing without a file.
pub async fn follow(reload: Arc<Reload>, mut stop: watch::Receiver<bool>) {
    let Some(path) = reload.current().config.path.clone() else { return };
    // The contents are compared with those loaded at the start, which may be long ago, because adapters were compiled
    // meanwhile.
    let mut seen = None;
    let mut holds = Some(reload.current().config.digest);
    loop {
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            () = tokio::time::sleep(EVERY) => {}
        }
        let now = stamp(&path);
        if now.is_none() || now == seen {
            continue;
        }
        // A file that is being written is ignored until it stays unchanged.
        tokio::time::sleep(EVERY / 10).await;
        if stamp(&path) != now {
            continue;
        }
        seen = now;
        let found = digest(&path);
        if found.is_none() || found == holds {
            continue;
        }
        holds = found;
        if found == Some(reload.current().config.digest) {
            // It has been reloaded by other means already.
            continue;
        }
        let reload = Arc::clone(&reload);
        // The result is in the log and in the metrics.
        let _told = tokio::task::spawn_blocking(move || reload.reload().is_ok()).await;
    }
}

fn stamp(path: &Path) -> Option<Stamp> {
    let real = std::fs::canonicalize(path).ok()?;
    let about = std::fs::metadata(&real).ok()?;
    Some((real, about.modified().ok(), about.len()))
}

fn digest(path: &Path) -> Option<[u8; 32]> {
    std::fs::read(path).ok().map(|bytes| Sha256::digest(bytes).into())
}
