//! Names of models and operations as rights have them: exact, or with `*` for any text.

use serde::{Deserialize, Serialize};
use weir_config::Alias;

/// The longest pattern in bytes.
const MAX_PATTERN_BYTES: usize = 256;

/// A text that is no name and no pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a name or pattern has 1 to {MAX_PATTERN_BYTES} bytes")]
pub struct PatternLength;

/// A name, or a pattern of names.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Pattern(Alias);

impl Pattern {
    /// Parses a pattern.
    ///
    /// # Errors
    ///
    /// The text is empty or too long.
    pub fn parse(text: &str) -> Result<Self, PatternLength> {
        if text.is_empty() || text.len() > MAX_PATTERN_BYTES {
            return Err(PatternLength);
        }
        Ok(Self(Alias::parse(text)))
    }

    /// Whether a name fits.
    pub fn matches(&self, name: &str) -> bool {
        self.0.matches(name)
    }

    /// The name; `None` for a pattern.
    pub fn exact(&self) -> Option<&str> {
        self.0.exact()
    }
}

impl From<Pattern> for String {
    fn from(pattern: Pattern) -> Self {
        pattern.0.to_string()
    }
}

impl TryFrom<String> for Pattern {
    type Error = PatternLength;

    fn try_from(text: String) -> Result<Self, PatternLength> {
        Self::parse(&text)
    }
}
