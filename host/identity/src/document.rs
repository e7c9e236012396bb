//! What is stored of keys, teams, organisations, users, budgets and prices: JSON documents that refuse unknown fields
//! and newer schemas.

mod budget;
mod check;
mod decimal;
mod grant;
mod group;
mod key;
mod limits;
mod names;
mod pattern;
mod price_rule;
mod priority;
mod schema;
mod scoped_budget;
mod terms;
#[cfg(test)]
mod tests;
mod user;

use serde_json::Value;

use crate::object;

pub use budget::{Budget, WhenOver, WhenUnpriced};
pub use check::Invalid;
pub use grant::{Access, Grant};
pub use group::{Organisation, Team};
pub use key::{Key, Owner, Rotation};
pub use limits::Limits;
pub use names::{BadName, BudgetId, OrganisationId, PriceId, TeamId, UserId};
pub use pattern::{Pattern, PatternLength};
pub use price_rule::PriceRule;
pub use priority::Priority;
pub use schema::{Schema, UnknownSchema};
pub use scoped_budget::{BudgetScope, ScopedBudget};
pub use terms::Terms;
pub use user::{Login, User};

/// Free data of the operator at a document. It is stored and shown; Weir does not use it.
pub type Metadata = serde_json::Map<String, Value>;

/// A kind of document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Text and rights of one client key.
    Key,
    /// Keys and users with common limits.
    Team,
    /// Teams with common limits.
    Organisation,
    /// A person who logs in.
    User,
    /// An amount that may be used in a window of time.
    Budget,
    /// What models cost.
    Price,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 6] = [Self::Key, Self::Team, Self::Organisation, Self::User, Self::Budget, Self::Price];

    /// Its name in stores, audit entries and errors.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Team => "team",
            Self::Organisation => "organisation",
            Self::User => "user",
            Self::Budget => "budget",
            Self::Price => "price",
        }
    }

    /// Whether requests look such documents up in the directory.
    pub const fn is_in_directory(self) -> bool {
        !matches!(self, Self::Budget | Self::Price)
    }

    /// The kind with this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// A document of any kind.
#[derive(Debug, Clone, PartialEq)]
pub enum Document {
    /// Holds a client key.
    Key(Key),
    /// Holds a group of keys and users.
    Team(Team),
    /// Holds a group of teams.
    Organisation(Organisation),
    /// Holds a person.
    User(User),
    /// Holds a budget that stands alone.
    Budget(ScopedBudget),
    /// Holds prices.
    Price(PriceRule),
}

/// Why stored text is no document.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// It is no JSON of this kind.
    #[error("not a valid {}: {}", .kind.name(), without_place(.error))]
    Json {
        /// The kind that was expected.
        kind: Kind,
        /// What is wrong. It names fields, and shows no hash.
        error: serde_json::Error,
    },
    /// A value is outside of its bounds.
    #[error("not a valid {}: {invalid}", .kind.name())]
    Invalid {
        /// The kind that was expected.
        kind: Kind,
        /// What is wrong.
        invalid: Invalid,
    },
}

impl Document {
    /// Parses and checks a document.
    ///
    /// # Errors
    ///
    /// The text has an unknown field, a newer schema, or a value outside of its bounds.
    pub fn parse(kind: Kind, json: &str) -> Result<Self, DocumentError> {
        let parsed = match kind {
            Kind::Key => serde_json::from_str(json).map(Self::Key),
            Kind::Team => serde_json::from_str(json).map(Self::Team),
            Kind::Organisation => serde_json::from_str(json).map(Self::Organisation),
            Kind::User => serde_json::from_str(json).map(Self::User),
            Kind::Budget => serde_json::from_str(json).map(Self::Budget),
            Kind::Price => serde_json::from_str(json).map(Self::Price),
        };
        Self::checked(kind, parsed)
    }

    /// Reads and checks a document that a person wrote: a list where an object belongs is a mistake.
    ///
    /// # Errors
    ///
    /// The value has an unknown field, a newer schema, or a value outside of its bounds.
    pub fn from_value(kind: Kind, value: Value) -> Result<Self, DocumentError> {
        let read = match kind {
            Kind::Key => object::from_value(value).map(Self::Key),
            Kind::Team => object::from_value(value).map(Self::Team),
            Kind::Organisation => object::from_value(value).map(Self::Organisation),
            Kind::User => object::from_value(value).map(Self::User),
            Kind::Budget => object::from_value(value).map(Self::Budget),
            Kind::Price => object::from_value(value).map(Self::Price),
        };
        Self::checked(kind, read)
    }

    fn checked(kind: Kind, read: Result<Self, serde_json::Error>) -> Result<Self, DocumentError> {
        let document = read.map_err(|error| DocumentError::Json { kind, error })?;
        document.check().map_err(|invalid| DocumentError::Invalid { kind, invalid })?;
        Ok(document)
    }

    /// The text to store. It holds the hashes of keys.
    ///
    /// # Errors
    ///
    /// None occur for documents that were checked.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        match self {
            Self::Key(key) => serde_json::to_string(key),
            Self::Team(team) => serde_json::to_string(team),
            Self::Organisation(organisation) => serde_json::to_string(organisation),
            Self::User(user) => serde_json::to_string(user),
            Self::Budget(budget) => serde_json::to_string(budget),
            Self::Price(price) => serde_json::to_string(price),
        }
    }

    /// The document as readers of the admin interface and the audit log see it: without hashes of keys.
    pub fn public_view(&self) -> Value {
        match self {
            Self::Key(key) => key.public_view(),
            Self::Team(team) => view(team),
            Self::Organisation(organisation) => view(organisation),
            Self::User(user) => view(user),
            Self::Budget(budget) => view(budget),
            Self::Price(price) => view(price),
        }
    }

    /// Names which kind of document this is.
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Key(_) => Kind::Key,
            Self::Team(_) => Kind::Team,
            Self::Organisation(_) => Kind::Organisation,
            Self::User(_) => Kind::User,
            Self::Budget(_) => Kind::Budget,
            Self::Price(_) => Kind::Price,
        }
    }

    /// The id, unique within the kind.
    pub fn id(&self) -> &str {
        match self {
            Self::Key(key) => key.id.as_str(),
            Self::Team(team) => team.id.as_str(),
            Self::Organisation(organisation) => organisation.id.as_str(),
            Self::User(user) => user.id.as_str(),
            Self::Budget(budget) => budget.id.as_str(),
            Self::Price(price) => price.id.as_str(),
        }
    }

    /// Checks the bounds of all values.
    ///
    /// # Errors
    ///
    /// Names the first value outside of its bounds.
    pub fn check(&self) -> Result<(), Invalid> {
        match self {
            Self::Key(key) => key.check(),
            Self::Team(team) => team.check(),
            Self::Organisation(organisation) => organisation.check(),
            Self::User(user) => user.check(),
            Self::Budget(budget) => budget.check(),
            Self::Price(price) => price.check(),
        }
    }
}

/// An error of JSON without its line and column: programs write the text, and a person has no line to look at.
fn without_place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    text.strip_suffix(&place).map_or_else(|| text.clone(), str::to_owned)
}

/// A document as a value. Documents have no maps with other keys than texts, so this does not fail.
fn view(document: &impl serde::Serialize) -> Value {
    serde_json::to_value(document).unwrap_or(Value::Null)
}
