//! Reads and changes keys, teams, organisations, users, budgets and prices, and publishes them to the gateway.

use std::sync::atomic::AtomicBool;
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use weir_gateway::gateway::Gateway;
use weir_gateway::serving::Serving;
use weir_identity::change::{ChangeError, Changed, Command, Context, Expected, Revision};
use weir_identity::document::DocumentError;
use weir_identity::{Document, Kind};
use weir_ledger::PriceFile;
use weir_store::{Store, StoreError};

use super::commit::{Outcome, commit};
use super::follow::follow;
use super::known_entry::KnownEntry;
use super::revoked_file::RevokedFile;
use super::snapshot::{Snapshot, read};
use super::state::{NewBudgets, State};
use super::version_mark::VersionMark;
use super::{budgets, prices, warnings};
use crate::store::OpenStore;

/// Changed documents that are read from the store at a time.
const PART: usize = 10_000;
/// Parts of all documents that have been read and not yet been taken over.
const PARTS_READ: usize = 2;
/// How long a start waits for the documents.
const OPENING: Duration = Duration::from_secs(10);
/// How often a command is decided again because another node changed something in between.
const ATTEMPTS: usize = 16;

/// Why nothing is changed or read.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// The command is refused.
    #[error("{0}")]
    Change(#[from] ChangeError),
    /// The store fails.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// Other nodes changed something each time.
    #[error("too much is being changed at the same time: try again")]
    Busy,
}

/// Documents with their revisions, and the id that more of them come after.
pub type Listed = (Vec<(Document, Revision)>, Option<String>);

/// Takes over the prices of the store, whenever they change; `None` if there are none.
pub type TakePrices = Box<dyn Fn(Option<PriceFile>) + Send + Sync>;

/// Reads all documents of a store and publishes them to the gateway, and the prices to `take_prices`. If that fails or
/// takes long, it goes on while requests are served: those with keys of the store are answered with 503 until then.
pub async fn open(store: &OpenStore, gateway: &Arc<Gateway>, take_prices: TakePrices) -> Arc<Registry> {
    gateway.stored_keys().wait_for_store();
    let (mark, entry) = VersionMark::read(store.version_mark());
    let file = RevokedFile::beside(store.version_mark());
    let state = State::knowing(entry, file.read(), mark.is_keyed());
    let registry = Registry::new(store.store(), Arc::clone(gateway), take_prices, (mark, file), state);
    let registry = Arc::new(registry);
    tokio::spawn(follow(Arc::downgrade(&registry)));
    let reading = Arc::clone(&registry);
    let reading = tokio::task::spawn_blocking(move || reading.catch_up());
    match tokio::time::timeout(OPENING, reading).await {
        Ok(Ok(Ok(()))) => {}
        Ok(Ok(Err(error))) => tracing::error!(%error, "the keys of the store cannot be read yet"),
        Ok(Err(error)) => tracing::error!(%error, "the keys of the store cannot be read"),
        Err(_) => tracing::warn!("the keys of the store are still being read"),
    }
    registry
}

/// The documents of a store, and the directory that the gateway has of them. All its functions block.
pub struct Registry {
    store: Arc<dyn Store>,
    gateway: Arc<Gateway>,
    take_prices: TakePrices,
    state: Mutex<State>,
    /// What this node knows of the store for its next start.
    mark: Mutex<(VersionMark, RevokedFile)>,
    /// Whether the last question for changes was answered.
    pub(super) is_followed: AtomicBool,
}

impl Registry {
    /// A registry that has read nothing yet.
    fn new(
        store: Arc<dyn Store>,
        gateway: Arc<Gateway>,
        take_prices: TakePrices,
        mark: (VersionMark, RevokedFile),
        state: State,
    ) -> Self {
        let (state, mark) = (Mutex::new(state), Mutex::new(mark));
        Self { store, gateway, take_prices, state, mark, is_followed: AtomicBool::new(true) }
    }

    /// Takes over what has changed in the store. One small question where nothing has.
    pub(crate) fn catch_up(&self) -> Result<(), StoreError> {
        self.catch_up_with(&mut self.lock())
    }

