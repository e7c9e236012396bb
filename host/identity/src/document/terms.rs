//! What a key, a team and an organisation have in common: rights, limits, budgets, tags and aliases.

use std::collections::{BTreeMap, BTreeSet};

use super::check::{count, text};
use super::{Budget, Invalid, Limits, Pattern, Priority};

const MAX_PATTERNS: usize = 1_000;
const MAX_BUDGETS: usize = 32;
const MAX_TAGS: usize = 64;
const MAX_ALIASES: usize = 1_000;

/// Rights, limits, budgets, tags and aliases of a key, a team or an organisation. Keys with equal terms share one copy.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Terms {
    /// The models that may be used; all if unset, none if empty.
    pub models: Option<Vec<Pattern>>,
    /// The operations that may be used, as in `[[clients]]`.
    pub operations: Option<Vec<Pattern>>,
    /// Rate limits.
    pub limits: Limits,
    /// Amounts that may be used in a window of time.
    pub budgets: Vec<Budget>,
    /// Tags of each request's facts and budgets.
    pub tags: BTreeSet<String>,
    /// Names for models that only this key, team or organisation has: from the name that a client uses to a model.
    pub aliases: BTreeMap<String, String>,
    /// The order in queues; unset, that of the team, then of the organisation.
    pub priority: Option<Priority>,
    /// Whether requests may name their target; unset, as the team, then the organisation. None may by default.
    pub may_choose: Option<bool>,
}

impl Terms {
    /// Whether a model may be used.
    pub(crate) fn allows_model(&self, model: &str) -> bool {
        self.models.as_ref().is_none_or(|models| models.iter().any(|pattern| pattern.matches(model)))
    }

    /// Whether an operation may be used in a request with or without a model's name. Restricted to some models, only
    /// operations that name a model may be used, unless `operations` allows others.
    pub(crate) fn allows_operation(&self, operation: &str, names_a_model: bool) -> bool {
        match &self.operations {
            Some(allowed) => allowed.iter().any(|pattern| pattern.matches(operation)),
            None => names_a_model || self.models.is_none(),
        }
    }

    /// Whether an operation may be used that shows what other callers made. Restricted terms have to name it in full.
    pub(crate) fn allows_list(&self, operation: &str) -> bool {
        let is_restricted = self.models.is_some() || self.operations.is_some();
        !is_restricted || self.names_operation(operation)
    }

    /// Whether an operation is named in full.
    pub(crate) fn names_operation(&self, operation: &str) -> bool {
        self.operations.iter().flatten().filter_map(Pattern::exact).any(|name| name == operation)
    }

    pub(super) fn check(&self) -> Result<(), Invalid> {
        count("models", self.models.as_ref().map_or(0, Vec::len), MAX_PATTERNS)?;
        count("operations", self.operations.as_ref().map_or(0, Vec::len), MAX_PATTERNS)?;
        count("budgets", self.budgets.len(), MAX_BUDGETS)?;
        count("tags", self.tags.len(), MAX_TAGS)?;
        count("aliases", self.aliases.len(), MAX_ALIASES)?;
        self.limits.check()?;
        for budget in &self.budgets {
            budget.check()?;
        }
        let names: BTreeSet<&str> = self.budgets.iter().map(|budget| budget.name.as_str()).collect();
        if names.len() != self.budgets.len() {
            return Err(Invalid::new("budgets", "two budgets have one name"));
        }
        for tag in &self.tags {
            text("tags", tag, 1, 128)?;
        }
        for (alias, model) in &self.aliases {
            text("aliases", alias, 1, 256)?;
            text("aliases", model, 1, 256)?;
        }
        Ok(())
    }
}

/// Declares a document: its own fields, and those of [`Terms`] beside them, since a flattened struct could not refuse
/// unknown fields.
macro_rules! with_terms {
    (
        $(#[$meta:meta])*
        pub struct $name:ident {
            $($(#[$field_meta:meta])* pub $field:ident: $kind:ty,)*
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            /// The version of the document's fields.
            pub schema: $crate::document::Schema,
            $($(#[$field_meta])* pub $field: $kind,)*
            /// The models that may be used; all if unset, none if empty.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub models: Option<Vec<$crate::document::Pattern>>,
            /// The operations that may be used, as in `[[clients]]`.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub operations: Option<Vec<$crate::document::Pattern>>,
            /// Rate limits.
            #[serde(default, skip_serializing_if = "crate::document::Limits::is_empty")]
            pub limits: $crate::document::Limits,
            /// Amounts that may be used in a window of time.
            #[serde(default, skip_serializing_if = "Vec::is_empty")]
            pub budgets: Vec<$crate::document::Budget>,
            /// Tags of each request's facts and budgets.
            #[serde(default, skip_serializing_if = "std::collections::BTreeSet::is_empty")]
            pub tags: std::collections::BTreeSet<String>,
            /// Names for models: from the name that a client uses to a model.
            #[serde(default, skip_serializing_if = "std::collections::BTreeMap::is_empty")]
            pub aliases: std::collections::BTreeMap<String, String>,
            /// The order in queues; unset, that of the team, then of the organisation.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub priority: Option<$crate::document::Priority>,
            /// Whether requests may name their target; unset, as the team, then the organisation. None may by default.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub may_choose: Option<bool>,
            /// Free data.
            #[serde(default, skip_serializing_if = "crate::document::Metadata::is_empty")]
            pub metadata: $crate::document::Metadata,
        }

        impl $name {
            /// The fields that keys, teams and organisations have in common.
            pub fn terms(&self) -> $crate::document::Terms {
                $crate::document::Terms {
                    models: self.models.clone(),
                    operations: self.operations.clone(),
                    limits: self.limits,
                    budgets: self.budgets.clone(),
                    tags: self.tags.clone(),
                    aliases: self.aliases.clone(),
                    priority: self.priority,
                    may_choose: self.may_choose,
                }
            }
        }
    };
}
pub(super) use with_terms;
