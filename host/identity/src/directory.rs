//! Keys, teams, organisations and users in memory: an immutable snapshot, in which each request finds its caller.
//!
//! A [`DirectoryWriter`] takes changes and gives snapshots; a snapshot shares with the one before it whatever did not
//! change, so a change costs microseconds with a million keys, too.

mod caller;
mod loading;
mod record;
mod shards;
#[cfg(test)]
mod tests;
mod writer;

use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;

use jiff::Timestamp;
use weir_config::KeyHash;

use crate::document::{Login, OrganisationId, TeamId, UserId};
use crate::jwt::TokenIdentity;
use crate::key_text::{self, KeyId, KeyTextError, PREFIX};
pub use caller::{Caller, Subject};
pub use record::{KeyRecord, OrganisationRecord, TeamRecord, UserRecord};
use shards::Shards;
pub use writer::{Applied, Change, DirectoryWriter};

/// A snapshot of all keys, teams, organisations and users. Clones are cheap.
#[derive(Debug, Clone)]
pub struct Directory {
    /// The hash has a new key in each process, so that no choice of ids makes a look-up slow.
    hasher: RandomState,
    by_hash: Shards<KeyRecord>,
    keys: Shards<KeyRecord>,
    by_name: Shards<KeyRecord>,
    teams: Shards<TeamRecord>,
    organisations: Shards<OrganisationRecord>,
    users: Shards<UserRecord>,
    by_login: Shards<UserRecord>,
}

/// Why a caller is refused. No variant holds any of the key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyDenied {
    /// No key has this hash.
    #[error("the API key is not known here")]
    Unknown,
    /// The key's check digits do not fit. It was not looked up.
    #[error("{0}")]
    Mistyped(KeyTextError),
    /// The key is disabled.
    #[error("the API key {0} is disabled")]
    Disabled(KeyId),
    /// The key has expired.
    #[error("the API key {id} expired at {at}")]
    Expired {
        /// The key.
        id: KeyId,
        /// When it expired.
        at: Timestamp,
    },
    /// The key was rotated, and the grace of the text before is over.
    #[error("the API key {id} was rotated, and this text of it was valid until {at}")]
    RotatedAway {
        /// The key.
        id: KeyId,
        /// When the grace ended.
        at: Timestamp,
    },
    /// The caller's user is disabled or was deleted.
    #[error("the user {0} is disabled here")]
    User(UserId),
    /// The caller's team is disabled or was deleted.
    #[error("the team {0} is disabled here")]
    Team(TeamId),
    /// The organisation of the caller's team is disabled or was deleted.
    #[error("the organisation {0} is disabled here")]
    Organisation(OrganisationId),
}

impl KeyDenied {
    /// The code in errors. Codes do not change.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unknown | Self::Mistyped(_) => "invalid_api_key",
            Self::Disabled(_) => "api_key_disabled",
            Self::Expired { .. } | Self::RotatedAway { .. } => "api_key_expired",
            Self::User(_) => "user_disabled",
            Self::Team(_) => "team_disabled",
            Self::Organisation(_) => "organisation_disabled",
        }
    }

    /// The HTTP status: 401 for what is wrong with the key, 403 for its owner.
    pub fn status(&self) -> u16 {
        match self {
            Self::User(_) | Self::Team(_) | Self::Organisation(_) => 403,
            _ => 401,
        }
    }
}

impl Directory {
    /// A directory without entries.
    pub fn empty() -> Self {
        Self {
            hasher: RandomState::new(),
            by_hash: Shards::new(6),
            keys: Shards::new(6),
            by_name: Shards::new(6),
            teams: Shards::new(4),
            organisations: Shards::new(3),
            users: Shards::new(4),
            by_login: Shards::new(4),
        }
    }

    /// Finds the caller of a presented key: of Weir's own form, imported, or any other text that was hashed.
    ///
    /// # Errors
    ///
    /// The key is unknown, mistyped, disabled, expired or rotated away, or its owner is disabled.
    pub fn look_up(&self, presented: &str, now: Timestamp) -> Result<Caller, KeyDenied> {
        self.look_up_hash(&hash_of(presented)?, now)
    }

    /// Finds the caller of a key by its hash. The time reveals nothing about stored hashes: candidates are found by the
    /// first bytes of a hash, which cannot be chosen, and compared in constant time.
    ///
    /// # Errors
    ///
    /// As [`Directory::look_up`].
    pub fn look_up_hash(&self, hash: &KeyHash, now: Timestamp) -> Result<Caller, KeyDenied> {
        let key = self.by_hash.find(slot(hash), |key| key.has(hash)).ok_or(KeyDenied::Unknown)?;
        key.check(hash, now)?;
        self.caller(Subject::Key(Arc::clone(key)), key.user.as_ref(), key.team.as_ref())
    }