    pub(super) fn store(&self) -> &dyn Store {
        &*self.store
    }

    /// Reads a document.
    pub fn document(&self, kind: Kind, id: &str) -> Result<Option<(Document, Revision)>, StoreError> {
        read(&*self.store, kind, id)
    }

    /// A page of the documents of a kind by id, after one, and the id that the next page comes after, if there is one.
    /// What cannot be read, since a newer version wrote it, is left out, as it is for requests.
    pub fn page(&self, kind: Kind, after: &str, limit: usize) -> Result<Listed, StoreError> {
        let mut stored = self.store.documents(kind.name(), after, limit + 1)?;
        // Only a document that does not fit any more shows that there is another page.
        let is_last = stored.len() <= limit;
        stored.truncate(limit);
        let next = stored.last().filter(|_| !is_last).map(|last| last.id.clone());
        let parse = |weir_store::Document { id, revision, body, .. }: weir_store::Document| {
            let parsed = Document::parse(kind, body.as_deref().unwrap_or_default());
            let log = |error: &DocumentError| tracing::error!(%error, kind = kind.name(), id, "a list lacks what cannot be read");
            Some((parsed.inspect_err(log).ok()?, Revision(revision)))
        };
        Ok((stored.into_iter().filter_map(parse).collect(), next))
    }

