//! Changes of keys, teams, organisations, users, budgets and prices as commands: pure functions from what is stored to
//! what is to be written, with an audit event. The caller writes both in one transaction.

mod audit;
mod damaged;
mod error;
mod group;
mod idempotency;
mod key;
mod revision;
mod spending;
#[cfg(test)]
mod tests;
mod user;

use jiff::Timestamp;
use weir_config::KeyHash;

pub use audit::{Action, Actor, AuditEvent};
pub use error::ChangeError;
pub use group::{GroupCommand, KeysOfTeam};
pub use idempotency::{Fingerprint, Idempotency, Remembered, Request};
pub use key::{KeyCommand, KeyEdit, NewKey};
pub use revision::{BadPrecondition, Precondition, Revision};
pub use spending::{SpendingCommand, team_of_budget};
pub use user::UserCommand;

use crate::document::{
    Access, BudgetId, Document, Grant, Key, Kind, Organisation, OrganisationId, PriceId, PriceRule, ScopedBudget, Team,
    TeamId, User, UserId,
};
use crate::key_text::{KeyId, KeyText};

/// What is stored. The caller answers from within the transaction that writes the change.
pub trait Stored {
    /// Reads a key and the revision that it is at.
    fn key(&self, id: KeyId) -> Option<(Key, Revision)>;
    /// The key whose text has this hash, now or before its rotation.
    fn key_of_hash(&self, hash: &KeyHash) -> Option<KeyId>;
    /// The key with this name in a team, or among the keys without team.
    fn key_named(&self, team: Option<&TeamId>, name: &str) -> Option<KeyId>;
    /// All keys of a team.
    fn keys_of_team(&self, team: &TeamId) -> Vec<KeyId>;
    /// All keys of a user.
    fn keys_of_user(&self, user: &UserId) -> Vec<KeyId>;
    /// All keys with a grant for this team alone.
    fn keys_granted(&self, team: &TeamId) -> Vec<KeyId>;
    /// All users with a grant for this team alone.
    fn users_granted(&self, team: &TeamId) -> Vec<UserId>;
    /// Reads a team and the revision that it is at.
    fn team(&self, id: &TeamId) -> Option<(Team, Revision)>;
    /// The number of an organisation's teams.
    fn teams_of(&self, organisation: &OrganisationId) -> usize;
    /// Reads an organisation and the revision that it is at.
    fn organisation(&self, id: &OrganisationId) -> Option<(Organisation, Revision)>;
    /// Reads a user and the revision that it is at.
    fn user(&self, id: &UserId) -> Option<(User, Revision)>;
    /// The user who has this account.
    fn user_of_login(&self, login: &crate::document::Login) -> Option<UserId>;
    /// Reads a budget that stands alone, and the revision that it is at.
    fn budget(&self, id: &BudgetId) -> Option<(ScopedBudget, Revision)>;
    /// Reads a price and the revision that it is at.
    fn price(&self, id: &PriceId) -> Option<(PriceRule, Revision)>;
    /// The revision of a document that is stored, and cannot be read.
    fn damaged(&self, kind: Kind, id: &str) -> Option<Revision>;
}

/// A change that a caller asks for.
#[derive(Debug, Clone)]
pub enum Command {
    /// On keys.
    Key(KeyCommand),
    /// On teams and organisations.
    Group(GroupCommand),
    /// On users.
    User(UserCommand),
    /// On budgets and prices.
    Spending(SpendingCommand),
}

/// Who changes something, when, and on which condition.
#[derive(Debug, Clone)]
pub struct Context {
    /// Who.
    pub actor: Actor,
    /// What they may do.
    pub grants: Vec<Grant>,
    /// When.
    pub now: Timestamp,
    /// The condition (`If-Match`).
    pub precondition: Precondition,
}

