//! The document of a key.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use weir_config::KeyHash;

use super::check::{metadata, text};
use super::terms::with_terms;
use super::{Grant, Invalid, TeamId, Terms, UserId, grant, view};
use crate::hash_text;
use crate::key_text::KeyId;

with_terms! {
    /// A key, as stored: its hash instead of its text.
    pub struct Key {
        /// The public id. It stays when the key is rotated.
        pub id: KeyId,
        /// The SHA-256 of the whole text.
        #[serde(with = "hash_text")]
        pub hash: KeyHash,
        /// A name for people, unique within the team.
        pub name: String,
        /// Who the key belongs to.
        #[serde(default)]
        pub owner: Owner,
        /// When it was created.
        pub created: Timestamp,
        /// From when on it is refused.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub expires: Option<Timestamp>,
        /// Whether it is refused.
        #[serde(default)]
        pub disabled: bool,
        /// The last rotation.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub rotated: Option<Rotation>,
        /// What the key may do at the admin interface; nothing by default.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        pub grants: Vec<Grant>,
    }
}

/// Who a key belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Owner {
    /// The team whose rights, limits and budgets apply too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<TeamId>,
    /// The user. A disabled user's keys are refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<UserId>,
}

/// A rotation: until the grace ends, the text before it is valid too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rotation {
    /// When the key was rotated.
    pub at: Timestamp,
    /// The hash of the text before.
    #[serde(with = "hash_text")]
    pub previous: KeyHash,
    /// From when on that text is refused.
    pub grace_ends: Timestamp,
}

impl Key {
    /// Replaces the fields that keys, teams and organisations have in common.
    pub(crate) fn set_terms(&mut self, terms: Terms) {
        self.models = terms.models;
        self.operations = terms.operations;
        self.limits = terms.limits;
        self.budgets = terms.budgets;
        self.tags = terms.tags;
        self.aliases = terms.aliases;
        self.priority = terms.priority;
        self.may_choose = terms.may_choose;
    }

    /// Checks the bounds of all values.
    ///
    /// # Errors
    ///
    /// Names the first value outside of its bounds.
    pub fn check(&self) -> Result<(), Invalid> {
        text("name", &self.name, 1, 256)?;
        grant::check(&self.grants)?;
        if self.rotated.as_ref().is_some_and(|rotation| rotation.previous.is(&self.hash)) {
            return Err(Invalid::new("rotated", "the text before is the same as now"));
        }
        metadata(&self.metadata)?;
        self.terms().check()
    }

    /// The key without its hashes: for readers of the admin interface and for the audit log.
    pub fn public_view(&self) -> Value {
        let mut value = view(self);
        if let Some(fields) = value.as_object_mut() {
            fields.remove("hash");
            if let Some(rotation) = fields.get_mut("rotated").and_then(Value::as_object_mut) {
                rotation.remove("previous");
            }
        }
        value
    }
}
