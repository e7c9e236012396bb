//! The side of the directory that takes changes.

use std::collections::{HashMap, HashSet};
use std::hash::BuildHasher as _;
use std::sync::Arc;

use super::{Directory, KeyRecord, OrganisationRecord, TeamRecord, UserRecord, slot};
use crate::document::{Document, Key, Kind, OrganisationId, TeamId, Terms, User, UserId};
use crate::key_text::KeyId;

/// Terms that no key uses any more are dropped after so many new ones.
const SWEEP_AFTER: usize = 1_024;

/// A change of a document, as the store's log of versions has it.
#[derive(Debug, Clone)]
pub struct Change {
    /// The number of the change. Numbers grow, over all documents together.
    pub version: u64,
    /// The kind of document.
    pub kind: Kind,
    /// The document's id.
    pub id: String,
    /// The document; `None` if it was deleted.
    pub document: Option<Document>,
}

impl Change {
    /// A document in a version.
    pub fn put(version: u64, document: Document) -> Self {
        Self { version, kind: document.kind(), id: document.id().to_owned(), document: Some(document) }
    }

    /// A deletion.
    pub fn delete(version: u64, kind: Kind, id: &str) -> Self {
        Self { version, kind, id: id.to_owned(), document: None }
    }
}

/// What [`DirectoryWriter::apply`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Applied {
    /// Changes that were carried out.
    pub taken: usize,
    /// Changes that were not newer than what is known of their document.
    pub stale: usize,
    /// Changes whose document is of another kind or id than the change.
    pub contradictory: usize,
}

/// Takes changes in any order and repeatedly: of each document, the newest version stays. There is one writer; the
/// caller publishes its snapshots.
#[derive(Debug)]
pub struct DirectoryWriter {
    pub(super) directory: Directory,
    terms: HashSet<Arc<Terms>>,
    /// New terms since unused ones were dropped.
    fresh_terms: usize,
    /// Versions of deletions, so that an older change of the same document comes too late.
    pub(super) deleted: HashMap<(Kind, Box<str>), u64>,
    /// The ids of owners, one copy each.
    teams: HashSet<TeamId>,
    users: HashSet<UserId>,
}

impl Default for DirectoryWriter {
    fn default() -> Self {
        Self::new()
    }
}

impl DirectoryWriter {
    /// A writer of an empty directory.
    pub fn new() -> Self {
        Self {
            directory: Directory::empty(),
            terms: HashSet::new(),
            fresh_terms: 0,
            deleted: HashMap::new(),
            teams: HashSet::new(),
            users: HashSet::new(),
        }
    }

    /// The directory as it is now. It does not change any more.
    pub fn snapshot(&self) -> Directory {
        self.directory.clone()
    }

    /// Carries out changes. Those of one call appear together in the next snapshot.
    pub fn apply(&mut self, changes: impl IntoIterator<Item = Change>) -> Applied {
        let mut applied = Applied::default();
        for change in changes {
            let agrees = |document: &Document| document.kind() == change.kind && document.id() == change.id;
            if !change.document.as_ref().is_none_or(agrees) {
                applied.contradictory += 1;
            } else if self.version(change.kind, &change.id).is_some_and(|known| known >= change.version) {
                applied.stale += 1;
            } else {
                applied.taken += 1;
                self.take(change);
            }
        }
        applied
    }

    /// Forgets deletions up to a version. The caller no longer applies changes that are older.
    pub fn forget_deletions(&mut self, up_to: u64) {
        self.deleted.retain(|_, version| *version > up_to);
    }

    /// The version that is known of a document, also of its deletion.
    fn version(&self, kind: Kind, id: &str) -> Option<u64> {
        let held = match kind {
            Kind::Key => KeyId::parse(id).ok().and_then(|id| Some(self.directory.key(id)?.version)),
            Kind::Team => TeamId::parse(id).ok().and_then(|id| Some(self.directory.team(&id)?.version)),
            Kind::Organisation => {
                OrganisationId::parse(id).ok().and_then(|id| Some(self.directory.organisation(&id)?.version))
            }
            Kind::User => UserId::parse(id).ok().and_then(|id| Some(self.directory.user(&id)?.version)),
            Kind::Budget | Kind::Price => None,
        };
        held.or_else(|| self.deleted.get(&(kind, Box::from(id))).copied())
    }

