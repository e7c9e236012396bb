//! The owners of objects: which client made which file, batch or stored answer, and of a file of requests what these
//! name. Bounded, in memory; ids are kept as hashes. A store keeps the owners for other processes.
//!
//! Where there is no room, the client that has the most gives up its oldest entries: what one client makes, however
//! much, must not make the objects of another reachable.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use super::{FileStore, KeptOwner, OwnerStore, RequestFile};
use weir_types::fault::Fault;

/// The approximate memory of one id, in bytes: in the map, which is at times half empty, and in its client's order.
const ENTRY: usize = 96;

/// The part of the record that an id belongs to. Answers are numerous and short-lived, and must not evict objects
/// that live for days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObjectKind {
    /// An answer that its provider stores.
    Answer,
    /// A file, a batch, or another object of its own.
    Object,
}

/// The clients that made objects.
#[derive(Debug)]
pub struct Owners {
    /// The most room for each kind, where an id takes 1.
    most: usize,
    answers: RwLock<Record>,
    objects: RwLock<Record>,
    hashers: [RandomState; 2],
    any: AtomicBool,
    /// Whether the log says that objects have lost their owners.
    is_told: AtomicBool,
    /// Keeps what was read of files of requests for other processes.
    files: OnceLock<Arc<dyn FileStore>>,
    /// Keeps the owners for other processes.
    store: OnceLock<Arc<dyn OwnerStore>>,
}

/// The owners of one kind of objects.
#[derive(Debug, Default)]
struct Record {
    owners: HashMap<u128, Owned>,
    /// What each client has.
    clients: HashMap<Arc<str>, OfClient>,
    /// The clients by the room that they take.
    by_room: BTreeSet<(usize, Arc<str>)>,
    room: usize,
}

/// An object with an owner.
#[derive(Debug)]
struct Owned {
    client: Arc<str>,
    /// What its requests name, if it is a file of such that was read.
    requests: Option<Arc<RequestFile>>,
}

impl Owned {
    /// The room that it takes.
    fn room(&self) -> usize {
        1 + self.requests.as_ref().map_or(0, |file| file.size().div_ceil(ENTRY))
    }
}

/// The ids of one client, the oldest first, each with its room, and that of all.
#[derive(Debug, Default)]
struct OfClient {
    ids: VecDeque<(u128, usize)>,
    room: usize,
}

impl Record {
    /// Keeps an id within so much room. Returns whether others had to go, or there is none for it.
    fn keep(&mut self, id: u128, owned: Owned, most: usize) -> bool {
        let (client, room) = (Arc::clone(&owned.client), owned.room());
        if room > most {
            return true;
        }
        let mut has_lost = false;
        while self.room + room > most && self.make_room(&client) {
            has_lost = true;
        }
        self.owners.insert(id, owned);
        self.room += room;
        self.change(&client, |of_client| {
            of_client.ids.push_back((id, room));
            of_client.room += room;
        });
        has_lost
    }

    /// Drops the oldest id of the client that has the most: of this one, if none has more. Returns whether there was
    /// one.
    fn make_room(&mut self, client: &Arc<str>) -> bool {
        let Some((most, first)) = self.by_room.last().cloned() else { return false };
        let own = self.clients.get(client).map_or(0, |of_client| of_client.room);
        let giver = if own >= most { Arc::clone(client) } else { first };
        let mut oldest = None;
        self.change(&giver, |of_client| {
            oldest = of_client.ids.pop_front();
            of_client.room -= oldest.map_or(0, |(_, room)| room);
        });
        let Some((id, room)) = oldest else { return false };
        self.owners.remove(&id);
        self.room -= room;
        true
    }

    /// Changes what a client has, and its place among all.
    fn change(&mut self, client: &Arc<str>, change: impl FnOnce(&mut OfClient)) {
        let of_client = self.clients.entry(Arc::clone(client)).or_default();
        self.by_room.remove(&(of_client.room, Arc::clone(client)));
        change(of_client);
        if of_client.ids.is_empty() {
            self.clients.remove(client);
        } else {
            self.by_room.insert((of_client.room, Arc::clone(client)));
        }
    }
}