    /// The caller whom a verified token identifies.
    ///
    /// # Errors
    ///
    /// The token's team is not known or disabled, or so is its organisation; or the token's user is disabled. An
    /// unknown user is no error.
    pub fn caller_of_token(&self, token: &Arc<TokenIdentity>) -> Result<Caller, KeyDenied> {
        let user = self.user_of_login(&token.login).map(|user| user.id.clone());
        self.caller(Subject::Token(Arc::clone(token)), user.as_ref(), token.team.as_ref())
    }

    /// The caller whose key has this id, even if the key is disabled or has expired: work that the caller began before
    /// is booked to it.
    ///
    /// # Errors
    ///
    /// There is no such key, or its owner is disabled.
    pub fn caller_of_key(&self, id: KeyId) -> Result<Caller, KeyDenied> {
        let key = self.key(id).ok_or(KeyDenied::Unknown)?;
        self.caller(Subject::Key(Arc::clone(key)), key.user.as_ref(), key.team.as_ref())
    }

    fn caller(&self, subject: Subject, user: Option<&UserId>, team: Option<&TeamId>) -> Result<Caller, KeyDenied> {
        let user = match user {
            Some(id) => Some(self.user(id).filter(|user| !user.disabled).ok_or_else(|| KeyDenied::User(id.clone()))?),
            None => None,
        };
        let team = match team {
            Some(id) => Some(self.team(id).filter(|team| !team.disabled).ok_or_else(|| KeyDenied::Team(id.clone()))?),
            None => None,
        };
        let organisation = match team.and_then(|team| team.organisation.as_ref()) {
            Some(id) => {
                let found = self.organisation(id).filter(|found| !found.disabled);
                Some(found.ok_or_else(|| KeyDenied::Organisation(id.clone()))?)
            }
            None => None,
        };
        Ok(Caller { subject, user: user.cloned(), team: team.cloned(), organisation: organisation.cloned() })
    }

    /// The key with this id.
    pub fn key(&self, id: KeyId) -> Option<&Arc<KeyRecord>> {
        self.keys.find(self.hasher.hash_one(id), |key| key.id == id)
    }

    /// The key with this name in a team, or among the keys without a team.
    pub fn key_named(&self, team: Option<&TeamId>, name: &str) -> Option<&Arc<KeyRecord>> {
        let is_it = |key: &KeyRecord| key.team.as_ref() == team && *key.name == *name;
        self.by_name.find(self.hasher.hash_one((team, name)), is_it)
    }

    /// The key whose text has this hash, now or before its rotation, valid or not.
    pub fn key_of_hash(&self, hash: &KeyHash) -> Option<&Arc<KeyRecord>> {
        self.by_hash.find(slot(hash), |key| key.has(hash))
    }

    /// All keys, in no order. It takes a while with many: nothing on a request's path uses it.
    pub fn keys(&self) -> impl Iterator<Item = &Arc<KeyRecord>> {
        self.keys.iter()
    }

    /// All teams, in no order.
    pub fn teams(&self) -> impl Iterator<Item = &Arc<TeamRecord>> {
        self.teams.iter()
    }

    /// All users, in no order.
    pub fn users(&self) -> impl Iterator<Item = &Arc<UserRecord>> {
        self.users.iter()
    }

    /// All organisations, in no order.
    pub fn organisations(&self) -> impl Iterator<Item = &Arc<OrganisationRecord>> {
        self.organisations.iter()
    }

    /// The team with this id.
    pub fn team(&self, id: &TeamId) -> Option<&Arc<TeamRecord>> {
        self.teams.find(self.hasher.hash_one(id), |team| team.id == *id)
    }

    /// The organisation with this id.
    pub fn organisation(&self, id: &OrganisationId) -> Option<&Arc<OrganisationRecord>> {
        self.organisations.find(self.hasher.hash_one(id), |organisation| organisation.id == *id)
    }

    /// The user with this id.
    pub fn user(&self, id: &UserId) -> Option<&Arc<UserRecord>> {
        self.users.find(self.hasher.hash_one(id), |user| user.id == *id)
    }

    /// The user who has this account at an identity provider.
    pub fn user_of_login(&self, login: &Login) -> Option<&Arc<UserRecord>> {
        self.by_login.find(self.hasher.hash_one(login), |user| user.logins.contains(login))
    }

    /// The number of keys.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there are no keys.
    pub fn is_empty(&self) -> bool {
        self.keys.len() == 0
    }
}

/// The hash of a presented key.
///
/// # Errors
///
/// The key has Weir's own form, and its check digits do not fit.
pub fn hash_of(presented: &str) -> Result<KeyHash, KeyDenied> {
    if presented.starts_with(PREFIX) {
        key_text::check(presented).map_err(KeyDenied::Mistyped)?;
    }
    Ok(KeyHash::of(presented))
}

/// Where a hash stands in the index: its first eight bytes.
fn slot(hash: &KeyHash) -> u64 {
    hash.as_bytes().first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes))
}
