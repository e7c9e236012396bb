//! Follows the configuration file, and the files that its secrets are in: those of the configuration in force, and
//! those that a refused one named, of which one may have been missing.
//!
//! They are checked every second: events get lost or do not exist on many file systems, and links of a mounted
//! `ConfigMap` or Secret change elsewhere. A change means different contents, not a different time, which stay for a
//! second: of a file that is being written, a part may be a sound configuration.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::watch;

use super::audit::file_watch;
use super::{Origin, Reload};
use weir_config::{Config, SecretFile};

const INTERVAL: Duration = Duration::from_secs(1);

/// Shows without reading whether a regular file may have changed: its path with links resolved, its time and its
/// length.
type Stamp = (PathBuf, Option<SystemTime>, u64);

/// A digest of each file's contents; none for a file that cannot be read. The configuration file is the first, then
/// come the secrets of the configuration in force, then those of a refused one.
type Contents = Vec<Option<[u8; 32]>>;

/// Reloads whenever the contents of the configuration file or of a secret's file change, until `stop` is set. Does
/// nothing without a configuration file.
pub async fn follow(reload: Arc<Reload>, mut stop: watch::Receiver<bool>) {
    let mut config = Arc::clone(&reload.current().config);
    let Some(path) = config.path.clone() else { return };
    // The stamps of the last look, and of the last look whose contents were read.
    let (mut last, mut seen) = (None, None);
    // Whether there has been a file, and whether its loss is reported. A pipe that the start has read is no file, and
    // not lost.
    let (mut was_there, mut is_reported) = (false, false);
    // What was found last, so that contents which were refused are not tried again and again.
    let mut tried = Contents::new();
    loop {
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            () = tokio::time::sleep(INTERVAL) => {}
        }
        let current = reload.current();
        // One that an operator has rolled back to stays until the files change, which are those of the last one loaded.
        if current.origin != Origin::Rollback {
            config = Arc::clone(&current.config);
        }
        let files = Files::of(&path, &config, reload.refused_files().clone());
        let now = files.stamps().await;
        if now.is_none() && !is_reported && (was_there || files.is_gone().await) {
            is_reported = true;
            reload.lost_file(&path);
        }
        was_there |= now.is_some();
        is_reported &= now.is_none();
        let is_settled = now == last;
        last.clone_from(&now);
        if now.is_none() || !is_settled || now == seen {
            continue;
        }
        seen = now;
        let Some(found) = files.contents().await else { continue };
        // The contents are compared with those loaded, which may be long ago: at the start, adapters were compiled
        // meanwhile. They may have been reloaded by other means already.
        let is_loaded = found.starts_with(&loaded(&config));
        if is_loaded {
            reload.found_again(&path);
        }
        if is_loaded || found == tried {
            continue;
        }
        tried = found;
        let (reloading, by) = (Arc::clone(&reload), file_watch(&path));
        // The result is in the log and in the metrics.
        let _told = tokio::task::spawn_blocking(move || reloading.reload(&by).is_ok()).await;
        // As they were when it was refused, so that a file which has appeared since is tried.
        tried.truncate(1 + config.secret_files.len());
        tried.extend(reload.refused_files().iter().map(|file| file.digest));
    }
}

/// The configuration file, and the files of secrets. They are looked at on threads that may wait, since their file
/// system may be one that hangs.
#[derive(Debug)]
struct Files {
    path: PathBuf,
    secrets: Vec<PathBuf>,
}

impl Files {
    fn of(path: &Path, config: &Config, refused: Vec<SecretFile>) -> Arc<Self> {
        let secrets = config.secret_files.iter().map(|file| file.path.clone());
        let secrets = secrets.chain(refused.into_iter().map(|file| file.path)).collect();
        Arc::new(Self { path: path.to_owned(), secrets })
    }

    /// The stamps of the configuration file and of each secret's file; `None` while there is no configuration file that
    /// can be read.
    async fn stamps(self: &Arc<Self>) -> Option<Vec<Option<Stamp>>> {
        let files = Arc::clone(self);
        let look = move || {
            let first = stamp(&files.path).filter(|_| File::open(&files.path).is_ok())?;
            Some(std::iter::once(Some(first)).chain(files.secrets.iter().map(|file| stamp(file))).collect())
        };
        tokio::task::spawn_blocking(look).await.ok().flatten()
    }

    /// Whether nothing has the configuration file's name.
    async fn is_gone(self: &Arc<Self>) -> bool {
        let files = Arc::clone(self);
        tokio::task::spawn_blocking(move || !files.path.exists()).await.is_ok_and(|is_gone| is_gone)
    }

    /// What the files hold now; `None` if Weir stops.
    async fn contents(self: &Arc<Self>) -> Option<Contents> {
        let files = Arc::clone(self);
        let read = move || {
            let own = Config::digest_now(&files.path);
            let secrets = files.secrets.iter().map(|file| SecretFile::digest_now(file));
            std::iter::once(own).chain(secrets).collect()
        };
        tokio::task::spawn_blocking(read).await.ok()
    }
}

fn stamp(path: &Path) -> Option<Stamp> {
    let real = std::fs::canonicalize(path).ok()?;
    let about = std::fs::metadata(&real).ok().filter(std::fs::Metadata::is_file)?;
    Some((real, about.modified().ok(), about.len()))
}

/// What the files held when the configuration was loaded.
fn loaded(config: &Config) -> Contents {
    let secrets = config.secret_files.iter().map(|file| file.digest);
    std::iter::once(Some(config.digest)).chain(secrets).collect()
}
