//! Ids of teams, organisations, users, budgets and prices, which operators or their identity providers choose.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The longest id in bytes.
const MAX_ID_BYTES: usize = 128;

/// The error for a text that is not an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an id has 1 to {MAX_ID_BYTES} letters (ASCII), digits, or any of . _ - @ : + =")]
pub struct BadName;

fn check(text: &str) -> Result<(), BadName> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._-@:+=".contains(&byte);
    // A name of dots would be a step between folders wherever it becomes part of a path.
    let is_dots = text.bytes().all(|byte| byte == b'.');
    if is_dots || text.len() > MAX_ID_BYTES || !text.bytes().all(fits) { Err(BadName) } else { Ok(()) }
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(into = "String", try_from = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// Parses an id.
            ///
            /// # Errors
            ///
            /// The text is empty, too long, or has other characters than ids.
            pub fn parse(text: &str) -> Result<Self, BadName> {
                check(text)?;
                Ok(Self(Arc::from(text)))
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.as_str().to_owned()
            }
        }

        impl TryFrom<String> for $name {
            type Error = BadName;

            fn try_from(text: String) -> Result<Self, BadName> {
                Self::parse(&text)
            }
        }
    )*};
}

ids! {
    /// By which keys and budgets name a team.
    TeamId;
    /// By which teams and budgets name an organisation.
    OrganisationId;
    /// By which keys name their owner.
    UserId;
    /// By which errors, metrics and urls name a budget.
    BudgetId;
    /// By which bills and urls name a price.
    PriceId;
}
