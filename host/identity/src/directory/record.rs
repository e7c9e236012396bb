//! What the directory keeps of a document: what requests need, as small as possible for keys.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use weir_config::KeyHash;

use super::KeyDenied;
use crate::document::{Grant, Key, Login, Organisation, OrganisationId, Team, TeamId, Terms, User, UserId};
use crate::key_text::KeyId;

/// A key in memory. Its metadata stays in the store. What each look-up reads comes first, to be in one line of the
/// processor's cache.
#[derive(Debug)]
#[repr(C)]
pub struct KeyRecord {
    pub(super) hash: KeyHash,
    /// Milliseconds since 1970, since an optional timestamp takes three times the room.
    expires: i64,
    pub(super) previous: Option<Box<Previous>>,
    disabled: bool,
    /// The public id.
    pub id: KeyId,
    /// The team that owns the key.
    pub team: Option<TeamId>,
    /// The user who owns the key.
    pub user: Option<UserId>,
    /// Rights, limits and budgets; one copy for all keys with the same.
    pub terms: Arc<Terms>,
    /// The name for people.
    pub name: Box<str>,
    /// What the key may do at the admin interface.
    pub grants: Box<[Grant]>,
    /// The version of the document.
    pub version: u64,
}

/// The text before a rotation.
#[derive(Debug)]
pub(super) struct Previous {
    pub(super) hash: KeyHash,
    grace_ends: Timestamp,
}

const NEVER: i64 = i64::MAX;

impl KeyRecord {
    pub(super) fn new(key: &Key, terms: Arc<Terms>, team: Option<TeamId>, user: Option<UserId>, version: u64) -> Self {
        let previous = |rotation: &crate::document::Rotation| {
            Box::new(Previous { hash: rotation.previous, grace_ends: rotation.grace_ends })
        };
        Self {
            id: key.id,
            name: key.name.as_str().into(),
            team,
            user,
            terms,
            grants: key.grants.as_slice().into(),
            version,
            hash: key.hash,
            previous: key.rotated.as_ref().map(previous),
            expires: key.expires.map_or(NEVER, Timestamp::as_millisecond),
            disabled: key.disabled,
        }
    }

    /// When the key expires.
    pub fn expires(&self) -> Option<Timestamp> {
        Timestamp::from_millisecond(self.expires).ok().filter(|_| self.expires != NEVER)
    }

    /// Until when the key is valid if it is presented with this hash: until it expires, or the grace of that text of it
    /// ends.
    pub fn valid_until(&self, hash: &KeyHash) -> Option<Timestamp> {
        let grace = self.previous.as_ref().filter(|_| !self.hash.is(hash)).map(|previous| previous.grace_ends);
        self.expires().into_iter().chain(grace).min()
    }

    /// Whether the key has this hash now or had it before its rotation. The time depends on neither hash.
    pub(super) fn has(&self, hash: &KeyHash) -> bool {
        let before = self.previous.as_ref().is_some_and(|previous| previous.hash.is(hash));
        self.hash.is(hash) || before
    }

    /// Whether the key is valid when it is presented with this hash.
    pub(super) fn check(&self, hash: &KeyHash, now: Timestamp) -> Result<(), KeyDenied> {
        if self.disabled {
            return Err(KeyDenied::Disabled(self.id));
        }
        if let Some(at) = self.expires().filter(|at| now >= *at) {
            return Err(KeyDenied::Expired { id: self.id, at });
        }
        match &self.previous {
            Some(previous) if !self.hash.is(hash) && now >= previous.grace_ends => {
                Err(KeyDenied::RotatedAway { id: self.id, at: previous.grace_ends })
            }
            _ => Ok(()),
        }
    }
}

/// A team in memory.
#[derive(Debug)]
pub struct TeamRecord {
    /// The id of its document.
    pub id: TeamId,
    /// The organisation that the team belongs to.
    pub organisation: Option<OrganisationId>,
    /// Rights, limits and budgets.
    pub terms: Arc<Terms>,
    /// The version of the document.
    pub version: u64,
    pub(super) disabled: bool,
}

impl TeamRecord {
    pub(super) fn new(team: &Team, terms: Arc<Terms>, version: u64) -> Self {
        let (id, organisation) = (team.id.clone(), team.organisation.clone());
        Self { id, organisation, terms, version, disabled: team.disabled }
    }
}

/// An organisation in memory.
#[derive(Debug)]
pub struct OrganisationRecord {
    /// The id of its document.
    pub id: OrganisationId,
    /// Rights, limits and budgets.
    pub terms: Arc<Terms>,
    /// The version of the document.
    pub version: u64,
    pub(super) disabled: bool,
}

impl OrganisationRecord {
    pub(super) fn new(organisation: &Organisation, terms: Arc<Terms>, version: u64) -> Self {
        Self { id: organisation.id.clone(), terms, version, disabled: organisation.disabled }
    }
}

/// A user in memory.
#[derive(Debug)]
pub struct UserRecord {
    /// The id of its document.
    pub id: UserId,
    /// The teams that the user belongs to.
    pub teams: BTreeSet<TeamId>,
    /// What the user may do at the admin interface.
    pub grants: Vec<Grant>,
    /// The version of the document.
    pub version: u64,
    pub(super) logins: BTreeSet<Login>,
    pub(super) disabled: bool,
}

impl UserRecord {
    /// Whether the user is refused, with all keys.
    pub fn is_disabled(&self) -> bool {
        self.disabled
    }

    pub(super) fn new(user: &User, version: u64) -> Self {
        Self {
            id: user.id.clone(),
            teams: user.teams.clone(),
            grants: user.grants.clone(),
            version,
            logins: user.logins.clone(),
            disabled: user.disabled,
        }
    }
}
