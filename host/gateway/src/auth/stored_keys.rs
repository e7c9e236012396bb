//! The keys of the store and the issuers of tokens, as requests use them: snapshots that are replaced as a whole.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use arc_swap::{ArcSwap, ArcSwapOption};
use jiff::Timestamp;
use weir_identity::Directory;
use weir_identity::document::TeamId;

use super::Denied;
use super::stored::StoredCaller;
use super::tokens::Tokens;

/// How many teams have a label of their own in metrics. Each label is kept, with its series, until the program ends.
const MOST_LABELS: usize = 200;
/// The label of keys without a team, and of teams beyond [`MOST_LABELS`]. No client has this name.
const OTHERS: &str = "store:";

/// The keys of the store, and whose tokens are accepted.
#[derive(Debug)]
pub struct StoredKeys {
    directory: ArcSwap<Directory>,
    tokens: ArcSwapOption<Tokens>,
    /// Whether the store has, or had, a key. Once it had one, requests need a key, also after the last one is deleted:
    /// deleting a key must not open the door to its holder.
    is_keyed: AtomicBool,
    /// Whether the store could not be read yet, so that any key may be one of its own.
    is_unread: AtomicBool,
    labels: RwLock<HashMap<TeamId, Arc<str>>>,
    others: Arc<str>,
}

impl Default for StoredKeys {
    fn default() -> Self {
        Self {
            directory: ArcSwap::from_pointee(Directory::empty()),
            tokens: ArcSwapOption::empty(),
            is_keyed: AtomicBool::new(false),
            is_unread: AtomicBool::new(false),
            labels: RwLock::default(),
            others: Arc::from(OTHERS),
        }
    }
}

impl StoredKeys {
    /// Begins with a store that cannot be read yet. `is_keyed` says whether requests need a key until it is: a
    /// database that nodes share most likely has some.
    pub fn wait_for_store(&self, is_keyed: bool) {
        self.is_keyed.store(is_keyed, Ordering::Release);
        self.is_unread.store(true, Ordering::Release);
    }

    /// Whether the store could not be read yet.
    pub fn is_unread(&self) -> bool {
        self.is_unread.load(Ordering::Acquire)
    }

    /// Replaces the directory. Requests in progress keep what they found. `is_keyed` says whether the store has or had a
    /// key.
    pub fn replace(&self, directory: Directory, is_keyed: bool) {
        self.directory.store(Arc::new(directory));
        self.is_keyed.store(is_keyed, Ordering::Release);
        self.is_unread.store(false, Ordering::Release);
    }

    /// Replaces the issuers of tokens.
    pub fn accept_tokens(&self, tokens: Option<Arc<Tokens>>) {
        self.tokens.store(tokens);
    }

    /// The directory now.
    pub fn directory(&self) -> Arc<Directory> {
        self.directory.load_full()
    }

    /// Whether requests need a key or a token because of the store or of issuers.
    pub fn is_keyed(&self) -> bool {
        self.is_keyed.load(Ordering::Acquire) || self.tokens.load().is_some()
    }

    /// The issuers of tokens.
    pub(super) fn tokens(&self) -> Option<Arc<Tokens>> {
        self.tokens.load_full()
    }

    /// The caller of a presented key.
    pub(super) fn find(&self, presented: &str) -> Result<StoredCaller, Denied> {
        let found = self.directory.load().look_up(presented, Timestamp::now());
        found.map(|caller| self.labelled(caller)).map_err(|denied| match denied {
            weir_identity::Denied::Unknown if self.is_unread() => Denied::Unread,
            denied => denied.into(),
        })
    }

    /// The caller of a presented token.
    pub(super) async fn find_by_token(&self, token: &str) -> Result<StoredCaller, Denied> {
        let Some(tokens) = self.tokens() else { return Err(Denied::WrongKey) };
        let identity = tokens.verify(token).await?;
        let found = self.directory.load().caller_of_token(&identity);
        found.map(|caller| self.labelled(caller)).map_err(Denied::from)
    }

    fn labelled(&self, caller: weir_identity::Caller) -> StoredCaller {
        let label = caller.team.as_ref().map_or_else(|| Arc::clone(&self.others), |team| self.label(&team.id));
        StoredCaller::new(caller, label)
    }

    fn label(&self, team: &TeamId) -> Arc<str> {
        if let Some(known) = self.labels.read().unwrap_or_else(PoisonError::into_inner).get(team) {
            return Arc::clone(known);
        }
        let mut labels = self.labels.write().unwrap_or_else(PoisonError::into_inner);
        if labels.len() >= MOST_LABELS && !labels.contains_key(team) {
            return Arc::clone(&self.others);
        }
        Arc::clone(labels.entry(team.clone()).or_insert_with(|| Arc::from(format!("{OTHERS}{team}"))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_labels_of_many_teams_are_bounded() {
        let keys = StoredKeys::default();
        let label = |number: usize| keys.label(&TeamId::parse(&format!("team-{number}")).unwrap());
        for number in 0..MOST_LABELS {
            assert_eq!(*label(number), *format!("store:team-{number}"));
        }
        assert_eq!(*label(MOST_LABELS), *OTHERS);
        assert_eq!(*label(0), *"store:team-0");
    }
}
