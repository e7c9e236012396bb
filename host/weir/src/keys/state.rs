//! What this node knows of the store's documents: the directory in the making, the version that it has reached, and
//! what stays refused if the store is put back to an older state.

use std::collections::BTreeMap;

use weir_identity::directory::Change;
use weir_identity::document::PriceRule;
use weir_identity::{Directory, DirectoryWriter, Document, KeyId, Kind};
use weir_ledger::{Budget, PriceFile};

use super::known_entry::KnownEntry;
use super::parsed::{Content, Parsed, parsed};
use super::revoked_file::Revoked;
use super::{budgets, prices};

/// The state, behind the lock of the registry.
#[derive(Debug, Default)]
pub(super) struct State {
    writer: DirectoryWriter,
    /// The version of the store's log that has been read.
    pub(super) version: u64,
    /// An entry of its audit log that it had.
    pub(super) entry: Option<KnownEntry>,
    /// The revision of the guard.
    pub(super) guard: Option<u64>,
    /// Where there is or was a key.
    keyed: Keyed,
    /// The budgets of documents that have any.
    budgets: BTreeMap<(Kind, String), Vec<Budget>>,
    /// Whether these changed since they were taken last.
    has_new_budgets: bool,
    /// Budgets of documents that have had none since.
    gone_budgets: BTreeMap<(Kind, String), Vec<Budget>>,
    /// Prices that stand alone, by their ids.
    pub(super) prices: BTreeMap<String, PriceRule>,
    /// Whether these changed since they were taken last.
    has_new_prices: bool,
    /// What stays refused if the store is put back.
    revoked: Revoked,
}

/// Where there is or was a key.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Keyed {
    #[default]
    Nowhere,
    /// Only in what this node knew before the store was put back.
    Before,
    /// In the store as it is.
    InStore,
}

/// The budgets of documents after a change.
#[derive(Debug, PartialEq)]
pub(super) struct NewBudgets {
    pub(super) all: Vec<Budget>,
    /// Budgets of documents that no longer have any.
    pub(super) gone: Vec<Budget>,
}

impl State {
    /// The state of a node that has read nothing yet, and knows this from before.
    pub(super) fn knowing(entry: Option<KnownEntry>, revoked: Revoked, is_keyed: bool) -> Self {
        let keyed = if is_keyed { Keyed::Before } else { Keyed::Nowhere };
        Self { entry, keyed, revoked, ..Self::default() }
    }

    /// Whether there is or was a key, also before the store was put back.
    pub(super) fn is_keyed(&self) -> bool {
        self.keyed != Keyed::Nowhere
    }

    /// Whether the store has no key and had none, although this node knew some.
    pub(super) fn has_lost_keys(&self) -> bool {
        self.keyed == Keyed::Before
    }

    /// Keeps which keys stay refused, if that changed since it was kept last.
    pub(super) fn keep_revoked(&mut self, keep: impl FnOnce(&Revoked) -> bool) {
        if self.revoked.is_new {
            self.revoked.is_new = !keep(&self.revoked);
        }
    }

    /// The directory as it is now.
    pub(super) fn directory(&self) -> Directory {
        self.writer.snapshot()
    }

    /// The budgets of documents, if they changed since the last call.
    pub(super) fn new_budgets(&mut self) -> Option<NewBudgets> {
        let gone = std::mem::take(&mut self.gone_budgets).into_iter();
        let gone = gone.filter(|(name, _)| !self.budgets.contains_key(name)).flat_map(|(_, budgets)| budgets);
        let all = || self.budgets.values().flatten().cloned().collect();
        std::mem::take(&mut self.has_new_budgets).then(|| NewBudgets { all: all(), gone: gone.collect() })
    }

    /// Hands on a file of all prices, `None` without any, if they changed since the last call.
    pub(super) fn hand_on_prices(&mut self, take: impl FnOnce(Option<PriceFile>)) {
        if std::mem::take(&mut self.has_new_prices) {
            take(prices::file(&self.prices));
        }
    }

