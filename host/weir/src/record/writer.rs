//! Cleans and writes exchanges on a separate thread, so that no stream waits for it.

use std::io;
use std::thread::JoinHandle;

use tokio::sync::mpsc;

use weir_fixtures::fixture::{Exchange, Folder, Rules};

/// Maximum number of exchanges that wait to be written.
const WAITING: usize = 16;

/// A complete exchange with its line for the log.
struct Job {
    line: String,
    exchange: Exchange,
}

/// Queue of complete exchanges. `None` ends the thread, because connections that were cut may still hold a sender.
#[derive(Debug, Clone)]
pub(super) struct WriteQueue(mpsc::Sender<Option<Job>>);

/// The thread that writes recordings.
#[derive(Debug)]
pub(super) struct Writer {
    queue: WriteQueue,
    thread: JoinHandle<usize>,
}

impl Writer {
    pub(super) fn start(folder: Folder, rules: Rules, limit: u64) -> io::Result<Self> {
        let (sender, jobs) = mpsc::channel(WAITING);
        let write = move || write(jobs, folder, &rules, limit);
        let thread = std::thread::Builder::new().name("record".to_owned()).spawn(write)?;
        Ok(Self { queue: WriteQueue(sender), thread })
    }

    pub(super) fn queue(&self) -> WriteQueue {
        self.queue.clone()
    }

    /// Waits until all queued exchanges are written, and returns the number of recordings.
    pub(super) async fn finish(self) -> usize {
        let Self { queue, thread } = self;
        if queue.0.send(None).await.is_err() {
            tracing::warn!("the thread that writes has ended");
        }
        let waited = tokio::task::spawn_blocking(move || thread.join()).await;
        waited.ok().and_then(Result::ok).unwrap_or_default()
    }
}

impl WriteQueue {
    /// Queues an exchange without waiting: if the queue is full, it is not recorded.
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
