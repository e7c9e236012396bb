//! The document of a budget that stands alone, and names whose use it counts.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::check::{metadata, text};
use super::decimal::decimal;
use super::{Budget, BudgetId, Invalid, Metadata, Schema, WhenOver, WhenUnpriced};

/// A budget of the store beside those of the configuration, with the same fields. Exactly one of `usd`, `tokens` and
/// `requests` is set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScopedBudget {
    /// The version of the document's fields.
    pub schema: Schema,
    /// Its name in urls, errors and metrics.
    pub id: BudgetId,
    /// Whose use counts. It never changes: what was counted is that use.
    #[serde(rename = "for")]
    pub scope: BudgetScope,
    /// When it was created.
    pub created: Timestamp,
    /// Dollars, as a decimal number: `"12.50"`.
    #[serde(default, deserialize_with = "decimal", skip_serializing_if = "Option::is_none")]
    pub usd: Option<String>,
    /// The most tokens in one window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<u64>,
    /// The most requests in one window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests: Option<u64>,
    /// The window, as in [`Budget::per`].
    pub per: String,
    /// The time zone in which days begin; UTC if unset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tz: Option<String>,
    /// The share from which on answers carry a warning.
    #[serde(default, deserialize_with = "decimal", skip_serializing_if = "Option::is_none")]
    pub soft: Option<String>,
    /// What happens to requests without room.
    #[serde(default)]
    pub when_over: WhenOver,
    /// What happens to requests without a price.
    #[serde(default)]
    pub unpriced: WhenUnpriced,
    /// The share at which a running stream is ended. Streams finish if it is unset.
    #[serde(default, deserialize_with = "decimal", skip_serializing_if = "Option::is_none")]
    pub abort_at: Option<String>,
    /// Free data.
    #[serde(default, skip_serializing_if = "Metadata::is_empty")]
    pub metadata: Metadata,
}

/// Whose use counts against a budget: `"all"`, or a table with one member.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BudgetScope {
    /// All requests.
    All,
    /// Use by one key: the id of a key of the store, or the name of a client of the configuration.
    Key(String),
    /// Use by a team.
    Team(String),
    /// Use by an organisation.
    #[serde(rename = "org")]
    Organisation(String),
    /// Requests with a tag.
    Tag(String),
    /// Requests for a model, by the name that clients use.
    Model(String),
    /// Attempts at a provider.
    Provider(String),
}

impl BudgetScope {
    /// The name of the key, team or other subject; `None` for all requests.
    fn name(&self) -> Option<&str> {
        match self {
            Self::All => None,
            Self::Key(name)
            | Self::Team(name)
            | Self::Organisation(name)
            | Self::Tag(name)
            | Self::Model(name)
            | Self::Provider(name) => Some(name),
        }
    }
}

impl ScopedBudget {
    /// What may be used in a window, as budgets that stand at keys and teams have it.
    pub fn budget(&self) -> Budget {
        Budget {
            name: self.id.to_string(),
            usd: self.usd.clone(),
            tokens: self.tokens,
            requests: self.requests,
            per: self.per.clone(),
            tz: self.tz.clone(),
            soft: self.soft.clone(),
            when_over: self.when_over.clone(),
            unpriced: self.unpriced.clone(),
            abort_at: self.abort_at.clone(),
        }
    }

    /// Checks the bounds of all values.
    ///
    /// # Errors
    ///
    /// Names the first value outside of its bounds.
    pub fn check(&self) -> Result<(), Invalid> {
        if let Some(name) = self.scope.name() {
            text("for", name, 1, 256)?;
        }
        metadata(&self.metadata)?;
        let unnested = |invalid: Invalid| {
            let field = invalid.field.strip_prefix("budgets.").unwrap_or("usd").to_owned();
            Invalid { field, ..invalid }
        };
        self.budget().check().map_err(unnested)
    }
}
