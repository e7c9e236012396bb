//! Secrets that must never be printed: provider keys and the admin token.

use std::fmt;
use std::sync::Arc;

/// The shortest secret, in bytes, that is masked in texts.
const MIN_HIDDEN: usize = 8;

/// A credential. It cannot be printed or serialized; [`Secret::expose`] is the only way to its text.
///
/// Clones share one copy, which is overwritten when the last of them is dropped.
#[derive(Clone)]
pub struct Secret(Arc<Wiped>);

impl Secret {
    /// Wraps a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Arc::new(Wiped(text.into().into_bytes())))
    }

    /// Reads the secret from a variable of the process's environment.
    ///
    /// # Errors
    ///
    /// The variable is unset or empty.
    pub fn from_env(name: &str) -> Result<Self, MissingVariable> {
        let text = std::env::var(name).unwrap_or_default();
        match text.trim() {
            "" => Err(MissingVariable { name: name.to_owned() }),
            text => Ok(Self::new(text)),
        }
    }

    /// The text itself. The caller is responsible for where it goes.
    pub fn expose(&self) -> &str {
        // The bytes come from a `String` and do not change until they are dropped.
        std::str::from_utf8(&self.0.0).unwrap_or_default()
    }

    /// Replaces this secret in a text with `[key]`. Very short secrets, which are not real keys, are left.
    pub fn redact(&self, text: &mut String) {
        let secret = self.expose();
        if secret.len() >= MIN_HIDDEN && text.contains(secret) {
            *text = text.replace(secret, "[key]");
        }
    }

    /// Whether a client's text is this secret. The time does not depend on the content, only on the length.
    pub fn matches(&self, candidate: &str) -> bool {
        let (ours, theirs) = (self.0.0.as_slice(), candidate.as_bytes());
        if ours.len() != theirs.len() {
            return false;
        }
        let difference = ours.iter().zip(theirs).fold(0u8, |all, (a, b)| std::hint::black_box(all | (a ^ b)));
        difference == 0
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.matches(other.expose())
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// The error for a secret's variable that is not set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the environment variable `{name}` is not set")]
pub struct MissingVariable {
    /// The variable's name.
    pub name: String,
}

/// Bytes that are overwritten when dropped. Best effort: copies that `String` left when it grew are out of reach.
struct Wiped(Vec<u8>);

impl Drop for Wiped {
    fn drop(&mut self) {
        self.0.fill(0);
        // Keeps the compiler from removing the overwrite.
        std::hint::black_box(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_cannot_be_printed() {
        let secret = Secret::new("sk-very-secret");
        assert_eq!(format!("{secret} {secret:?} {:?}", Some(&secret)), "[secret] [secret] Some([secret])");
    }

    #[test]
    fn a_variable_that_is_not_set_is_named() {
        assert!(Secret::from_env("PATH").is_ok());
        let missing = Secret::from_env("WEIR_NOT_SET_ANYWHERE").unwrap_err();
        assert_eq!(missing.to_string(), "the environment variable `WEIR_NOT_SET_ANYWHERE` is not set");
    }

    #[test]
    fn secrets_compare_by_text() {
        let secret = Secret::new("abc");
        assert_eq!(secret, Secret::new("abc"));
        assert_ne!(secret, Secret::new("abd"));
        assert!(!secret.matches("ab"));
        assert_eq!(secret.expose(), "abc");
    }
}
