//! What is stored, for a command: ids and names from the directory, which holds every change so far, and whole
//! documents from the store.

use std::cell::RefCell;

use weir_config::KeyHash;
use weir_identity::change::{Revision, Stored};
use weir_identity::document::{
    BudgetId, Document, Grant, Key, Login, Organisation, OrganisationId, PriceId, PriceRule, ScopedBudget, Team,
    TeamId, User, UserId,
};
use weir_identity::{Directory, KeyId, Kind};
use weir_store::{Store, StoreError};

/// A view of the store at the version of the directory. Commands on it are carried out under the condition that nothing
/// has changed since.
#[derive(Debug)]
pub struct Snapshot<'a> {
    store: &'a dyn Store,
    directory: Directory,
    /// The first failure of the store. What a command decides after one is not carried out.
    failure: RefCell<Option<StoreError>>,
}

impl<'a> Snapshot<'a> {
    pub(super) fn new(store: &'a dyn Store, directory: Directory) -> Self {
        Self { store, directory, failure: RefCell::new(None) }
    }

    /// The failure of the store, if it had one.
    pub(super) fn failure(self) -> Option<StoreError> {
        self.failure.into_inner()
    }

    /// A document with its revision.
    pub fn document(&self, kind: Kind, id: &str) -> Option<(Document, Revision)> {
        match read(self.store, kind, id) {
            Ok(found) => found,
            Err(error) => {
                self.failure.borrow_mut().get_or_insert(error);
                None
            }
        }
    }
}

/// Reads a document from a store.
pub(super) fn read(store: &dyn Store, kind: Kind, id: &str) -> Result<Option<(Document, Revision)>, StoreError> {
    let Some(stored) = store.document(kind.name(), id)? else { return Ok(None) };
    let Some(body) = &stored.body else { return Ok(None) };
    let document = Document::parse(kind, body).map_err(|error| StoreError::Unreadable(error.to_string()))?;
    Ok(Some((document, Revision(stored.revision))))
}

fn is_granted(grants: &[Grant], team: &TeamId) -> bool {
    grants.iter().any(|grant| grant.team.as_ref() == Some(team))
}

impl Stored for Snapshot<'_> {
    fn key(&self, id: KeyId) -> Option<(Key, Revision)> {
        match self.document(Kind::Key, id.as_str())? {
            (Document::Key(key), revision) => Some((key, revision)),
            _ => None,
        }
    }

    fn key_of_hash(&self, hash: &KeyHash) -> Option<KeyId> {
        self.directory.key_of_hash(hash).map(|key| key.id)
    }

    fn key_named(&self, team: Option<&TeamId>, name: &str) -> Option<KeyId> {
        self.directory.key_named(team, name).map(|key| key.id)
    }

    fn keys_of_team(&self, team: &TeamId) -> Vec<KeyId> {
        self.directory.keys().filter(|key| key.team.as_ref() == Some(team)).map(|key| key.id).collect()
    }

    fn keys_of_user(&self, user: &UserId) -> Vec<KeyId> {
        self.directory.keys().filter(|key| key.user.as_ref() == Some(user)).map(|key| key.id).collect()
    }

    fn keys_granted(&self, team: &TeamId) -> Vec<KeyId> {
        let keys = self.directory.keys().filter(|key| is_granted(&key.grants, team));
        keys.map(|key| key.id).collect()
    }

    fn users_granted(&self, team: &TeamId) -> Vec<UserId> {
        let users = self.directory.users().filter(|user| is_granted(&user.grants, team));
        users.map(|user| user.id.clone()).collect()
    }

    fn team(&self, id: &TeamId) -> Option<(Team, Revision)> {
        match self.document(Kind::Team, id.as_str())? {
            (Document::Team(team), revision) => Some((team, revision)),
            _ => None,
        }
    }

    fn teams_of(&self, organisation: &OrganisationId) -> usize {
        self.directory.teams().filter(|team| team.organisation.as_ref() == Some(organisation)).count()
    }

    fn organisation(&self, id: &OrganisationId) -> Option<(Organisation, Revision)> {
        match self.document(Kind::Organisation, id.as_str())? {
            (Document::Organisation(organisation), revision) => Some((organisation, revision)),
            _ => None,
        }
    }

    fn user(&self, id: &UserId) -> Option<(User, Revision)> {
        match self.document(Kind::User, id.as_str())? {
            (Document::User(user), revision) => Some((user, revision)),
            _ => None,
        }
    }

    fn user_of_login(&self, login: &Login) -> Option<UserId> {
        self.directory.user_of_login(login).map(|user| user.id.clone())
    }

    fn budget(&self, id: &BudgetId) -> Option<(ScopedBudget, Revision)> {
        match self.document(Kind::Budget, id.as_str())? {
            (Document::Budget(budget), revision) => Some((budget, revision)),
            _ => None,
        }
    }

    fn price(&self, id: &PriceId) -> Option<(PriceRule, Revision)> {
        match self.document(Kind::Price, id.as_str())? {
            (Document::Price(price), revision) => Some((price, revision)),
            _ => None,
        }
    }

    fn damaged(&self, kind: Kind, id: &str) -> Option<Revision> {
        match self.store.document(kind.name(), id) {
            Ok(found) => {
                let found = found?;
                Document::parse(kind, found.body.as_deref()?).is_err().then_some(Revision(found.revision))
            }
            Err(error) => {
                self.failure.borrow_mut().get_or_insert(error);
                None
            }
        }
    }
}
