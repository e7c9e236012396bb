//! Why a change is refused.

use jiff::Timestamp;

use super::Revision;
use crate::document::{Invalid, Kind};
use crate::key_text::{KeyId, NoRandomNumbers};

/// A change that is not made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// The actor may not do this.
    #[error("your grants do not allow this: ask an administrator for wider ones")]
    Forbidden,
    /// The actor's grants are for teams, and this field counts beyond a team.
    #[error("`{0}` is set and changed only with a grant for everything, since it counts beyond the key's team")]
    BeyondTeam(&'static str),
    /// There is no such document.
    #[error("there is no such {}", .0.name())]
    NotFound(Kind),
    /// There is one with this id already.
    #[error("there is already a {} with this id", .0.name())]
    Exists(Kind),
    /// It was changed in between.
    #[error("it was changed in between: read it again, then repeat the change with its new ETag")]
    VersionConflict {
        /// The revision that is stored; `None` if it does not exist.
        stored: Option<Revision>,
    },
    /// Another key of the team has this name.
    #[error("a key called `{name}` exists {} already ({id})", if *.in_team { "in this team" } else { "without a team" })]
    NameTaken {
        /// What both are called.
        name: String,
        /// Whether both are of a team.
        in_team: bool,
        /// The other key.
        id: KeyId,
    },
    /// Another key has this hash.
    #[error("the key {0} has the same text")]
    HashTaken(KeyId),
    /// Another user has this account.
    #[error("another user has this account at the identity provider")]
    LoginTaken,
    /// The team has as many keys as its administrators may make.
    #[error(
        "the team has {most} keys, as many as its administrators may make: delete some, or ask for a grant for everything"
    )]
    TooManyKeys {
        /// How many these are.
        most: usize,
    },
    /// What a document refers to does not exist; with its id.
    #[error("there is no {} `{}` to belong to: make it first", .0.name(), .1)]
    OwnerMissing(Kind, String),
    /// The key was rotated, and the text before is still valid.
    #[error(
        "the key was rotated at {at}, and the previous key stays valid until {grace_ends}; `again` (`--again` of `weir keys \
         rotate`) replaces the newer one"
    )]
    AlreadyRotated {
        /// When it was rotated.
        at: Timestamp,
        /// Until when the text before is valid.
        grace_ends: Timestamp,
    },
    /// An expired key is not rotated.
    #[error("the key expired at {0}")]
    Expired(Timestamp),
    /// Others belong to it.
    #[error("{}", in_use(*.kind, *.count))]
    InUse {
        /// What those are that belong to it.
        kind: Kind,
        /// How many.
        count: usize,
    },
    /// It stands in a file, which only its operator changes.
    #[error("the {} stands in {place}: change it there", .kind.name())]
    ReadOnly {
        /// What stands there.
        kind: Kind,
        /// The file and the line.
        place: String,
    },
    /// A value is outside of its bounds.
    #[error("{0}")]
    Invalid(Invalid),
    /// There are no random numbers for a key.
    #[error("{0}")]
    NoRandomNumbers(NoRandomNumbers),
}

impl ChangeError {
    /// The code in answers. Codes do not change.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Forbidden | Self::BeyondTeam(_) => "forbidden",
            Self::NotFound(_) => "not_found",
            Self::Exists(_) => "already_exists",
            Self::VersionConflict { .. } => "version_conflict",
            Self::NameTaken { .. } => "name_taken",
            Self::HashTaken(_) => "key_taken",
            Self::TooManyKeys { .. } => "too_many_keys",
            Self::LoginTaken => "login_taken",
            Self::OwnerMissing(..) => "owner_not_found",
            Self::AlreadyRotated { .. } => "already_rotated",
            Self::Expired(_) => "expired",
            Self::InUse { .. } => "in_use",
            Self::ReadOnly { .. } => "read_only",
            Self::Invalid(_) => "invalid",
            Self::NoRandomNumbers(_) => "no_random_numbers",
        }
    }

    /// The HTTP status.
    pub fn status(&self) -> u16 {
        match self {
            Self::Forbidden | Self::BeyondTeam(_) => 403,
            Self::NotFound(_) => 404,
            Self::OwnerMissing(..) | Self::Invalid(_) => 422,
            Self::NoRandomNumbers(_) => 500,
            _ => 409,
        }
    }
}

fn in_use(kind: Kind, count: usize) -> String {
    let (name, hint) = match kind {
        Kind::Key => ("key", " (`weir teams delete --with-keys` deletes a team's)"),
        _ => ("team", ""),
    };
    match count {
        1 => format!("1 {name} belongs to it: move or delete it first{hint}"),
        _ => format!("{count} {name}s belong to it: move or delete them first{hint}"),
    }
}

impl From<NoRandomNumbers> for ChangeError {
    fn from(error: NoRandomNumbers) -> Self {
        Self::NoRandomNumbers(error)
    }
}