    fn take(&mut self, change: Change) {
        let name = (change.kind, Box::from(change.id.as_str()));
        self.remove(change.kind, &change.id);
        match change.document {
            None => {
                self.deleted.insert(name, change.version);
                return;
            }
            Some(Document::Key(key)) => self.add_key(&key, change.version),
            Some(Document::Team(team)) => {
                let record = TeamRecord::new(&team, self.share(team.terms()), change.version);
                let slot = self.directory.hasher.hash_one(&record.id);
                self.directory.teams.insert(slot, Arc::new(record), |_| true);
            }
            Some(Document::Organisation(organisation)) => {
                let terms = self.share(organisation.terms());
                let record = OrganisationRecord::new(&organisation, terms, change.version);
                let slot = self.directory.hasher.hash_one(&record.id);
                self.directory.organisations.insert(slot, Arc::new(record), |_| true);
            }
            Some(Document::User(user)) => self.add_user(&user, change.version),
            // No request looks for these.
            Some(Document::Budget(_) | Document::Price(_)) => {}
        }
        self.deleted.remove(&name);
    }

    pub(super) fn record(&mut self, key: &Key, version: u64) -> Arc<KeyRecord> {
        let team = key.owner.team.as_ref().map(|id| one_copy(&mut self.teams, id));
        let user = key.owner.user.as_ref().map(|id| one_copy(&mut self.users, id));
        Arc::new(KeyRecord::new(key, self.share(key.terms()), team, user, version))
    }

    fn add_key(&mut self, key: &Key, version: u64) {
        let record = self.record(key, version);
        let directory = &mut self.directory;
        directory.keys.insert(directory.hasher.hash_one(record.id), Arc::clone(&record), |_| true);
        let by_name = directory.hasher.hash_one((record.team.as_ref(), &*record.name));
        directory.by_name.insert(by_name, Arc::clone(&record), |other| other.id < record.id);
        for hash in hashes(&record) {
            directory.by_hash.insert(hash, Arc::clone(&record), |other| other.id < record.id);
        }
    }

    fn add_user(&mut self, user: &User, version: u64) {
        let record = Arc::new(UserRecord::new(user, version));
        let directory = &mut self.directory;
        directory.users.insert(directory.hasher.hash_one(&record.id), Arc::clone(&record), |_| true);
        for login in &record.logins {
            let slot = directory.hasher.hash_one(login);
            directory.by_login.insert(slot, Arc::clone(&record), |other| other.id < record.id);
        }
    }

    fn remove(&mut self, kind: Kind, id: &str) {
        let directory = &mut self.directory;
        match kind {
            Kind::Key => {
                let Some(old) = KeyId::parse(id).ok().and_then(|id| directory.key(id).cloned()) else { return };
                self.remove_key(&old);
            }
            Kind::Team => {
                let Ok(id) = TeamId::parse(id) else { return };
                directory.teams.remove(directory.hasher.hash_one(&id), |team| team.id == id);
            }
            Kind::Organisation => {
                let Ok(id) = OrganisationId::parse(id) else { return };
                directory.organisations.remove(directory.hasher.hash_one(&id), |it| it.id == id);
            }
            Kind::User => {
                let Some(old) = UserId::parse(id).ok().and_then(|id| directory.user(&id).cloned()) else { return };
                directory.users.remove(directory.hasher.hash_one(&old.id), |user| user.id == old.id);
                for login in &old.logins {
                    directory.by_login.remove(directory.hasher.hash_one(login), |user| user.id == old.id);
                }
            }
            Kind::Budget | Kind::Price => {}
        }
    }

    /// Takes one record of a key out of the indexes.
    pub(super) fn remove_key(&mut self, old: &Arc<KeyRecord>) {
        let directory = &mut self.directory;
        let is_it = |key: &KeyRecord| std::ptr::eq(key, Arc::as_ptr(old));
        directory.keys.remove(directory.hasher.hash_one(old.id), is_it);
        directory.by_name.remove(directory.hasher.hash_one((old.team.as_ref(), &*old.name)), is_it);
        for hash in hashes(old) {
            directory.by_hash.remove(hash, is_it);
        }
    }

    /// The one copy of these terms.
    fn share(&mut self, terms: Terms) -> Arc<Terms> {
        if let Some(known) = self.terms.get(&terms) {
            return Arc::clone(known);
        }
        self.fresh_terms += 1;
        if self.fresh_terms > SWEEP_AFTER.max(self.terms.len() / 2) {
            self.fresh_terms = 0;
            self.terms.retain(|terms| Arc::strong_count(terms) > 1);
        }
        let terms = Arc::new(terms);
        self.terms.insert(Arc::clone(&terms));
        terms
    }
}

/// The places of a key in the index of hashes.
pub(super) fn hashes(key: &KeyRecord) -> impl Iterator<Item = u64> {
    [Some(key.hash), key.previous.as_ref().map(|previous| previous.hash)].into_iter().flatten().map(|hash| slot(&hash))
}

fn one_copy<T: Clone + Eq + std::hash::Hash>(known: &mut HashSet<T>, id: &T) -> T {
    if let Some(known) = known.get(id) {
        return known.clone();
    }
    known.insert(id.clone());
    id.clone()
}