    /// Starts over with a store that is at an earlier version than this node: a backup was restored. Keys that were
    /// disabled or deleted stay refused here, until something newer is written about them.
    pub(super) fn start_over(&mut self, version: u64) {
        let revoked = Revoked { put_back: version, is_new: true, ..std::mem::take(&mut self.revoked) };
        let keyed = if self.is_keyed() { Keyed::Before } else { Keyed::Nowhere };
        let entry = self.entry.take();
        *self = Self { revoked, entry, keyed, has_new_budgets: true, has_new_prices: true, ..Self::default() };
    }

    /// Starts over after reading all documents has failed.
    pub(super) fn give_up_loading(&mut self) {
        self.start_over(self.revoked.put_back);
    }

    /// Takes over a part of all documents, in any order, on a state that has none. What it has is to be used after
    /// [`State::loaded`] only.
    pub(super) fn load(&mut self, documents: Vec<weir_store::Document>) {
        for document in parsed(documents) {
            let change = self.read(document);
            self.writer.load(change);
        }
    }

    /// All documents have been taken over.
    pub(super) fn loaded(&mut self) {
        self.writer.loaded();
        self.writer.forget_deletions(self.version);
    }

    /// Takes over documents in the order of their revisions.
    pub(super) fn take(&mut self, documents: Vec<weir_store::Document>) {
        let changes: Vec<Change> = parsed(documents).into_iter().filter_map(|document| self.read(document)).collect();
        self.writer.apply(changes);
        // Versions come in their order, so that no older change follows.
        self.writer.forget_deletions(self.version);
    }

    fn read(&mut self, read: Parsed) -> Option<Change> {
        let Parsed { id, revision, content } = read;
        self.version = self.version.max(revision);
        let (kind, parsed) = match content {
            Content::Guard(exists) => {
                self.guard = exists.then_some(revision);
                return None;
            }
            Content::Unknown => return None,
            Content::Document(kind, parsed) => (kind, parsed),
        };
        if kind == Kind::Key {
            self.keyed = Keyed::InStore;
        }
        if let (Kind::Budget, Err(error)) = (kind, &parsed) {
            // Without it, nothing would be limited: the earlier version counts.
            let is_known = self.budgets.contains_key(&(kind, id.clone()));
            budgets::log_unreadable(&id, error, is_known);
            return None;
        }
        let document = parsed.unwrap_or_else(|error| {
            // Its present version may disable the key, so the earlier version does not count either.
            tracing::error!(%error, kind = kind.name(), id, "a document of the store cannot be read, and is left out");
            None
        });
        let document = self.without_revived(document.map(|document| *document), &id, kind, revision);
        self.keep_budgets(kind, &id, document.as_ref());
        if !kind.is_in_directory() {
            self.keep_price(kind, id, document);
            return None;
        }
        Some(match document {
            Some(document) => Change::put(revision, document),
            None => Change::delete(revision, kind, &id),
        })
    }

    /// Keeps revoked keys refused if an older state of the store has them as valid.
    fn without_revived(
        &mut self,
        mut document: Option<Document>,
        id: &str,
        kind: Kind,
        revision: u64,
    ) -> Option<Document> {
        let Some(key) = KeyId::parse(id).ok().filter(|_| kind == Kind::Key) else { return document };
        let is_revoked = !matches!(&document, Some(Document::Key(key)) if !key.disabled);
        if is_revoked {
            self.revoked.is_new |= self.revoked.keys.insert(key);
        } else if revision > self.revoked.put_back {
            self.revoked.is_new |= self.revoked.keys.remove(&key);
        } else if let Some(Document::Key(document)) = &mut document
            && self.revoked.keys.contains(&key)
        {
            tracing::error!(key = id, "the store was put back to when this key was valid: it stays refused here");
            document.disabled = true;
        }
        document
    }

