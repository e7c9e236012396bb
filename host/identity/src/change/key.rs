//! Commands on keys.

use jiff::{SignedDuration, Timestamp};
use weir_config::KeyHash;

use super::{Action, ChangeError, Changed, Context, Revision, Stored, delete, existing};
use crate::document::{Document, Grant, Invalid, Key, Kind, Metadata, Owner, Rotation, Schema, TeamId, Terms, UserId};
use crate::key_text::{KeyId, KeyText};

/// The operation for a provider's own endpoints, where objects of all teams are.
const PASSTHROUGH: &str = "passthrough";
/// The longest grace of a rotation.
pub(crate) const MAX_GRACE: SignedDuration = SignedDuration::from_hours(24 * 30);

/// The most keys of a team that its administrators make: each takes memory on every node.
pub(super) const MAX_KEYS_OF_TEAM: usize = 10_000;

/// A command on a key.
#[derive(Debug, Clone)]
pub enum KeyCommand {
    /// Makes a key. Its text is in the result.
    Create(Box<NewKey>),
    /// Takes over a key that another gateway made, by its hash. If it was taken over before, nothing changes.
    Import(Box<NewKey>, KeyHash),
    /// Changes fields.
    Edit(KeyId, Box<KeyEdit>),
    /// Gives a key a new text, under the same id.
    Rotate {
        /// The key.
        id: KeyId,
        /// How long the text before stays valid. Zero ends it at once.
        grace: SignedDuration,
        /// Whether a rotation within the grace of another replaces the newer text, which was perhaps never received.
        /// The text before keeps the end of its grace, or gets an earlier one. Otherwise, a repeated rotation changes
        /// nothing.
        again: bool,
    },
    /// Refuses a key from now on.
    Disable(KeyId),
    /// Accepts it again.
    Enable(KeyId),
    /// Gives it to another team.
    Move {
        /// The key.
        id: KeyId,
        /// The team; none if unset.
        team: Option<TeamId>,
    },
    /// Deletes it.
    Delete(KeyId),
}

/// What a new key is to have.
#[derive(Debug, Clone, Default)]
pub struct NewKey {
    /// A name, unique within the team.
    pub name: String,
    /// Who it belongs to.
    pub owner: Owner,
    /// When it expires.
    pub expires: Option<Timestamp>,
    /// Rights, limits, budgets, tags, aliases.
    pub terms: Terms,
    /// What it may do at the admin interface.
    pub grants: Vec<Grant>,
    /// Free data.
    pub metadata: Metadata,
    /// Whether it is refused until it is enabled.
    pub disabled: bool,
}

/// Fields to change; those that are unset stay.
#[derive(Debug, Clone, Default)]
pub struct KeyEdit {
    /// The name that lists and logs show.
    pub name: Option<String>,
    /// The user; `Some(None)` for none.
    pub user: Option<Option<UserId>>,
    /// When it expires; `Some(None)` for never.
    pub expires: Option<Option<Timestamp>>,
    /// Rights, limits, budgets, tags, aliases.
    pub terms: Option<Terms>,
    /// What it may do at the admin interface.
    pub grants: Option<Vec<Grant>>,
    /// Free data.
    pub metadata: Option<Metadata>,
}

impl KeyCommand {
    pub(super) fn run(self, stored: &impl Stored, context: &Context) -> Result<Changed, ChangeError> {
        match self {
            Self::Create(new) => {
                let text = KeyText::generate()?;
                let mut changed = create(*new, text.id(), text.hash(), Action::Create, stored, context)?;
                changed.issued = Some(text);
                Ok(changed)
            }
            Self::Import(new, hash) => import(*new, hash, stored, context),
            Self::Edit(id, edit) => {
                change(id, Action::Edit, stored, context, |key| edit.carry_out(key, stored, context))
            }
            Self::Rotate { id, grace, again } => rotate(id, grace, again, stored, context),
            Self::Disable(id) => set_disabled(id, true, stored, context),
            Self::Enable(id) => set_disabled(id, false, stored, context),
            Self::Move { id, team } => change(id, Action::Move, stored, context, |key| {
                context.may_write(team.as_ref())?;
                // What its team had, the key may have by its own name, which the other team need not have.
                let terms = key.terms();
                let without = Terms { operations: None, ..terms.clone() };
                beyond(&terms, &without, team.as_ref(), stored, context)?;
                if key.owner.team != team {
                    check_count(team.as_ref(), stored, context)?;
                }
                key.owner.team = team;
                check_owner(key, stored)?;
                check_name(key, stored)
            }),
            Self::Delete(id) => delete(Kind::Key, id.as_str(), stored, context, || {
                let (key, revision) = found(id, stored, context)?;
                Ok((Document::Key(key), revision))
            }),
        }
    }
}

