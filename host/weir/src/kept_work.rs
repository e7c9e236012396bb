//! Keeps work at providers that is not booked yet, such as batches, in the store, so that no restart makes it free.
//!
//! The store's writer writes and removes it, with the sums of use. This module holds what the process has there, and
//! takes what another process has left: after a crash as soon as its time is over.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::kept_files::FileKeeping;
use crate::kept_owners::OwnerKeeping;
use crate::store::{OpenStore, key_of};
use weir_gateway::accounting::{KeptWork, WorkName, WorkSearch, WorkStore};
use weir_gateway::gateway::Gateway;
use weir_store::{HeldWork, OpenWork, Recorder, Store, StoreError, WorkHold, WorkKey};

/// How often the process reports that it holds its work: six times until work is first read, within these bounds.
const MIN_INTERVAL: Duration = Duration::from_secs(1);
const MAX_INTERVAL: Duration = Duration::from_secs(10);
/// For how many intervals it holds its work, and for how many of them it books it: the rest is for the write.
const HELD_FOR: u32 = 3;
const BOOKED_FOR: u32 = 2;
/// How long a start waits for the store, and the end of the program until the work is left.
const WAIT: Duration = Duration::from_secs(3);

/// The work in the store, for the gateway.
#[derive(Debug)]
struct StoredWork {
    recorder: Recorder,
    store: Arc<dyn Store>,
}

impl WorkStore for StoredWork {
    fn held_elsewhere(&self, ids: Vec<String>) -> WorkSearch {
        if self.store.is_in_process() {
            return Box::pin(std::future::ready(Some(Vec::new())));
        }
        let (store, process) = (Arc::clone(&self.store), self.recorder.process());
        let search = tokio::task::spawn_blocking(move || store.work_elsewhere(process, &ids));
        Box::pin(async move {
            let found = search.await.ok()?;
            let failed =
                |error: &StoreError| tracing::warn!(%error, "the store cannot be asked for batches of other nodes");
            Some(found.inspect_err(failed).ok()?.into_iter().map(name_of).collect())
        })
    }

    fn keep(&self, work: KeptWork) {
        let KeptWork { name, made_ms, terms } = work;
        // Texts, numbers and lists of them always have a JSON form.
        let Ok(body) = serde_json::to_string(&terms) else { return };
        if !self.recorder.owe(OpenWork { key: key_of(name), made_ms, body }) {
            tracing::warn!("a batch is not kept in the store: a restart before it is booked makes it free");
        }
    }

    fn give_up(&self, work: WorkName) {
        self.recorder.book_work(&[], key_of(work));
    }
}

fn name_of(WorkKey { tenant, id }: WorkKey) -> WorkName {
    WorkName { tenant, id }
}

/// Holds the work of this process.
#[derive(Debug)]
struct Holder {
    store: Arc<dyn Store>,
    gateway: Arc<Gateway>,
    process: i64,
    /// What cannot be read yet, since its provider, its caller or what other nodes used of its budgets is not known.
    waiting: Vec<KeptWork>,
    is_well: bool,
}

/// How often the work is held, with the configuration of now.
fn interval(gateway: &Gateway) -> Duration {
    (gateway.serving().config.server.book_unread_after / 6).clamp(MIN_INTERVAL, MAX_INTERVAL)
}

impl Holder {
    /// Holds the work for some time more, and goes on with what no process holds. Blocks.
    fn hold(&mut self) {
        let (begun, interval) = (Instant::now(), interval(&self.gateway));
        let for_ms = u64::try_from((interval * HELD_FOR).as_millis()).unwrap_or(u64::MAX);
        let room = self.gateway.room_for_work().saturating_sub(self.waiting.len());
        // First, so that nothing is taken whose age is not known.
        let now = self.store.clock_ms();
        let hold = WorkHold { process: self.process, for_ms, room };
        let held = now.and_then(|now| Ok((Duration::from_millis(now), self.store.hold_work(hold)?)));
        self.log_change(held.as_ref().err());
        let Ok((now, HeldWork { kept, taken })) = held else { return };
        let kept: HashSet<WorkName> = kept.into_iter().map(name_of).collect();
        // Files have one process that writes them.
        let until = (!self.store.is_in_process()).then(|| begun + interval * BOOKED_FOR);
        self.gateway.hold_work(&kept, until);
        self.waiting.retain(|work| kept.contains(&work.name));
        self.waiting.extend(taken.into_iter().filter_map(parsed));
        let waiting = std::mem::take(&mut self.waiting);
        let count = waiting.len();
        self.waiting = waiting.into_iter().filter_map(|work| self.gateway.restore_work(work, now)).collect();
        if count > self.waiting.len() {
            tracing::info!(
                batches = count - self.waiting.len(),
                "batches of an earlier process are booked by this one"
            );
        }
    }

