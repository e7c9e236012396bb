//! Keeps in the store who made which objects, so that no client reaches another's after a restart, nor through another
//! node.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::store::OpenStore;
use weir_gateway::gateway::Gateway;
use weir_gateway::provenance::{KeptOwner, ObjectKind, OwnerStore};
use weir_store::{ObjectOwner, Store, StoreError};

/// Most owners that wait to be written, and most that are written together.
const MOST_WAITING: usize = 65_536;
const TOGETHER: usize = 4_096;
/// For how long an owner waits for others to be written with.
const GATHER: Duration = Duration::from_millis(200);
/// How often a node asks a database for what others have made.
const ASK_EVERY: Duration = Duration::from_secs(1);
/// How far back it asks: for what reached the database some time after it was made.
const ASK_BACK: Duration = Duration::from_secs(5);
/// Once in so many looks it asks far back, for what was made by a node whose clock is behind, or that could not reach
/// the database for a while. If each look did, it would read the same rows again and again.
const FAR_LOOK_EVERY: u32 = 30;
const ASK_FAR_BACK: Duration = Duration::from_mins(6);
/// The wait after a write that failed, and the longest one: each further failure doubles it.
const BACKOFF: Duration = Duration::from_millis(100);
const MOST_BACKOFF: Duration = Duration::from_secs(5);
/// How long a start waits for the store, and the end of the program for the last owners.
const WAIT: Duration = Duration::from_secs(3);

/// The owners in the store, for the gateway.
#[derive(Debug)]
struct StoredOwners {
    waiting: mpsc::Sender<ObjectOwner>,
    /// Whether it was logged that an owner found no room.
    is_told: AtomicBool,
}

impl OwnerStore for StoredOwners {
    fn keep(&self, owner: KeptOwner) {
        let KeptOwner { tenant, id, kind } = owner;
        let owner = ObjectOwner { id, tenant, is_answer: kind == ObjectKind::Answer, made_ms: now_ms() };
        if self.waiting.try_send(owner).is_err() && !self.is_told.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                "too many owners of objects wait for the store: after a restart, some objects have no owner"
            );
        }
    }
}

fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64
}

/// The tasks that write who made objects, and learn it from others. No request waits for them.
#[derive(Debug)]
pub(crate) struct OwnerKeeping {
    stop: watch::Sender<bool>,
    writing: JoinHandle<()>,
    learning: JoinHandle<()>,
}

impl OwnerKeeping {
    /// Learns the owners that the store has, and has the gateway keep its own there.
    pub(crate) async fn start(open: &OpenStore, gateway: &Arc<Gateway>) -> Self {
        let store = open.store();
        let (waiting, owners) = mpsc::channel(MOST_WAITING);
        gateway.keep_owners_in(Arc::new(StoredOwners { waiting, is_told: AtomicBool::new(false) }));
        let mut learner = Learner { store: Arc::clone(&store), gateway: Arc::clone(gateway), looks: 0, answered_ms: 0 };
        if tokio::time::timeout(WAIT, learner.learn()).await.is_err() {
            tracing::warn!("the store does not answer yet: objects from before have their owners as soon as it does");
        }
        let (stop, stopped) = watch::channel(false);
        let writing = tokio::spawn(write_all(store, owners, stopped.clone()));
        Self { stop, writing, learning: tokio::spawn(learner.follow(stopped)) }
    }

    /// Writes the rest.
    pub(crate) async fn end(self) {
        self.stop.send_replace(true);
        self.learning.abort();
        if tokio::time::timeout(WAIT, self.writing).await.is_err() {
            tracing::warn!("who made the last objects was not kept in time");
        }
    }
}

/// Learns owners from the store.
struct Learner {
    store: Arc<dyn Store>,
    gateway: Arc<Gateway>,
    /// How often the store has answered.
    looks: u32,
    /// When it was asked what it answered last.
    answered_ms: u64,
}

impl Learner {
    /// Asks until the store has answered once, and then for what other nodes make, if there may be any.
    async fn follow(mut self, mut stop: watch::Receiver<bool>) {
        while self.looks == 0 || !self.store.is_in_process() {
            if tokio::time::timeout(ASK_EVERY, stop.wait_for(|stop| *stop)).await.is_ok() {
                return;
            }
            self.learn().await;
        }
    }

    /// From when on objects are asked for: first all.
    fn earliest_ms(&self) -> u64 {
        let back = match self.looks {
            0 => return 0,
            looks if looks.is_multiple_of(FAR_LOOK_EVERY) => ASK_FAR_BACK,
            _ => ASK_BACK,
        };
        self.answered_ms.saturating_sub(back.as_millis() as u64)
    }

    async fn learn(&mut self) {
        let (store, from_ms, begun) = (Arc::clone(&self.store), self.earliest_ms(), now_ms());
        let found = tokio::task::spawn_blocking(move || store.object_owners(from_ms)).await;
        match found.unwrap_or_else(|error| Err(StoreError::Unavailable(error.to_string()))) {
            Ok(found) => {
                self.gateway.learn_owners(found.into_iter().map(kept));
                self.looks = self.looks.wrapping_add(1).max(1);
                self.answered_ms = begun;
            }
            Err(error) => tracing::debug!(%error, "the store cannot be asked who made which objects"),
        }
    }
}

fn kept(owner: ObjectOwner) -> KeptOwner {
    let ObjectOwner { id, tenant, is_answer, .. } = owner;
    KeptOwner { tenant, id, kind: if is_answer { ObjectKind::Answer } else { ObjectKind::Object } }
}

/// Writes what comes until `stop` is set, and what has come until then.
async fn write_all(store: Arc<dyn Store>, mut owners: mpsc::Receiver<ObjectOwner>, mut stop: watch::Receiver<bool>) {
    let mut is_stopping = false;
    loop {
        let mut together = Vec::new();
        tokio::select! {
            count = owners.recv_many(&mut together, TOGETHER) => {
                if count == 0 {
                    return;
                }
                write(&store, together).await;
                if !is_stopping {
                    let _is_stopped = tokio::time::timeout(GATHER, stop.wait_for(|stop| *stop)).await;
                }
            }
            () = stopped(&mut stop), if !is_stopping => {
                is_stopping = true;
                owners.close();
            }
        }
    }
}

async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _is_stopped = stop.wait_for(|stop| *stop).await;
}

/// Writes owners, again and again while the store is unavailable.
async fn write(store: &Arc<dyn Store>, owners: Vec<ObjectOwner>) {
    let (owners, mut pause) = (Arc::new(owners), BACKOFF);
    loop {
        let (store, owners) = (Arc::clone(store), Arc::clone(&owners));
        match tokio::task::spawn_blocking(move || store.keep_object_owners(&owners)).await {
            Ok(Err(error)) if error.is_transient() => {
                if pause == BACKOFF {
                    tracing::warn!(%error, "who made objects is written later");
                }
            }
            Ok(Err(error)) => return tracing::error!(%error, "it is not kept who made objects"),
            Ok(Ok(())) => return,
            Err(error) => return tracing::error!(%error, "it is not kept who made objects"),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(MOST_BACKOFF);
    }
}