impl Owners {
    /// Creates records of about this many bytes.
    pub fn new(bytes: usize) -> Self {
        Self {
            most: bytes / 2 / ENTRY,
            answers: RwLock::default(),
            objects: RwLock::default(),
            hashers: [RandomState::new(), RandomState::new()],
            any: AtomicBool::new(false),
            is_told: AtomicBool::new(false),
            files: OnceLock::new(),
            store: OnceLock::new(),
        }
    }

    /// Keeps files of requests in a store from now on. The first one stays.
    pub(crate) fn keep_files_in(&self, store: Arc<dyn FileStore>) {
        if self.files.set(store).is_err() {
            tracing::error!("files of requests are kept in a store already");
        }
    }

    /// Keeps the owners in a store from now on. The first one stays.
    pub(crate) fn keep_owners_in(&self, store: Arc<dyn OwnerStore>) {
        if self.store.set(store).is_err() {
            tracing::error!("the owners of objects are kept in a store already");
        }
    }

    /// Where files of requests are kept for other processes.
    pub(crate) fn files(&self) -> Option<&Arc<dyn FileStore>> {
        self.files.get()
    }

    /// Whether any owner is recorded.
    pub(crate) fn has_any(&self) -> bool {
        self.any.load(Ordering::Relaxed)
    }

    /// Records the owner of an id. A recorded owner stays.
    pub fn keep(&self, kind: ObjectKind, id: &[u8], client: &Arc<str>) {
        self.keep_with(kind, id, client, None);
    }

    /// Keeps an owner together with what the object's requests name, if it is a file of requests. Returns whether the
    /// object had no owner.
    pub(crate) fn keep_with(
        &self,
        kind: ObjectKind,
        id: &[u8],
        client: &Arc<str>,
        requests: Option<&Arc<RequestFile>>,
    ) -> bool {
        let is_new = self.learn(kind, id, client, requests);
        // What was made without a key belongs to no client.
        if let Some(store) = self.store.get().filter(|_| is_new && self.most > 0 && !client.is_empty())
            && let Ok(id) = std::str::from_utf8(id)
        {
            store.keep(KeptOwner { tenant: client.to_string(), id: id.to_owned(), kind });
        }
        is_new
    }

