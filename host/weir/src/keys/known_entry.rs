//! An entry of the audit log that this node has seen. A store that lacks it, or has another in its place, was put back
//! to an older state: also if it has gone on since, so that its versions show nothing.

use std::fmt::Write as _;

use weir_store::{AuditEntry, Head, Store, StoreError};

/// The entry's number and its hash, which stands for all entries before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct KnownEntry {
    sequence: u64,
    hash: String,
}

impl KnownEntry {
    /// The last entry of a store.
    pub(super) fn last(head: &Head) -> Option<Self> {
        head.last.as_ref().map(Self::of)
    }

    fn of(entry: &AuditEntry) -> Self {
        let mut hash = String::with_capacity(entry.hash.len() * 2);
        for byte in entry.hash {
            // Writing to a text does not fail.
            let _ = write!(hash, "{byte:02x}");
        }
        Self { sequence: entry.sequence, hash }
    }

    /// Reads what [`KnownEntry::written`] returns.
    pub(super) fn read(sequence: &str, hash: &str) -> Option<Self> {
        Some(Self { sequence: sequence.parse().ok()?, hash: hash.to_owned() })
    }

    /// Both on a line.
    pub(super) fn written(&self) -> String {
        format!("{} {}", self.sequence, self.hash)
    }

    /// Whether the store still has it. One small question where the log has grown, none else.
    pub(super) fn is_in(&self, store: &dyn Store, head: &Head) -> Result<bool, StoreError> {
        match &head.last {
            Some(last) if last.sequence > self.sequence => {
                let entry = store.audit_page(Some(self.sequence + 1), 1)?;
                Ok(entry.first().is_some_and(|entry| Self::of(entry) == *self))
            }
            last => Ok(last.as_ref().is_some_and(|last| Self::of(last) == *self)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_store::{AuditEvent, Sqlite};

    #[test]
    fn a_store_that_was_put_back_and_has_gone_on_lacks_what_was_known() {
        let folder = tempfile::tempdir().unwrap();
        let store = |name: &str| Sqlite::open(folder.path().join(name)).unwrap();
        let write = |store: &Sqlite, events: std::ops::Range<u64>| {
            for event in events {
                store.audit(&AuditEvent { time_ms: event, event: format!("{{\"event\":{event}}}") }).unwrap();
            }
        };
        let (real, restored) = (store("real.db"), store("restored.db"));
        write(&real, 0..5);
        write(&restored, 0..5);
        let at_backup = KnownEntry::last(&real.head().unwrap()).unwrap();
        write(&real, 5..8);
        let known = KnownEntry::last(&real.head().unwrap()).unwrap();
        let has = |known: &KnownEntry, store: &Sqlite| known.is_in(store, &store.head().unwrap()).unwrap();
        assert!(has(&known, &real) && has(&at_backup, &real));
        assert!(!has(&known, &restored), "it is behind");
        for events in [100..103, 103..105] {
            write(&restored, events);
            assert!(!has(&known, &restored), "it is as far, or further");
            assert!(has(&at_backup, &restored));
        }
        let line = known.written();
        let (sequence, hash) = line.split_once(' ').unwrap();
        assert_eq!(KnownEntry::read(sequence, hash), Some(known));
    }
}
