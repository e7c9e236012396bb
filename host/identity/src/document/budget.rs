//! Budgets that stand at a key, a team or an organisation. Amounts and periods are texts here: the ledger parses them.

use serde::{Deserialize, Serialize};

use super::Invalid;
use super::check::{is_decimal, text};
use super::decimal::decimal;

/// A budget whose scope is the document at which it stands. Exactly one of `usd`, `tokens` and `requests` is set.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// Its name in errors and metrics.
    pub name: String,
    /// Dollars, as a decimal number: `"12.50"`.
    #[serde(default, deserialize_with = "decimal", skip_serializing_if = "Option::is_none")]
    pub usd: Option<String>,
    /// The most tokens in one window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<u64>,
    /// The most requests in one window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests: Option<u64>,
    /// The window: `"minute"`, `"hour"`, `"day"`, `"week"`, `"month"`, `"total"`, or a length such as `"30d"`.
    pub per: String,
    /// The time zone in which days begin, such as `"Europe/Berlin"`; UTC if unset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tz: Option<String>,
    /// The share from which on answers carry a warning: `"0.8"`.
    #[serde(default, deserialize_with = "decimal", skip_serializing_if = "Option::is_none")]
    pub soft: Option<String>,
    /// What happens to requests without room.
    #[serde(default)]
    pub when_over: WhenOver,
    /// What happens to requests without a price.
    #[serde(default)]
    pub unpriced: WhenUnpriced,
    /// The share at which a running stream is ended: `"1.2"`. Streams finish if it is unset.
    #[serde(default, deserialize_with = "decimal", skip_serializing_if = "Option::is_none")]
    pub abort_at: Option<String>,
}

/// What happens to requests for which a budget has no room.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhenOver {
    /// They are refused.
    #[default]
    Refuse,
    /// They go to this model.
    Downgrade(String),
    /// They are admitted, with an event.
    Notify,
}

/// What happens under a budget to requests for models without a price.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhenUnpriced {
    /// They are refused.
    #[default]
    Refuse,
    /// They are admitted and cost nothing here.
    Allow,
    /// They are admitted, and a million tokens cost these dollars.
    Assume(String),
}

impl Budget {
    pub(super) fn check(&self) -> Result<(), Invalid> {
        text("budgets.name", &self.name, 1, 128)?;
        text("budgets.per", &self.per, 1, 32)?;
        if let Some(zone) = &self.tz {
            text("budgets.tz", zone, 1, 64)?;
        }
        let set = [self.usd.is_some(), self.tokens.is_some(), self.requests.is_some()];
        if set.iter().filter(|set| **set).count() != 1 {
            return Err(Invalid::new("budgets", "exactly one of usd, tokens and requests is set"));
        }
        let decimals = [("budgets.usd", &self.usd), ("budgets.soft", &self.soft), ("budgets.abort_at", &self.abort_at)];
        let assumed = match &self.unpriced {
            WhenUnpriced::Assume(price) => Some(price),
            _ => None,
        };
        let decimals = decimals.into_iter().filter_map(|(field, text)| Some((field, text.as_ref()?)));
        match decimals.chain(assumed.map(|text| ("budgets.unpriced", text))).find(|(_, text)| !is_decimal(text)) {
            Some((field, _)) => Err(Invalid::new(field, "not a decimal number such as 12.50")),
            None => Ok(()),
        }
    }
}