    /// Learns an owner from the store: as [`Self::keep_with`], and nothing is written.
    pub(crate) fn learn(
        &self,
        kind: ObjectKind,
        id: &[u8],
        client: &Arc<str>,
        requests: Option<&Arc<RequestFile>>,
    ) -> bool {
        if self.of(id).is_some() {
            return requests.is_some_and(|requests| self.complete(id, client, requests));
        }
        let owned = match kind {
            ObjectKind::Answer => &self.answers,
            ObjectKind::Object => &self.objects,
        };
        let key = self.key(id);
        let mut record = owned.write().unwrap_or_else(PoisonError::into_inner);
        // Another thread may have kept it since.
        let one = Owned { client: Arc::clone(client), requests: requests.cloned() };
        let is_new = !record.owners.contains_key(&key);
        let has_lost = is_new && record.keep(key, one, self.most);
        drop(record);
        if has_lost && kind == ObjectKind::Object && !self.is_told.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                most = self.most,
                "the record of who made which object is full: the oldest ones no longer have an owner"
            );
        }
        if !self.has_any() {
            self.any.store(true, Ordering::Relaxed);
        }
        is_new
    }

    /// Adds what the requests of a client's file name, of which only the owner was known. Returns whether it was so.
    fn complete(&self, id: &[u8], client: &Arc<str>, requests: &Arc<RequestFile>) -> bool {
        let key = self.key(id);
        let mut record = self.objects.write().unwrap_or_else(PoisonError::into_inner);
        let owned = record.owners.get_mut(&key).filter(|owned| owned.client == *client && owned.requests.is_none());
        let Some(owned) = owned else { return false };
        let before = owned.room();
        owned.requests = Some(Arc::clone(requests));
        let more = owned.room() - before;
        record.room += more;
        record.change(client, |of_client| {
            of_client.room += more;
            of_client.ids.iter_mut().filter(|(id, _)| *id == key).for_each(|(_, room)| *room += more);
        });
        while record.room > self.most && record.make_room(client) {}
        true
    }

    /// The owner of an id, if known.
    pub fn of(&self, id: &[u8]) -> Option<Arc<str>> {
        self.with_owner(id, |owned| Arc::clone(&owned.client))
    }

    /// What the requests in a file name, if it is one of this client's that was read.
    pub(crate) fn requests_of(&self, id: &[u8], client: &str) -> Option<Arc<RequestFile>> {
        let requests = |owned: &Owned| owned.requests.clone().filter(|_| *owned.client == *client);
        self.with_owner(id, requests).flatten()
    }

    /// Whether an id is known to belong to another client.
    pub(crate) fn is_anothers(&self, id: &[u8], client: &str) -> bool {
        self.with_owner(id, |owned| *owned.client != *client).unwrap_or_default()
    }

    /// Whether an id is known to belong to this client.
    pub fn is_own(&self, id: &[u8], client: &str) -> bool {
        self.with_owner(id, |owned| *owned.client == *client).unwrap_or_default()
    }

    fn with_owner<T>(&self, id: &[u8], tell: impl Fn(&Owned) -> T) -> Option<T> {
        let key = self.key(id);
        let of =
            |record: &RwLock<Record>| record.read().unwrap_or_else(PoisonError::into_inner).owners.get(&key).map(&tell);
        of(&self.objects).or_else(|| of(&self.answers))
    }

    fn key(&self, id: &[u8]) -> u128 {
        let [high, low] = self.hashers.each_ref().map(|hasher| hasher.hash_one(id));
        u128::from(high) << 64 | u128::from(low)
    }
}