impl KeyEdit {
    fn carry_out(self, key: &mut Key, stored: &impl Stored, context: &Context) -> Result<(), ChangeError> {
        if let Some(grants) = self.grants.filter(|grants| *grants != key.grants) {
            context.may_give(&grants)?;
            key.grants = grants;
        }
        if let Some(user) = self.user.filter(|user| *user != key.owner.user) {
            context.may_reach_beyond("owner.user")?;
            key.owner.user = user;
            check_owner(key, stored)?;
        }
        if let Some(name) = self.name {
            key.name = name;
            check_name(key, stored)?;
        }
        if let Some(expires) = self.expires {
            key.expires = expires;
        }
        if let Some(terms) = self.terms {
            beyond(&terms, &key.terms(), key.owner.team.as_ref(), stored, context)?;
            key.set_terms(terms);
        }
        if let Some(metadata) = self.metadata {
            key.metadata = metadata;
        }
        Ok(())
    }
}

/// Refuses changes of what counts beyond a key's team, if the caller may change the team only. Such are the operations
/// that a key has by their full name alone, unless the team or its organisation has them.
fn beyond(
    terms: &Terms,
    before: &Terms,
    team: Option<&TeamId>,
    stored: &impl Stored,
    context: &Context,
) -> Result<(), ChangeError> {
    let is_added = |name: &str| terms.names_operation(name) && !before.names_operation(name);
    let changed = [
        ("tags", terms.tags != before.tags),
        ("priority", terms.priority != before.priority),
        ("may_choose", terms.may_choose != before.may_choose),
        (PASSTHROUGH, is_added(PASSTHROUGH) && !team.is_some_and(|team| is_named_for(team, PASSTHROUGH, stored))),
    ];
    changed.into_iter().filter(|(_, is_changed)| *is_changed).try_for_each(|(name, _)| context.may_reach_beyond(name))
}

/// Whether a team, or its organisation, names an operation in full.
fn is_named_for(team: &TeamId, operation: &str, stored: &impl Stored) -> bool {
    let Some((team, _)) = stored.team(team) else { return false };
    let organisation = || team.organisation.as_ref().and_then(|organisation| stored.organisation(organisation));
    team.terms().names_operation(operation)
        || organisation().is_some_and(|(organisation, _)| organisation.terms().names_operation(operation))
}

fn create(
    new: NewKey,
    id: KeyId,
    hash: KeyHash,
    action: Action,
    stored: &impl Stored,
    context: &Context,
) -> Result<Changed, ChangeError> {
    context.may_write(new.owner.team.as_ref())?;
    context.may_give(&new.grants)?;
    if new.owner.user.is_some() {
        context.may_reach_beyond("owner.user")?;
    }
    beyond(&new.terms, &Terms::default(), new.owner.team.as_ref(), stored, context)?;
    context.precondition.check(None)?;
    if stored.key(id).is_some() {
        return Err(ChangeError::Exists(Kind::Key));
    }
    if new.expires.is_some_and(|expires| expires <= context.now) {
        return Err(ChangeError::Invalid(Invalid::new("expires", "is in the past")));
    }
    let mut key = Key {
        schema: Schema,
        id,
        hash,
        name: new.name,
        owner: new.owner,
        created: context.now,
        expires: new.expires,
        disabled: new.disabled,
        rotated: None,
        grants: new.grants,
        models: None,
        operations: None,
        limits: crate::document::Limits::default(),
        budgets: Vec::new(),
        tags: std::collections::BTreeSet::new(),
        aliases: std::collections::BTreeMap::new(),
        priority: None,
        may_choose: None,
        metadata: new.metadata,
    };
    key.set_terms(new.terms);
    check_owner(&key, stored)?;
    check_count(key.owner.team.as_ref(), stored, context)?;
    check_name(&key, stored)?;
    Ok(context.change(action, None, Some(Document::Key(key))))
}

fn import(new: NewKey, hash: KeyHash, stored: &impl Stored, context: &Context) -> Result<Changed, ChangeError> {
    let Some(known) = stored.key_of_hash(&hash) else {
        return create(new, KeyId::generate()?, hash, Action::Import, stored, context);
    };
    let (key, revision) = found(known, stored, context)?;
    if key.owner != new.owner || key.name != new.name {
        return Err(ChangeError::HashTaken(known));
    }
    let same = Document::Key(key);
    Ok(context.change(Action::Import, Some((same.clone(), revision)), Some(same)))
}