    /// Logs each change of state once.
    fn log_change(&mut self, failure: Option<&StoreError>) {
        match failure {
            Some(error) if self.is_well => {
                tracing::error!(%error, "the batches that the store keeps are not booked: it cannot be asked for them");
            }
            None if !self.is_well => tracing::info!("the store can be asked for its batches again"),
            _ => {}
        }
        self.is_well = failure.is_none();
    }
}

fn parsed(work: OpenWork) -> Option<KeptWork> {
    let OpenWork { key, made_ms, body } = work;
    let terms = serde_json::from_str(&body)
        .inspect_err(|error| tracing::error!(%error, "a batch that the store keeps is not booked: it cannot be read"));
    Some(KeptWork { name: name_of(key), made_ms, terms: terms.ok()? })
}

/// The task that holds work. No request waits for it.
#[derive(Debug)]
pub(crate) struct WorkHolding {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
    store: Arc<dyn Store>,
    process: i64,
    /// Keeps the files that work is begun on.
    files: FileKeeping,
    /// Keeps who made which objects.
    owners: OwnerKeeping,
}

impl WorkHolding {
    /// Has the gateway keep its work in a store, and goes on with what earlier processes left there.
    pub(crate) async fn start(open: &OpenStore, gateway: &Arc<Gateway>) -> Self {
        let (store, recorder) = (open.store(), open.recorder().clone());
        let process = recorder.process();
        gateway.keep_work_in(Arc::new(StoredWork { recorder, store: Arc::clone(&store) }));
        let files = FileKeeping::start(open, gateway);
        let owners = OwnerKeeping::start(open, gateway).await;
        let holder = Arc::new(Mutex::new(Holder {
            store: Arc::clone(&store),
            gateway: Arc::clone(gateway),
            process,
            waiting: Vec::new(),
            is_well: true,
        }));
        if tokio::time::timeout(WAIT, hold(&holder)).await.is_err() {
            tracing::warn!("the store does not answer yet: batches of earlier processes are booked as soon as it does");
        }
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(follow(holder, Arc::clone(gateway), stopped));
        Self { stop, task, store, process, files, owners }
    }

    /// Stops to hold work.
    pub(crate) async fn end(self) -> HeldUntilEnd {
        self.stop.send_replace(true);
        let _ended = tokio::time::timeout(WAIT, self.task).await;
        self.files.end().await;
        self.owners.end().await;
        HeldUntilEnd { store: self.store, process: self.process }
    }
}

/// What a process holds that stops.
#[derive(Debug)]
pub(crate) struct HeldUntilEnd {
    store: Arc<dyn Store>,
    process: i64,
}

impl HeldUntilEnd {
    /// Leaves it to the next process at once, after all was written.
    pub(crate) async fn leave(self) {
        let Self { store, process } = self;
        let leave = tokio::task::spawn_blocking(move || store.leave_work(process));
        match tokio::time::timeout(WAIT, leave).await {
            Ok(Ok(Err(error))) => tracing::warn!(%error, "another process takes over the batches later than usual"),
            Ok(_) => {}
            Err(_) => {
                tracing::warn!("another process takes over the batches later than usual: the store does not answer");
            }
        }
    }
}

/// Holds the work once, on a thread that may wait.
async fn hold(holder: &Arc<Mutex<Holder>>) {
    let holder = Arc::clone(holder);
    let hold = move || holder.lock().unwrap_or_else(PoisonError::into_inner).hold();
    if let Err(error) = tokio::task::spawn_blocking(hold).await {
        tracing::error!(%error, "the batches that the store keeps cannot be held");
    }
}

/// Holds it again and again until `stop` is set. The holder is locked on threads that may wait only, since a store that
/// does not answer keeps it locked.
async fn follow(holder: Arc<Mutex<Holder>>, gateway: Arc<Gateway>, mut stop: watch::Receiver<bool>) {
    loop {
        if tokio::time::timeout(interval(&gateway), stop.wait_for(|stop| *stop)).await.is_ok() {
            return;
        }
        hold(&holder).await;
    }
}
