//! What is wrong with a manifest.

use std::fmt::{self, Display, Formatter};

use weir_sandbox::fault::{clean, head};

/// Maximum number of problems that are reported.
pub(super) const REPORTED: usize = 20;

/// The problems of a manifest.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Problems(Vec<String>);

impl Problems {
    /// One line per problem, `where: what`.
    pub fn lines(&self) -> &[String] {
        &self.0
    }

    /// The problems, if there are any.
    pub(super) fn into_result(self) -> Result<(), Self> {
        if self.0.is_empty() { Ok(()) } else { Err(self) }
    }

    pub(super) fn add(&mut self, place: &str, what: impl Display) {
        if self.0.len() < REPORTED {
            self.0.push(head(&clean(&format!("{place}: {what}")), 300).to_owned());
        }
    }

    pub(super) fn unless(&mut self, right: bool, place: &str, what: impl Display) {
        if !right {
            self.add(place, what);
        }
    }
}

impl Display for Problems {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("; "))
    }
}
