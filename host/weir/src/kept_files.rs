//! Keeps in the store what was read of files of requests, so that batches are begun on them after a restart, and
//! through other nodes.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinHandle;

use crate::store::OpenStore;
use weir_gateway::gateway::Gateway;
use weir_gateway::provenance::{FileSearch, FileStore, KeptFile};
use weir_store::{RequestFile, Store, StoreError};

/// Most files that wait to be written, and most that are written together.
const MOST_WAITING: usize = 1_024;
const TOGETHER: usize = 64;
/// The wait after a write that failed, and the longest one: each further failure doubles it.
const BACKOFF: Duration = Duration::from_millis(100);
const MOST_BACKOFF: Duration = Duration::from_secs(5);
/// How long a search may take, and the end of the program for the last files.
const WAIT: Duration = Duration::from_secs(3);
/// After which time a database is asked again: another node may have been writing.
const AGAIN: Duration = Duration::from_millis(500);
/// Most searches at a time: a database that hangs holds no more threads.
const MOST_SEARCHES: usize = 16;

/// The files in the store, for the gateway.
#[derive(Debug)]
struct StoredFiles {
    store: Arc<dyn Store>,
    waiting: mpsc::Sender<RequestFile>,
    searches: Arc<Semaphore>,
}

impl FileStore for StoredFiles {
    fn keep(&self, file: KeptFile) {
        let KeptFile { tenant, id, made_ms, terms } = file;
        // Texts, numbers and lists of them always have a JSON form.
        let Ok(body) = serde_json::to_string(&terms) else { return };
        if self.waiting.try_send(RequestFile { tenant, id, made_ms, body }).is_err() {
            tracing::warn!(
                "what was read of a file of requests is not kept: after a restart it is to be uploaded again"
            );
        }
    }

    fn find(&self, ids: Vec<String>, are_expected: bool) -> FileSearch {
        let (store, searches) = (Arc::clone(&self.store), Arc::clone(&self.searches));
        Box::pin(async move {
            match tokio::time::timeout(WAIT, find(store, searches, ids, are_expected)).await {
                Ok(Ok(found)) => found.into_iter().filter_map(parsed).collect(),
                Ok(Err(error)) => {
                    tracing::warn!(%error, "the store cannot be asked for files of requests");
                    Vec::new()
                }
                Err(_) => {
                    tracing::warn!("the store cannot be asked for files of requests: it does not answer");
                    Vec::new()
                }
            }
        })
    }
}

/// Finds files, if they are expected also those that another node is writing.
async fn find(
    store: Arc<dyn Store>,
    searches: Arc<Semaphore>,
    ids: Vec<String>,
    are_expected: bool,
) -> Result<Vec<RequestFile>, StoreError> {
    let may_come = are_expected && !store.is_in_process();
    let found = search(&store, &searches, &ids).await?;
    if !may_come || ids.iter().all(|id| found.iter().any(|file| file.id == *id)) {
        return Ok(found);
    }
    tokio::time::sleep(AGAIN).await;
    search(&store, &searches, &ids).await
}

async fn search(
    store: &Arc<dyn Store>,
    searches: &Arc<Semaphore>,
    ids: &[String],
) -> Result<Vec<RequestFile>, StoreError> {
    // It is never closed.
    let turn = Arc::clone(searches).acquire_owned().await.ok();
    let (store, ids) = (Arc::clone(store), ids.to_vec());
    let search = move || {
        let _turn = turn;
        store.request_files(&ids)
    };
    tokio::task::spawn_blocking(search).await.unwrap_or_else(|error| Err(StoreError::Unavailable(error.to_string())))
}

fn parsed(file: RequestFile) -> Option<KeptFile> {
    let RequestFile { tenant, id, made_ms, body } = file;
    let terms = serde_json::from_str(&body)
        .inspect_err(|error| tracing::warn!(%error, "what the store keeps of a file of requests cannot be read"));
    Some(KeptFile { tenant, id, made_ms, terms: terms.ok()? })
}

/// The task that writes what was read of files. No request waits for it.
#[derive(Debug)]
pub(crate) struct FileKeeping {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl FileKeeping {
    /// Has the gateway keep its files in a store.
    pub(crate) fn start(open: &OpenStore, gateway: &Gateway) -> Self {
        let (waiting, files) = mpsc::channel(MOST_WAITING);
        let searches = Arc::new(Semaphore::new(MOST_SEARCHES));
        gateway.keep_files_in(Arc::new(StoredFiles { store: open.store(), waiting, searches }));
        let (stop, stopped) = watch::channel(false);
        Self { stop, task: tokio::spawn(follow(open.store(), files, stopped)) }
    }

    /// Writes the rest.
    pub(crate) async fn end(self) {
        self.stop.send_replace(true);
        if tokio::time::timeout(WAIT, self.task).await.is_err() {
            tracing::warn!("what was read of the last files of requests was not kept in time");
        }
    }
}

/// Writes what comes until `stop` is set, and what has come until then.
async fn follow(store: Arc<dyn Store>, mut files: mpsc::Receiver<RequestFile>, mut stop: watch::Receiver<bool>) {
    let mut is_stopping = false;
    loop {
        let mut together = Vec::new();
        tokio::select! {
            count = files.recv_many(&mut together, TOGETHER) => {
                if count == 0 {
                    return;
                }
                write(&store, together).await;
            }
            () = stopped(&mut stop), if !is_stopping => {
                is_stopping = true;
                files.close();
            }
        }
    }
}

async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _is_stopped = stop.wait_for(|stop| *stop).await;
}

/// Writes files, again and again while the store is unavailable.
async fn write(store: &Arc<dyn Store>, files: Vec<RequestFile>) {
    let (files, mut pause) = (Arc::new(files), BACKOFF);
    loop {
        let (store, files) = (Arc::clone(store), Arc::clone(&files));
        match tokio::task::spawn_blocking(move || store.keep_request_files(&files)).await {
            Ok(Err(error)) if error.is_transient() => {
                if pause == BACKOFF {
                    tracing::warn!(%error, "what was read of files of requests is written later");
                }
            }
            Ok(Err(error)) => return tracing::error!(%error, "what was read of files of requests is not kept"),
            Ok(Ok(())) => return,
            Err(error) => return tracing::error!(%error, "what was read of files of requests is not kept"),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(MOST_BACKOFF);
    }
}
