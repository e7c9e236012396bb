//! Follows the configuration file.
//!
//! It is looked at every second: events are lost or missing on many file systems, links of a mounted `ConfigMap` change
//! elsewhere, and a second is soon enough. What counts is what the file holds, not its time.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use sha2::{Digest, Sha256};
use tokio::sync::watch;

use super::Reload;

const EVERY: Duration = Duration::from_secs(1);

/// What tells without reading that a file may have changed: where it really lies, its time and its length.
type Stamp = (PathBuf, Option<SystemTime>, u64);

/// Reloads whenever the file holds something else, until told to stop. Does nothing where there is no file.
pub async fn follow(reload: Arc<Reload>, mut stop: watch::Receiver<bool>) {
    let Some(path) = reload.current().config.path.clone() else { return };
    // What the file holds is compared with what was read, which may be long ago: adapters were compiled meanwhile.
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
        // A file that is being written is left alone until it stands still.
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
            // Somebody had it reloaded already.
            continue;
        }
        let reload = Arc::clone(&reload);
        // Whatever comes of it is in the log and in the metrics.
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
