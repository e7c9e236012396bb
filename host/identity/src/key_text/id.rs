//! The public id of a key: twelve characters that stay when the key is rotated.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{NoRandomNumbers, digit, is_digit, random};

/// The id of a key. It may be printed, and it identifies the key in metrics, facts, budgets and the audit log.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct KeyId([u8; KeyId::LENGTH]);

/// The error for a text that is not an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the id of a key: it has {} characters, digits and small letters without i, l, o and u", KeyId::LENGTH)]
pub struct NotAKeyId;

impl KeyId {
    /// Its number of characters, 60 bits.
    pub const LENGTH: usize = 12;

    /// A random id.
    ///
    /// # Errors
    ///
    /// There are no random numbers.
    pub fn generate() -> Result<Self, NoRandomNumbers> {
        Ok(Self::from_bits(u64::from_le_bytes(random()?)))
    }

    /// The id of the lowest 60 bits.
    pub fn from_bits(bits: u64) -> Self {
        Self(std::array::from_fn(|at| digit((bits >> (5 * at)) as u32)))
    }

    /// Parses an id.
    ///
    /// # Errors
    ///
    /// The text has another length or other characters.
    pub fn parse(text: &str) -> Result<Self, NotAKeyId> {
        let bytes: [u8; Self::LENGTH] = text.as_bytes().try_into().map_err(|_| NotAKeyId)?;
        if bytes.iter().copied().all(is_digit) { Ok(Self(bytes)) } else { Err(NotAKeyId) }
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        // All characters are ASCII.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<KeyId> for String {
    fn from(id: KeyId) -> Self {
        id.as_str().to_owned()
    }
}

impl TryFrom<String> for KeyId {
    type Error = NotAKeyId;

    fn try_from(text: String) -> Result<Self, NotAKeyId> {
        Self::parse(&text)
    }
}
