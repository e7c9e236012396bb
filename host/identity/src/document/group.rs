//! The documents of teams and organisations.

use jiff::Timestamp;

use super::check::{metadata, text};
use super::terms::with_terms;
use super::{Invalid, OrganisationId, TeamId};

with_terms! {
    /// A team. What it may not do, none of its keys may.
    pub struct Team {
        /// Names the team in urls, keys and budgets.
        pub id: TeamId,
        /// A name for people.
        pub name: String,
        /// The organisation whose rights, limits and budgets apply too.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub organisation: Option<OrganisationId>,
        /// When it was created.
        pub created: Timestamp,
        /// Whether all its keys are refused.
        #[serde(default)]
        pub disabled: bool,
    }
}

with_terms! {
    /// An organisation. What it may not do, none of its teams may.
    pub struct Organisation {
        /// Names the organisation in urls and budgets.
        pub id: OrganisationId,
        /// A name for people.
        pub name: String,
        /// When it was created.
        pub created: Timestamp,
        /// Whether all keys of its teams are refused.
        #[serde(default)]
        pub disabled: bool,
    }
}

impl Team {
    /// Checks the bounds of all values.
    ///
    /// # Errors
    ///
    /// Names the first value outside of its bounds.
    pub fn check(&self) -> Result<(), Invalid> {
        text("name", &self.name, 1, 256)?;
        metadata(&self.metadata)?;
        self.terms().check()
    }
}

impl Organisation {
    /// Checks the bounds of all values.
    ///
    /// # Errors
    ///
    /// Names the first value outside of its bounds.
    pub fn check(&self) -> Result<(), Invalid> {
        text("name", &self.name, 1, 256)?;
        metadata(&self.metadata)?;
        self.terms().check()
    }
}
