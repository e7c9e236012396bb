//! Cleans and writes exchanges on a thread of its own, so that nobody who streams waits for it.

use std::io;
use std::thread::JoinHandle;

use tokio::sync::mpsc;

use weir_fixtures::fixture::{Exchange, Folder, Rules};

/// How many exchanges may wait to be written.
const WAITING: usize = 16;

/// An exchange that is over, with what the log says of it.
struct Job {
    line: String,
    exchange: Exchange,
}

/// Where exchanges are put that are over. Nothing in it is the end: connections that are cut may hold on to theirs.
#[derive(Debug, Clone)]
pub(super) struct Tray(mpsc::Sender<Option<Job>>);

/// The thread that writes.
#[derive(Debug)]
pub(super) struct Writer {
    tray: Tray,
    thread: JoinHandle<usize>,
}

impl Writer {
    pub(super) fn start(folder: Folder, rules: Rules, limit: u64) -> io::Result<Self> {
        let (sender, jobs) = mpsc::channel(WAITING);
        let write = move || write(jobs, folder, &rules, limit);
        let thread = std::thread::Builder::new().name("record".to_owned()).spawn(write)?;
        Ok(Self { tray: Tray(sender), thread })
    }

    pub(super) fn tray(&self) -> Tray {
        self.tray.clone()
    }

    /// Waits until all that was put into the tray is written; answers how many recordings that made.
    pub(super) async fn finish(self) -> usize {
        let Self { tray, thread } = self;
        if tray.0.send(None).await.is_err() {
            tracing::warn!("the thread that writes has ended");
        }
        let waited = tokio::task::spawn_blocking(move || thread.join()).await;
        waited.ok().and_then(Result::ok).unwrap_or_default()
    }
}

impl Tray {
    /// Never waits: where the writer cannot keep up, the exchange is not recorded.
    pub(super) fn put(&self, line: String, exchange: Exchange) {
        if let Err(error) = self.0.try_send(Some(Job { line, exchange })) {
            let (mpsc::error::TrySendError::Full(job) | mpsc::error::TrySendError::Closed(job)) = error;
            let line = job.map(|job| job.line).unwrap_or_default();
            tracing::warn!("{line}: not recorded, too many wait to be written");
        }
    }
}

fn write(mut jobs: mpsc::Receiver<Option<Job>>, mut folder: Folder, rules: &Rules, limit: u64) -> usize {
    let mut written = 0;
    while let Some(Some(Job { line, exchange })) = jobs.blocking_recv() {
        let file = exchange.into_file(rules, limit).map_err(Into::into);
        match file.and_then(|file| folder.add(file)) {
            Ok(path) => {
                written += 1;
                tracing::info!("{line}: {}", path.display());
            }
            Err(reason) => tracing::warn!("{line}: not recorded, {reason}"),
        }
    }
    written
}