fn rotate(
    id: KeyId,
    grace: SignedDuration,
    again: bool,
    stored: &impl Stored,
    context: &Context,
) -> Result<Changed, ChangeError> {
    if grace.is_negative() || grace > MAX_GRACE {
        return Err(ChangeError::Invalid(Invalid::new("grace", "a grace is 0 seconds to 30 days")));
    }
    let text = KeyText::generate_for(id)?;
    let now = context.now;
    let mut changed = change(id, Action::Rotate, stored, context, |key| {
        if let Some(at) = key.expires.filter(|at| now >= *at) {
            return Err(ChangeError::Expired(at));
        }
        let grace_ends = now.checked_add(grace).unwrap_or(Timestamp::MAX);
        match &mut key.rotated {
            Some(Rotation { at, grace_ends, .. }) if now < *grace_ends && !again => {
                return Err(ChangeError::AlreadyRotated { at: *at, grace_ends: *grace_ends });
            }
            // The text before stays the one that clients have for certain, and its grace becomes no longer.
            Some(rotation) if now < rotation.grace_ends => rotation.grace_ends = rotation.grace_ends.min(grace_ends),
            rotated => *rotated = Some(Rotation { at: now, previous: key.hash, grace_ends }),
        }
        key.hash = text.hash();
        Ok(())
    })?;
    changed.issued = Some(text);
    Ok(changed)
}

fn set_disabled(id: KeyId, disabled: bool, stored: &impl Stored, context: &Context) -> Result<Changed, ChangeError> {
    let action = if disabled { Action::Disable } else { Action::Enable };
    change(id, action, stored, context, |key| {
        key.disabled = disabled;
        Ok(())
    })
}

/// Changes a key that exists.
fn change(
    id: KeyId,
    action: Action,
    stored: &impl Stored,
    context: &Context,
    act: impl FnOnce(&mut Key) -> Result<(), ChangeError>,
) -> Result<Changed, ChangeError> {
    let (before, revision) = found(id, stored, context)?;
    let mut after = before.clone();
    act(&mut after)?;
    Ok(context.change(action, Some((Document::Key(before), revision)), Some(Document::Key(after))))
}

/// The key, if the actor may change it. Keys of other teams are not found, so that their ids cannot be guessed. Rights
/// at the admin interface that are more than the actor's own make a key untouchable: a new text of it would be a way
/// up.
fn found(id: KeyId, stored: &impl Stored, context: &Context) -> Result<(Key, Revision), ChangeError> {
    let key = stored.key(id);
    let may = |key: &Key| context.may_write(key.owner.team.as_ref()).is_ok();
    if !key.as_ref().is_some_and(|(key, _)| may(key)) {
        return Err(ChangeError::NotFound(Kind::Key));
    }
    let (key, revision) = existing(key, Kind::Key, context)?;
    context.may_give(&key.grants)?;
    Ok((key, revision))
}

fn check_owner(key: &Key, stored: &impl Stored) -> Result<(), ChangeError> {
    if let Some(team) = key.owner.team.as_ref().filter(|team| stored.team(team).is_none()) {
        return Err(ChangeError::OwnerMissing(Kind::Team, team.to_string()));
    }
    if let Some(user) = key.owner.user.as_ref().filter(|user| stored.user(user).is_none()) {
        return Err(ChangeError::OwnerMissing(Kind::User, user.to_string()));
    }
    Ok(())
}

/// Refuses one more key of a team that has the most already, if the caller may change the team only.
fn check_count(team: Option<&TeamId>, stored: &impl Stored, context: &Context) -> Result<(), ChangeError> {
    let Some(team) = team.filter(|_| context.may_write(None).is_err()) else { return Ok(()) };
    let most = MAX_KEYS_OF_TEAM;
    if stored.keys_of_team(team).len() >= most { Err(ChangeError::TooManyKeys { most }) } else { Ok(()) }
}

fn check_name(key: &Key, stored: &impl Stored) -> Result<(), ChangeError> {
    let other = stored.key_named(key.owner.team.as_ref(), &key.name).filter(|other| *other != key.id);
    let taken = |id| ChangeError::NameTaken { name: key.name.clone(), in_team: key.owner.team.is_some(), id };
    other.map_or(Ok(()), |other| Err(taken(other)))
}
