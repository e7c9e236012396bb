//! A first reading of all documents: keys are put into the indexes unsorted, which are sorted once at the end. With a
//! million keys that takes a third of putting each at its place.

use std::hash::BuildHasher as _;
use std::sync::Arc;

use super::writer::hashes;
use super::{Change, DirectoryWriter};
use crate::document::{Document, Kind};
use crate::key_text::KeyId;

impl DirectoryWriter {
    /// Takes a part of all documents, in any order, of which few come twice. Only after [`DirectoryWriter::loaded`] are
    /// keys found.
    pub fn load(&mut self, changes: impl IntoIterator<Item = Change>) {
        for change in changes {
            match &change.document {
                Some(Document::Key(key)) if change.kind == Kind::Key && key.id.as_str() == change.id => {
                    let record = self.record(key, change.version);
                    let directory = &mut self.directory;
                    directory.keys.append(directory.hasher.hash_one(record.id), Arc::clone(&record));
                    let by_name = directory.hasher.hash_one((record.team.as_ref(), &*record.name));
                    directory.by_name.append(by_name, Arc::clone(&record));
                    for hash in hashes(&record) {
                        directory.by_hash.append(hash, Arc::clone(&record));
                    }
                }
                None if change.kind == Kind::Key => {
                    let version = self.deleted.entry((Kind::Key, change.id.into())).or_default();
                    *version = change.version.max(*version);
                }
                _ => _ = self.apply([change]),
            }
        }
    }

    /// Ends the reading: sorts the keys, and drops those of which a newer version was read.
    pub fn loaded(&mut self) {
        let directory = &mut self.directory;
        directory.keys.sort(|one, other| one.id.cmp(&other.id).then(other.version.cmp(&one.version)));
        directory.by_name.sort(|one, other| one.id.cmp(&other.id));
        directory.by_hash.sort(|one, other| one.id.cmp(&other.id));
        for old in directory.keys.repeated(|one, other| one.id == other.id) {
            self.remove_key(&old);
        }
        let is_key = |((kind, id), version): (&(Kind, Box<str>), &u64)| {
            (*kind == Kind::Key).then(|| KeyId::parse(id).ok().map(|id| (id, *version))).flatten()
        };
        let deleted: Vec<(KeyId, u64)> = self.deleted.iter().filter_map(is_key).collect();
        for (id, version) in deleted {
            match self.directory.key(id).cloned() {
                Some(key) if key.version < version => self.remove_key(&key),
                Some(_) => _ = self.deleted.remove(&(Kind::Key, Box::from(id.as_str()))),
                None => {}
            }
        }
    }
}
