//! Mistakes in price files.

use std::fmt;

/// A mistake in a price file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PriceProblem {
    /// The file's name.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The place: `providers.acme.large-2[1].input`.
    pub place: String,
    /// What is wrong with it.
    pub problem: String,
}

impl fmt::Display for PriceProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, place, problem } = self;
        if place.is_empty() {
            write!(f, "{file}:{line}: {problem}")
        } else {
            write!(f, "{file}:{line}: `{place}` {problem}")
        }
    }
}

/// All mistakes of a price file, a line each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PriceFileError(pub Vec<PriceProblem>);

impl fmt::Display for PriceFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, problem) in self.0.iter().enumerate() {
            write!(f, "{}{problem}", if at == 0 { "" } else { "\n" })?;
        }
        Ok(())
    }
}

impl std::error::Error for PriceFileError {}
