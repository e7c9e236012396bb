//! Commands on users.

use super::group::action;
use super::{ChangeError, Changed, Context, Stored, delete, existing};
use crate::document::{Document, Kind, TeamId, User, UserId};

/// A command on a user.
#[derive(Debug, Clone)]
pub enum UserCommand {
    /// Creates or replaces a user. The time of its creation stays.
    Put(Box<User>),
    /// Deletes a user without keys.
    Delete(UserId),
}

impl UserCommand {
    pub(super) fn run(self, stored: &impl Stored, context: &Context) -> Result<Changed, ChangeError> {
        context.may_write(None)?;
        match self {
            Self::Put(user) => put(*user, stored, context),
            Self::Delete(id) => {
                let changed = delete(Kind::User, id.as_str(), stored, context, || {
                    let (user, revision) = existing(stored.user(&id), Kind::User, context)?;
                    Ok((Document::User(user), revision))
                })?;
                match stored.keys_of_user(&id).len() {
                    0 => Ok(changed),
                    count => Err(ChangeError::InUse { kind: Kind::Key, count }),
                }
            }
        }
    }
}

fn put(mut user: User, stored: &impl Stored, context: &Context) -> Result<Changed, ChangeError> {
    let before = stored.user(&user.id);
    context.precondition.check(before.as_ref().map(|(_, revision)| *revision))?;
    context.may_give(&user.grants)?;
    // A team of before may have been deleted since: its user must be disabled all the same.
    let is_new = |team: &&TeamId| before.as_ref().is_none_or(|(known, _)| !known.teams.contains(*team));
    if let Some(team) = user.teams.iter().filter(is_new).find(|team| stored.team(team).is_none()) {
        return Err(ChangeError::OwnerMissing(Kind::Team, team.to_string()));
    }
    let owners = user.logins.iter().filter_map(|login| stored.user_of_login(login));
    if owners.into_iter().any(|owner| owner != user.id) {
        return Err(ChangeError::LoginTaken);
    }
    user.created = before.as_ref().map_or(context.now, |(before, _)| before.created);
    let action = action(before.as_ref().map(|(before, _)| before.disabled), user.disabled);
    let before = before.map(|(before, revision)| (Document::User(before), revision));
    Ok(context.change(action, before, Some(Document::User(user))))
}
