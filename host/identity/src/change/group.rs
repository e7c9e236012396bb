//! Commands on teams and organisations.

use super::{Action, ChangeError, Changed, Context, Expected, Revision, Stored, Write, delete, existing};
use crate::document::{Document, Grant, Kind, Organisation, OrganisationId, Team, TeamId};
use crate::key_text::KeyId;

/// A command on a team or an organisation. `Put` creates or replaces; with `Precondition::Absent` it only creates.
#[derive(Debug, Clone)]
pub enum GroupCommand {
    /// Creates or replaces a team. The time of its creation stays.
    PutTeam(Box<Team>),
    /// Deletes a team.
    DeleteTeam(TeamId, KeysOfTeam),
    /// Creates or replaces an organisation. The time of its creation stays.
    PutOrganisation(Box<Organisation>),
    /// Deletes an organisation without teams.
    DeleteOrganisation(OrganisationId),
}

/// What becomes of the keys of a team that is deleted. There is no way to leave them: without the team's limits, they
/// would have more rights than before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeysOfTeam {
    /// A team with keys is not deleted.
    Refuse,
    /// They are deleted.
    Delete,
}

impl GroupCommand {
    pub(super) fn run(self, stored: &impl Stored, context: &Context) -> Result<Changed, ChangeError> {
        match self {
            Self::PutTeam(team) => put_team(*team, stored, context),
            Self::DeleteTeam(id, keys) => delete_team(&id, keys, stored, context),
            Self::PutOrganisation(organisation) => put_organisation(*organisation, stored, context),
            Self::DeleteOrganisation(id) => {
                context.may_write(None)?;
                let changed = delete(Kind::Organisation, id.as_str(), stored, context, || {
                    let (found, revision) = existing(stored.organisation(&id), Kind::Organisation, context)?;
                    Ok((Document::Organisation(found), revision))
                })?;
                match stored.teams_of(&id) {
                    0 => Ok(changed),
                    count => Err(ChangeError::InUse { kind: Kind::Team, count }),
                }
            }
        }
    }
}

/// Teams are changed by those who may write everything: a team's own administrators do not raise its limits.
fn put_team(mut team: Team, stored: &impl Stored, context: &Context) -> Result<Changed, ChangeError> {
    context.may_write(None)?;
    let before = stored.team(&team.id);
    context.precondition.check(before.as_ref().map(|(_, revision)| *revision))?;
    if let Some(id) = team.organisation.as_ref().filter(|id| stored.organisation(id).is_none()) {
        return Err(ChangeError::OwnerMissing(Kind::Organisation, id.to_string()));
    }
    team.created = before.as_ref().map_or(context.now, |(team, _)| team.created);
    let action = action(before.as_ref().map(|(before, _)| before.disabled), team.disabled);
    let before = before.map(|(before, revision)| (Document::Team(before), revision));
    Ok(context.change(action, before, Some(Document::Team(team))))
}

fn put_organisation(
    mut organisation: Organisation,
    stored: &impl Stored,
    context: &Context,
) -> Result<Changed, ChangeError> {
    context.may_write(None)?;
    let before = stored.organisation(&organisation.id);
    context.precondition.check(before.as_ref().map(|(_, revision)| *revision))?;
    organisation.created = before.as_ref().map_or(context.now, |(before, _)| before.created);
    let action = action(before.as_ref().map(|(before, _)| before.disabled), organisation.disabled);
    let before = before.map(|(before, revision)| (Document::Organisation(before), revision));
    Ok(context.change(action, before, Some(Document::Organisation(organisation))))
}

fn delete_team(id: &TeamId, keys: KeysOfTeam, stored: &impl Stored, context: &Context) -> Result<Changed, ChangeError> {
    context.may_write(None)?;
    let mut changed = delete(Kind::Team, id.as_str(), stored, context, || {
        let (team, revision) = existing(stored.team(id), Kind::Team, context)?;
        Ok((Document::Team(team), revision))
    })?;
    let ids = stored.keys_of_team(id);
    if !ids.is_empty() && keys == KeysOfTeam::Refuse {
        return Err(ChangeError::InUse { kind: Kind::Key, count: ids.len() });
    }
    for key in &ids {
        let expected = stored.key(*key).map_or(Expected::Absent, |(_, revision)| Expected::At(revision));
        changed.writes.push(Write { kind: Kind::Key, id: key.to_string(), document: None, expected });
    }
    changed.event.keys = ids.iter().map(ToString::to_string).collect();
    changed.writes.extend(without_grants(id, &ids, stored));
    Ok(changed)
}

/// Takes away what others may do with a team that is deleted: the next team of this id is not theirs. `deleted` keys
/// are gone with it.
fn without_grants(team: &TeamId, deleted: &[KeyId], stored: &impl Stored) -> Vec<Write> {
    let of_others = |grant: &Grant| grant.team.as_ref() != Some(team);
    let keys = stored.keys_granted(team).into_iter().filter(|id| !deleted.contains(id)).filter_map(|id| {
        let (mut key, revision) = stored.key(id)?;
        key.grants.retain(of_others);
        Some((Document::Key(key), revision))
    });
    let users = stored.users_granted(team).into_iter().filter_map(|id| {
        let (mut user, revision) = stored.user(&id)?;
        user.grants.retain(of_others);
        Some((Document::User(user), revision))
    });
    let write = |(document, revision): (Document, Revision)| Write {
        kind: document.kind(),
        id: document.id().to_owned(),
        document: Some(document),
        expected: Expected::At(revision),
    };
    keys.chain(users).map(write).collect()
}

/// What a replacement means, by whether it was disabled before and is now.
pub(super) fn action(before: Option<bool>, now: bool) -> Action {
    match (before, now) {
        (None, _) => Action::Create,
        (Some(false), true) => Action::Disable,
        (Some(true), false) => Action::Enable,
        _ => Action::Edit,
    }
}
