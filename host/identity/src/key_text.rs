//! The text of a key, `sk-weir-ID-SECRET-CHECK`: made, parsed, and checked for typing errors before any look-up.

mod crc;
mod id;
#[cfg(test)]
mod tests;

use std::fmt;

use weir_config::{KeyHash, Secret};

use crc::crc30;
pub use id::{KeyId, NotAKeyId};

/// How each key of Weir begins. Many clients insist on `sk-`.
pub const PREFIX: &str = "sk-weir-";
/// Digits of 5 bits: no `i`, `l`, `o` and `u`, which are misread.
const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// Whether a byte is a digit.
const IS_DIGIT: [bool; 256] = {
    let mut table = [false; 256];
    let mut at = 0;
    while at < DIGITS.len() {
        table[DIGITS[at] as usize] = true;
        at += 1;
    }
    table
};
/// 256 bits.
const SECRET_DIGITS: usize = 52;
/// 30 bits.
const CHECK_DIGITS: usize = 6;
const LENGTH: usize = PREFIX.len() + KeyId::LENGTH + 1 + SECRET_DIGITS + 1 + CHECK_DIGITS;

/// A key as its owner has it. It cannot be printed; [`KeyText::expose`] is for the one answer that shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyText {
    id: KeyId,
    text: Secret,
}

/// Why a text is not a key of Weir. No variant holds any of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyTextError {
    /// It begins otherwise. It may be another kind of key.
    #[error("the key does not begin with `{PREFIX}`")]
    Prefix,
    /// Its length or its hyphens are wrong: a part is missing.
    #[error("the key is incomplete or has something added: it has {LENGTH} characters in five parts")]
    Shape,
    /// It has a character that no key has.
    #[error("the key has a character that keys do not have")]
    Character,
    /// Its last six characters do not fit the others.
    #[error("the key is mistyped: its check digits do not fit")]
    Check,
}

/// The operating system gave no random numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the operating system gives no random numbers")]
pub struct NoRandomNumbers;

impl KeyText {
    /// Makes a new key from the operating system's random numbers.
    ///
    /// # Errors
    ///
    /// The system gives no random numbers.
    pub fn generate() -> Result<Self, NoRandomNumbers> {
        Ok(Self::from_random(KeyId::generate()?, &random::<32>()?))
    }

    /// Makes a new text for a key that keeps its id.
    ///
    /// # Errors
    ///
    /// There are no random numbers.
    pub(crate) fn generate_for(id: KeyId) -> Result<Self, NoRandomNumbers> {
        Ok(Self::from_random(id, &random::<32>()?))
    }

    /// The key with this id and secret.
    pub fn from_random(id: KeyId, secret: &[u8; 32]) -> Self {
        let mut text = String::with_capacity(LENGTH);
        text.push_str(PREFIX);
        text.push_str(id.as_str());
        text.push('-');
        push_digits(&mut text, secret);
        let check = check_digits(&text);
        text.push('-');
        text.extend(check.map(char::from));
        Self { id, text: Secret::new(text) }
    }

    /// Parses a key and compares its check digits.
    ///
    /// # Errors
    ///
    /// The text is no key of Weir.
    pub fn parse(text: &str) -> Result<Self, KeyTextError> {
        let id = check(text)?;
        Ok(Self { id, text: Secret::new(text) })
    }

    /// The public part, which may be printed.
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// What is stored: the SHA-256 of the whole text. Keys of the configuration and imported keys are hashed alike, so
    /// one look-up finds all of them.
    pub fn hash(&self) -> KeyHash {
        KeyHash::of(self.text.expose())
    }

    /// The whole text. The caller shows it once.
    pub fn expose(&self) -> &str {
        self.text.expose()
    }
}

impl fmt::Debug for KeyText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}-[secret]", self.id)
    }
}

/// Whether a text is a complete key of Weir, and the id in it.
pub(crate) fn check(text: &str) -> Result<KeyId, KeyTextError> {
    let rest = text.strip_prefix(PREFIX).ok_or(KeyTextError::Prefix)?;
    if text.len() != LENGTH || !text.is_ascii() {
        return Err(KeyTextError::Shape);
    }
    let (id, rest) = rest.split_at(KeyId::LENGTH);
    let (secret, check) = rest.split_at(1 + SECRET_DIGITS);
    let (Some(secret), Some(check)) = (secret.strip_prefix('-'), check.strip_prefix('-')) else {
        return Err(KeyTextError::Shape);
    };
    if ![id, secret, check].iter().all(|part| part.bytes().all(is_digit)) {
        return Err(KeyTextError::Character);
    }
    let covered = text.split_at(LENGTH - CHECK_DIGITS - 1).0;
    if check_digits(covered).as_slice() != check.as_bytes() {
        return Err(KeyTextError::Check);
    }
    KeyId::parse(id).map_err(|_| KeyTextError::Character)
}

fn check_digits(covered: &str) -> [u8; CHECK_DIGITS] {
    let sum = crc30(covered.as_bytes());
    std::array::from_fn(|at| digit(sum >> (5 * (CHECK_DIGITS - 1 - at))))
}

fn is_digit(byte: u8) -> bool {
    IS_DIGIT[usize::from(byte)]
}

/// The digit for the lowest five bits.
fn digit(bits: u32) -> u8 {
    DIGITS.get((bits & 31) as usize).copied().unwrap_or(b'0')
}

/// Writes bytes as digits of five bits, with zeros after the last byte.
fn push_digits(text: &mut String, bytes: &[u8]) {
    let (mut waiting, mut bits) = (0u32, 0);
    for byte in bytes {
        waiting = (waiting << 8) | u32::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            text.push(char::from(digit(waiting >> bits)));
        }
        waiting &= (1 << bits) - 1;
    }
    if bits > 0 {
        text.push(char::from(digit(waiting << (5 - bits))));
    }
}

/// Random bytes from the operating system.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], NoRandomNumbers> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| NoRandomNumbers)?;
    Ok(bytes)
}