/// A document to write or delete.
#[derive(Debug, Clone, PartialEq)]
pub struct Write {
    /// Which kind of document it is.
    pub kind: Kind,
    /// The document's id, unique within its kind.
    pub id: String,
    /// The document; `None` deletes it.
    pub document: Option<Document>,
    /// What must be stored by then, else nothing is written.
    pub expected: Expected,
}

/// What must be stored of a document when it is written or deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// Nothing.
    Absent,
    /// The document at this revision.
    At(Revision),
    /// Whatever it is: it cannot be read, perhaps neither can its revision.
    Damaged,
}

/// What a command asks to write.
#[derive(Debug)]
pub struct Changed {
    /// The documents, all or none. Empty if there is nothing to change.
    pub writes: Vec<Write>,
    /// What happened, for the audit log.
    pub event: AuditEvent,
    /// A new key's text. It is shown once and stored nowhere.
    pub issued: Option<KeyText>,
}

impl Command {
    /// Validates the command against the stored documents, and returns the documents to write.
    ///
    /// # Errors
    ///
    /// The actor may not do this, the condition does not hold, or the command contradicts a stored document.
    pub fn run(self, stored: &impl Stored, context: &Context) -> Result<Changed, ChangeError> {
        let changed = match self {
            Self::Key(command) => command.run(stored, context),
            Self::Group(command) => command.run(stored, context),
            Self::User(command) => command.run(stored, context),
            Self::Spending(command) => command.run(stored, context),
        }?;
        for document in changed.writes.iter().filter_map(|write| write.document.as_ref()) {
            document.check().map_err(ChangeError::Invalid)?;
        }
        Ok(changed)
    }
}

impl Context {
    /// Whether the actor may change what belongs to a team, or to none.
    fn may_write(&self, team: Option<&TeamId>) -> Result<(), ChangeError> {
        if Grant::allow(&self.grants, Access::Write, team) { Ok(()) } else { Err(ChangeError::Forbidden) }
    }

    /// Whether the actor may set a field of a key that counts for others than its team: a tag may have a budget, and a
    /// user has a name in the request log.
    fn may_reach_beyond(&self, field: &'static str) -> Result<(), ChangeError> {
        self.may_write(None).map_err(|_| ChangeError::BeyondTeam(field))
    }

    /// Whether the actor may give these grants away.
    fn may_give(&self, grants: &[Grant]) -> Result<(), ChangeError> {
        if grants.iter().all(|grant| Grant::may_give(&self.grants, grant)) {
            Ok(())
        } else {
            Err(ChangeError::Forbidden)
        }
    }

    /// One write with its event.
    fn change(&self, action: Action, before: Option<(Document, Revision)>, after: Option<Document>) -> Changed {
        let (before, revision) = before.unzip();
        let named = after.as_ref().or(before.as_ref());
        let (kind, id) = named.map_or((Kind::Key, String::new()), |it| (it.kind(), it.id().to_owned()));
        let event = AuditEvent::of(self, action, kind, &id, before.as_ref(), after.as_ref());
        // Nothing is written, and no revision grows, if the document stays as it is.
        let expected = revision.map_or(Expected::Absent, Expected::At);
        let writes = if before == after { vec![] } else { vec![Write { kind, id, document: after, expected }] };
        Changed { writes, event, issued: None }
    }
}

/// Deletes the document that `find` returns, or one that is stored and cannot be read.
fn delete(
    kind: Kind,
    id: &str,
    stored: &impl Stored,
    context: &Context,
    find: impl FnOnce() -> Result<(Document, Revision), ChangeError>,
) -> Result<Changed, ChangeError> {
    match damaged::delete(kind, id, stored, context)? {
        Some(changed) => Ok(changed),
        None => Ok(context.change(Action::Delete, Some(find()?), None)),
    }
}

/// Checks that a condition which names revisions holds, and that something exists.
fn existing<T>(found: Option<(T, Revision)>, kind: Kind, context: &Context) -> Result<(T, Revision), ChangeError> {
    context.precondition.check(found.as_ref().map(|(_, revision)| *revision))?;
    found.ok_or(ChangeError::NotFound(kind))
}