    /// Carries out a command, records it in the audit log, and publishes what it changed: the next request finds it.
    /// `decide` makes the command from what is stored, and is called again if another node was faster.
    ///
    /// # Errors
    ///
    /// The command is refused, or the store fails. Nothing is changed.
    pub fn run(
        &self,
        context: &Context,
        decide: impl Fn(&Snapshot<'_>) -> Result<Command, ChangeError>,
    ) -> Result<Outcome, RegistryError> {
        let mut state = self.lock();
        for _ in 0..ATTEMPTS {
            self.catch_up_with(&mut state)?;
            let snapshot = Snapshot::new(&*self.store, state.directory());
            let decided = decide(&snapshot).and_then(|command| command.run(&snapshot, context));
            let decided = decided.and_then(|changed| self.checked(changed, &snapshot, &state));
            if let Some(failure) = snapshot.failure() {
                return Err(failure.into());
            }
            let changed = decided?;
            match commit(&*self.store, &state, changed) {
                Err(StoreError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
                Ok((outcome, Some(written))) => {
                    // Nothing is read again: the guard has shown that no other node wrote since the store was caught up
                    // with, and what is written holds here even if the store fails now.
                    state.take(written);
                    self.note_entry(&mut state);
                    self.publish(&mut state);
                    return Ok(outcome);
                }
                Ok((outcome, None)) => {
                    // If the store fails now, following it brings the change.
                    let _failure = self.catch_up_with(&mut state);
                    return Ok(outcome);
                }
            }
        }
        Err(RegistryError::Busy)
    }

    /// Refuses a change that writes budgets or prices which cannot be kept, or which a file of the operator sets.
    fn checked(&self, changed: Changed, snapshot: &Snapshot<'_>, state: &State) -> Result<Changed, ChangeError> {
        let serving = self.gateway.serving();
        for write in &changed.writes {
            let Some(document) = &write.document else { continue };
            budgets::check(document).map_err(ChangeError::Invalid)?;
            let before = || snapshot.document(write.kind, &write.id).map(|(before, _)| before);
            let before = matches!(write.expected, Expected::At(_)).then(before).flatten();
            budgets::check_new(document, before.as_ref(), |model| serving.routes.find(model).is_some())
                .map_err(ChangeError::Invalid)?;
            not_in_a_file(document, &serving, state)?;
        }
        Ok(changed)
    }

    fn catch_up_with(&self, state: &mut State) -> Result<(), StoreError> {
        let head = self.store.head()?;
        let has_entry = state.entry.as_ref().map_or(Ok(true), |entry| entry.is_in(&*self.store, &head))?;
        let (newest, before) = (head.version, state.version);
        let is_behind = newest < before || before == 0 && newest < self.mark().0.version();
        if is_behind || !has_entry {
            self.warn_of_put_back(newest, before);
            state.start_over(newest);
        }
        state.entry = KnownEntry::last(&head);
        if newest == before && has_entry && !self.gateway.stored_keys().is_unread() {
            return Ok(());
        }
        if state.version == 0 {
            self.load_all(state).inspect_err(|_| state.give_up_loading())?;
            self.warn_of_lost_keys(state);
        } else {
            let mut more = true;
            while more {
                let part = self.store.changes_after(state.version, PART)?;
                more = part.more;
                state.take(part.documents);
            }
        }
        if state.version > head.version {
            self.note_entry(state);
        }
        self.publish(state);
        Ok(())
    }

    /// Remembers the last entry of the audit log, which the store has after what was read or written last.
    fn note_entry(&self, state: &mut State) {
        if let Ok(head) = self.store.head() {
            state.entry = KnownEntry::last(&head);
        }
    }

    /// Takes over all documents. The next ones are read while these are parsed and taken over: a start with a million
    /// keys waits for the slower of the two.
    fn load_all(&self, state: &mut State) -> Result<(), StoreError> {
        let store = &*self.store;
        std::thread::scope(|scope| {
            let (send, parts) = sync_channel(PARTS_READ);
            let reading = scope.spawn(move || store.all_documents(&mut |part| send.send(part).is_ok()));
            for part in parts {
                state.load(part);
            }
            let ended = |_| StoreError::Unavailable("the thread that reads the documents has ended".to_owned());
            reading.join().map_err(ended)?
        })?;
        state.loaded();
        Ok(())
    }

    fn publish(&self, state: &mut State) {
        self.note_version(state);
        state.keep_revoked(|revoked| self.mark().1.write(revoked));
        let budgets = self.gateway.budgets();
        // No request of a key passes beside its budgets: they hold before it is known, and until it no longer is.
        let remaining = state.new_budgets().and_then(|NewBudgets { all, gone }| {
            if gone.is_empty() {
                budgets.replace_stored(all);
                return None;
            }
            budgets.replace_stored([all.clone(), gone].concat());
            Some(all)
        });
        self.gateway.stored_keys().replace(state.directory(), state.is_keyed());
        if let Some(all) = remaining {
            budgets.replace_stored(all);
        }
        state.hand_on_prices(&self.take_prices);
    }

    /// Logs that the store was put back while this node ran, or, if it has gone on since, before this node was started.
    fn warn_of_put_back(&self, version: u64, known: u64) {
        if known > 0 {
            return warnings::put_back(version, known);
        }
        let known = self.mark().0.version();
        if version >= known {
            warnings::older(version, known);
        }
    }

    /// Warns if the store is behind what this node knew before it was started.
    fn note_version(&self, state: &State) {
        if let Some(known) = self.mark().0.note(state.version, state.entry.as_ref(), state.is_keyed()) {
            warnings::older(state.version, known);
        }
    }

    /// Warns if the store has lost all its keys. To serve without a key would be the worst answer to a file that was
    /// emptied.
    fn warn_of_lost_keys(&self, state: &State) {
        if state.has_lost_keys() {
            warnings::lost_keys(self.mark().0.path());
        }
    }

    fn mark(&self) -> MutexGuard<'_, (VersionMark, RevokedFile)> {
        self.mark.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registry").field("store", &self.store).finish_non_exhaustive()
    }
}

/// Refuses a budget that has the name of one of the configuration, and prices that cannot be read or that the
/// operator's price file sets: those stay as the file has them.
fn not_in_a_file(document: &Document, serving: &Serving, state: &State) -> Result<(), ChangeError> {
    let place = match document {
        Document::Budget(budget) => serving.config.place_of_budget(budget.id.as_str()),
        Document::Price(price) => {
            let file = prices::check(price, &state.prices).map_err(ChangeError::Invalid)?;
            let repeated = serving.prices.own().and_then(|own| Some((own.name(), own.repeats(&file)?)));
            repeated.map(|(name, (offer, measure))| format!("{name}:{} (`{}.{measure}`)", offer.line, offer.place))
        }
        _ => None,
    };
    place.map_or(Ok(()), |place| Err(ChangeError::ReadOnly { kind: document.kind(), place }))
}