/// The answer for an unknown object and for another client's, so that the two cannot be distinguished.
pub(crate) fn not_here(id: &str) -> Fault {
    let shown: String = id.chars().filter(|c| !c.is_control()).take(128).collect();
    Fault::not_found(format!("there is no `{shown}` here, or it is not this client's")).with_code("not_found")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_stays_with_the_client_that_made_it() {
        let (owners, one, two) = (Owners::new(1 << 16), Arc::from("one"), Arc::from("two"));
        assert!(!owners.has_any());
        owners.keep(ObjectKind::Object, b"file-1", &one);
        owners.keep(ObjectKind::Answer, b"file-1", &two);
        assert!(owners.has_any() && owners.is_own(b"file-1", "one") && owners.is_anothers(b"file-1", "two"));
        assert!(!owners.is_own(b"file-2", "one") && !owners.is_anothers(b"file-2", "one"));
    }

    #[test]
    fn answers_evict_no_files_and_both_are_bounded() {
        let (owners, client) = (Owners::new(1 << 16), Arc::from("one"));
        owners.keep(ObjectKind::Object, b"file-1", &client);
        for n in 0..10_000 {
            owners.keep(ObjectKind::Answer, format!("resp-{n}").as_bytes(), &client);
        }
        assert!(owners.is_own(b"file-1", "one"));
        assert!(owners.answers.read().unwrap().owners.len() <= 512);
    }

    #[test]
    fn the_client_with_the_most_gives_up_its_oldest_and_others_keep_what_they_have() {
        let (owners, many, few) = (Owners::new(1 << 16), Arc::from("many"), Arc::from("few"));
        let most = owners.most;
        let keep = |name: &str, client: &Arc<str>| owners.keep(ObjectKind::Object, name.as_bytes(), client);
        // Old entries that were asked for often are no better than a fresh one.
        (0..most).for_each(|n| keep(&format!("old-{n}"), &many));
        (0..10).for_each(|_| assert!(owners.is_own(b"old-1", "many")));
        keep("file-1", &few);
        (0..10 * most).for_each(|n| keep(&format!("new-{n}"), &many));
        assert!(owners.is_own(b"file-1", "few") && !owners.is_own(b"old-1", "many"));
        assert!(owners.is_own(format!("new-{}", 10 * most - 1).as_bytes(), "many"));
        // Where none has more than it, a client gives up its own.
        let clients: Vec<Arc<str>> = (0..most).map(|n| Arc::from(format!("client-{n}"))).collect();
        for client in &clients {
            keep(&format!("of-{client}"), client);
        }
        keep("more-of-3", &clients[3]);
        assert!(owners.is_own(b"file-1", "few") || owners.is_own(b"more-of-3", "client-3"));
        let record = owners.objects.read().unwrap();
        assert_eq!((record.owners.len(), record.room), (most, most));
        assert_eq!(record.clients.values().map(|one| one.ids.len()).sum::<usize>(), most);
        assert_eq!(record.by_room.len(), record.clients.len());
    }

    #[test]
    fn what_the_requests_of_a_file_name_takes_room_of_its_client() {
        let (owners, one, two) = (Owners::new(1 << 16), Arc::from("one"), Arc::from("two"));
        let file = |names: usize| {
            let mut file = RequestFile::default();
            (0..names).for_each(|n| file.name(&format!("{n}-{}", "x".repeat(1_000)), 1));
            Arc::new(file)
        };
        let keep = |name: &str, client: &Arc<str>, names| {
            owners.keep_with(ObjectKind::Object, name.as_bytes(), client, Some(&file(names)));
        };
        keep("file-1", &two, 1);
        (0..20).for_each(|n| keep(&format!("large-{n}"), &one, 10));
        let read = owners.requests_of(b"file-1", "two").unwrap();
        assert_eq!((read.models().len(), read.models()[0].line), (1, 1));
        assert!(owners.requests_of(b"file-1", "one").is_none() && owners.requests_of(b"file-2", "two").is_none());
        assert!(!owners.is_own(b"large-0", "one") && owners.is_own(b"large-19", "one"));
        let room = owners.objects.read().unwrap().room;
        assert!(room <= owners.most, "{room}");
        keep("too-large", &one, 64);
        assert!(!owners.is_own(b"too-large", "one") && owners.is_own(b"large-19", "one"));
    }

    #[test]
    fn an_owner_that_was_learned_gets_what_its_file_names_and_the_room_is_counted() {
        let (owners, one, two) = (Owners::new(1 << 16), Arc::from("one"), Arc::from("two"));
        let mut file = RequestFile::default();
        (0..8).for_each(|n| file.name(&format!("{n}-{}", "x".repeat(1_000)), 1));
        let file = Arc::new(file);
        assert!(owners.learn(ObjectKind::Object, b"file-1", &one, None));
        assert!(!owners.learn(ObjectKind::Object, b"file-1", &two, Some(&file)) && !owners.is_own(b"file-1", "two"));
        assert!(owners.requests_of(b"file-1", "one").is_none());
        assert!(owners.learn(ObjectKind::Object, b"file-1", &one, Some(&file)));
        assert!(!owners.learn(ObjectKind::Object, b"file-1", &one, Some(&file)), "it is known by now");
        assert!(owners.requests_of(b"file-1", "one").is_some());
        let room = 1 + file.size().div_ceil(ENTRY);
        let record = owners.objects.read().unwrap();
        assert_eq!((record.room, record.clients[&one].room, record.clients[&one].ids[0].1), (room, room, room));
        drop(record);
        // What does not fit goes.
        for n in 0..20 {
            let id = format!("large-{n}");
            owners.learn(ObjectKind::Object, id.as_bytes(), &one, None);
            owners.learn(ObjectKind::Object, id.as_bytes(), &one, Some(&file));
        }
        assert!(owners.objects.read().unwrap().room <= owners.most && !owners.is_own(b"file-1", "one"));
    }

    #[test]
    fn nothing_is_kept_without_room() {
        let (owners, client) = (Owners::new(0), Arc::from("one"));
        owners.keep(ObjectKind::Object, b"file-1", &client);
        assert!(!owners.is_own(b"file-1", "one"));
    }
}
