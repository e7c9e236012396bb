//! What a user or a key may do at the admin interface.

use serde::{Deserialize, Serialize};

use super::check::count;
use super::{Invalid, TeamId};

/// How much a grant allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// To see everything but hashes of keys.
    Read,
    /// To change everything, too.
    Write,
}

/// Access to everything, or to one team with its keys, budgets and use.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// How much is allowed.
    pub access: Access,
    /// The only team; everything if unset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<TeamId>,
}

impl Grant {
    /// Whether a list of grants allows an access. `team` is the team of what is accessed; what has none, such as an
    /// organisation or a key without a team, needs a grant for everything.
    pub fn allow(grants: &[Self], access: Access, team: Option<&TeamId>) -> bool {
        grants.iter().any(|grant| grant.access >= access && (grant.team.is_none() || grant.team.as_ref() == team))
    }

    /// Whether grants allow to give away another: a caller cannot give more than it has.
    pub(crate) fn may_give(grants: &[Self], given: &Self) -> bool {
        let gives = Self::allow(grants, Access::Write, given.team.as_ref());
        gives && Self::allow(grants, given.access, given.team.as_ref())
    }
}

pub(super) fn check(grants: &[Grant]) -> Result<(), Invalid> {
    count("grants", grants.len(), 256)
}
