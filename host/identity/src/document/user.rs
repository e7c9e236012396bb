//! The document of a user.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::check::{count, metadata, text};
use super::{Grant, Invalid, Metadata, Schema, TeamId, UserId, grant};

/// A person who owns keys or uses the admin interface.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// The version of the document's fields.
    pub schema: Schema,
    /// Names the user in urls and keys.
    pub id: UserId,
    /// A name for people.
    pub name: String,
    /// An address. It does not identify a user: only a [`Login`] does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Accounts at identity providers that are this user.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub logins: BTreeSet<Login>,
    /// The teams that the user belongs to.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub teams: BTreeSet<TeamId>,
    /// What the user may do at the admin interface.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub grants: Vec<Grant>,
    /// When the user was created.
    pub created: Timestamp,
    /// Whether the user and all its keys are refused.
    #[serde(default)]
    pub disabled: bool,
    /// Free data.
    #[serde(default, skip_serializing_if = "Metadata::is_empty")]
    pub metadata: Metadata,
}

/// An account at an identity provider. `sub` is unique for one issuer only.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Login {
    /// The issuer, as in tokens (`iss`).
    pub issuer: String,
    /// The subject, as in tokens (`sub`).
    pub subject: String,
}

impl User {
    /// Checks the bounds of all values.
    ///
    /// # Errors
    ///
    /// Names the first value outside of its bounds.
    pub fn check(&self) -> Result<(), Invalid> {
        text("name", &self.name, 1, 256)?;
        if let Some(email) = &self.email {
            text("email", email, 3, 320)?;
        }
        count("logins", self.logins.len(), 16)?;
        for login in &self.logins {
            text("logins.issuer", &login.issuer, 1, 512)?;
            text("logins.subject", &login.subject, 1, 256)?;
        }
        count("teams", self.teams.len(), 256)?;
        grant::check(&self.grants)?;
        metadata(&self.metadata)
    }
}