    fn keep_price(&mut self, kind: Kind, id: String, document: Option<Document>) {
        self.has_new_prices |= kind == Kind::Price;
        match document {
            Some(Document::Price(price)) => drop(self.prices.insert(id, price)),
            _ if kind == Kind::Price => drop(self.prices.remove(&id)),
            _ => {}
        }
    }

    fn keep_budgets(&mut self, kind: Kind, id: &str, document: Option<&Document>) {
        let name = (kind, id.to_owned());
        let known = self.budgets.get(&name).map(Vec::as_slice).unwrap_or_default();
        let budgets = document.map(|document| budgets::of(document, known)).unwrap_or_default();
        if budgets.is_empty() && self.budgets.is_empty() {
            return;
        }
        let is_gone = budgets.is_empty();
        let before = if is_gone { self.budgets.remove(&name) } else { self.budgets.insert(name.clone(), budgets) };
        self.has_new_budgets |= before.as_ref() != self.budgets.get(&name);
        if let Some(before) = before.filter(|_| is_gone) {
            self.gone_budgets.insert(name, before);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(revision: u64, number: u64, more: &str) -> weir_store::Document {
        let id = KeyId::from_bits(number);
        let hash = weir_config::KeyHash::of(&format!("key {number}"));
        let body = format!(
            r#"{{"schema": 1, "id": "{id}", "hash": "{hash}", "name": "n{number}", "created": "2026-11-21T12:00:00Z"{more}}}"#
        );
        weir_store::Document { kind: "key".to_owned(), id: id.to_string(), revision, body: Some(body) }
    }

    fn is_valid(state: &State, number: u64) -> bool {
        state.directory().look_up(&format!("key {number}"), "2026-11-21T13:00:00Z".parse().unwrap()).is_ok()
    }

    #[test]
    fn a_store_that_was_put_back_revives_no_key() {
        let mut state = State::default();
        let gone = weir_store::Document { body: None, ..stored(5, 2, "") };
        state.take(vec![stored(1, 1, ""), stored(2, 2, ""), stored(3, 3, "")]);
        state.take(vec![stored(4, 1, r#", "disabled": true"#), gone]);
        assert!(!is_valid(&state, 1) && !is_valid(&state, 2) && is_valid(&state, 3));
        state.start_over(3);
        state.take(vec![stored(1, 1, ""), stored(2, 2, ""), stored(3, 3, "")]);
        assert!(!is_valid(&state, 1) && !is_valid(&state, 2) && is_valid(&state, 3));
        // What is written from now on counts.
        state.take(vec![stored(4, 1, "")]);
        assert!(is_valid(&state, 1) && !is_valid(&state, 2));
    }

    #[test]
    fn a_first_reading_in_any_order_is_what_changes_one_by_one_come_to() {
        let documents = || {
            let gone = weir_store::Document { body: None, ..stored(5, 2, "") };
            vec![stored(6, 4, ""), gone, stored(3, 3, r#", "disabled": true"#), stored(1, 1, "")]
        };
        let mut state = State::default();
        state.load(documents());
        state.give_up_loading();
        assert!(!is_valid(&state, 1) && state.version == 0 && state.is_keyed());
        state.load(documents());
        state.loaded();
        assert_eq!([1, 2, 3, 4].map(|number| is_valid(&state, number)), [true, false, false, true]);
        assert_eq!(state.version, 6);
        state.take(vec![stored(7, 3, ""), stored(8, 1, r#", "disabled": true"#)]);
        assert_eq!([1, 2, 3, 4].map(|number| is_valid(&state, number)), [false, false, true, true]);
    }

    #[test]
    fn what_cannot_be_read_is_refused_and_having_had_a_key_is_remembered() {
        let mut state = State::default();
        state.take(vec![stored(1, 1, "")]);
        state.take(vec![stored(2, 1, r#", "of_a_newer_version": true"#)]);
        assert!(!is_valid(&state, 1) && state.is_keyed() && state.version == 2);
    }

    #[test]
    fn budgets_are_handed_on_when_they_change() {
        let mut state = State::default();
        let budget = r#", "budgets": [{"name": "b", "tokens": 5, "per": "day"}]"#;
        state.take(vec![stored(1, 1, budget), stored(2, 2, "")]);
        let counts = |budgets: NewBudgets| (budgets.all.len(), budgets.gone.len());
        assert_eq!(state.new_budgets().map(counts), Some((1, 0)));
        state.take(vec![stored(3, 1, budget), stored(4, 2, r#", "disabled": true"#)]);
        assert_eq!(state.new_budgets(), None);
        state.take(vec![stored(5, 1, "")]);
        assert_eq!(state.new_budgets().map(counts), Some((0, 1)));
        state.take(vec![stored(6, 1, budget), stored(7, 1, ""), stored(8, 1, budget)]);
        assert_eq!(state.new_budgets().map(counts), Some((1, 0)), "it has them again");
        assert_eq!(state.new_budgets(), None);
    }

    #[test]
    fn a_budget_that_cannot_be_read_stays_as_it_was_until_it_can_or_is_deleted() {
        let written = |revision, more: &str| weir_store::Document {
            kind: "budget".to_owned(),
            id: "b".to_owned(),
            revision,
            body: Some(format!(
                r#"{{"schema": 1, "id": "b", "for": "all", "created": "2026-11-21T12:00:00Z", "tokens": 5, {more}}}"#
            )),
        };
        let newer = r#""per": "day", "of_a_newer_version": true"#;
        let limits = |state: &mut State| {
            let new = state.new_budgets()?;
            Some(new.all.iter().map(|budget| budget.limit.amount()).collect::<Vec<_>>())
        };
        let mut state = State::default();
        state.take(vec![written(1, newer)]);
        assert_eq!(limits(&mut state), None, "nothing is known of it");
        state.take(vec![written(2, r#""per": "day""#)]);
        assert_eq!(limits(&mut state), Some(vec![5]));
        state.take(vec![written(3, newer), written(4, r#""per": "fortnight""#)]);
        assert_eq!((limits(&mut state), state.version), (None, 4), "it goes on to count");
        state.take(vec![written(5, r#""per": "month""#)]);
        assert_eq!(limits(&mut state), Some(vec![5]));
        let at_key = |per: &str| format!(r#", "budgets": [{{"name": "k", "tokens": 7, "per": "{per}"}}]"#);
        state.take(vec![stored(6, 1, &at_key("day")), stored(7, 1, &at_key("fortnight"))]);
        assert_eq!(limits(&mut state), Some(vec![7, 5]));
        state.take(vec![written(8, newer), weir_store::Document { body: None, ..written(9, "") }]);
        assert_eq!(limits(&mut state), Some(vec![7]));
    }

    #[test]
    fn prices_are_handed_on_when_they_change_and_keys_are_not_concerned() {
        let mut state = State::default();
        let price = |revision, body: Option<&str>| weir_store::Document {
            kind: "price".to_owned(),
            id: "p".to_owned(),
            revision,
            body: body.map(|amount| {
                format!(
                    r#"{{"schema": 1, "id": "p", "provider": "x", "model": "m", "created": "2026-11-21T12:00:00Z",
                        "rates": {{"input": "{amount}"}}}}"#
                )
            }),
        };
        let mut taken: Vec<Option<String>> = Vec::new();
        for document in [price(1, Some("1")), stored(2, 1, ""), price(3, Some("2")), price(4, None)] {
            state.take(vec![document]);
            state.hand_on_prices(|prices| taken.push(prices.map(|prices| prices.version().to_string())));
        }
        let [first, second, none] = taken.try_into().unwrap();
        assert!(first.is_some() && second.is_some() && first != second && none.is_none());
        assert!(is_valid(&state, 1));
    }
}
