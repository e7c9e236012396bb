//! Detached signatures: `NAME.wasm.sig` beside `NAME.wasm`, Ed25519 (RFC 8032) over the file's digest.
//!
//! The signed message is the text `weir adapter signature v1`, a line feed, and the digest as it is written everywhere
//! (`sha256:` and 64 hexadecimal digits). A signature file has one line `ed25519:BASE64` per signature; empty lines and
//! those that begin with `#` are ignored. A public key is written `ed25519:BASE64`, too, and a private one
//! `ed25519-private:BASE64` (PKCS #8).

use std::fmt::{self, Debug, Display, Formatter};
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::rand::SystemRandom;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};

use weir_sandbox::digest::Digest;

const PREFIX: &str = "ed25519:";
const PRIVATE: &str = "ed25519-private:";
/// Maximum size of a signature file in bytes, and maximum number of signatures in it.
pub(super) const SIGNATURE_FILE: usize = 4096;
const SIGNATURES: usize = 16;

/// Why a key or a signature is invalid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// The text is not a public key.
    #[error("not a public key: expected `ed25519:` and 32 bytes in base64")]
    NotAKey,
    /// The text is not a private key. The error does not contain it.
    #[error("not a private key: expected `ed25519-private:` and what `weir plugin keygen` writes after it")]
    NotAPrivateKey,
    /// The file has no line with a signature.
    #[error("the signature file has no line `ed25519:BASE64` with 64 bytes")]
    NoSignature,
    /// No trusted key signed these bytes.
    #[error("no trusted key signed these bytes")]
    NotTrusted,
    /// The system provides no random bytes.
    #[error("the system gives no randomness")]
    NoRandomness,
}

/// A public key, written `ed25519:BASE64`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey([u8; 32]);

impl From<[u8; 32]> for PublicKey {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl FromStr for PublicKey {
    type Err = SignError;

    fn from_str(text: &str) -> Result<Self, SignError> {
        let bytes = text.trim().strip_prefix(PREFIX).and_then(|text| STANDARD.decode(text).ok());
        bytes.and_then(|bytes| bytes.try_into().ok()).map(Self).ok_or(SignError::NotAKey)
    }
}

impl Display for PublicKey {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", STANDARD.encode(self.0))
    }
}

impl Debug for PublicKey {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        Display::fmt(self, f)
    }
}

/// A private key and its public key. Its text is never shown.
pub struct SigningKey(Ed25519KeyPair);

impl SigningKey {
    /// Generates a new pair, and returns it with the private key's text.
    pub fn generate() -> Result<(Self, String), SignError> {
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(|_| SignError::NoRandomness)?;
        let text = format!("{PRIVATE}{}\n", STANDARD.encode(document.as_ref()));
        Ok((Self::read(&text)?, text))
    }

    /// Parses a private key's text.
    pub fn read(text: &str) -> Result<Self, SignError> {
        let bytes = text.trim().strip_prefix(PRIVATE).and_then(|text| STANDARD.decode(text).ok());
        let pair = bytes.and_then(|bytes| Ed25519KeyPair::from_pkcs8(&bytes).ok());
        pair.map(Self).ok_or(SignError::NotAPrivateKey)
    }

    /// The public key.
    pub fn public(&self) -> Result<PublicKey, SignError> {
        let bytes = self.0.public_key().as_ref().try_into();
        bytes.map(PublicKey).map_err(|_| SignError::NotAKey)
    }

    /// The text of a signature file for a component with this digest.
    pub fn sign(&self, digest: Digest) -> String {
        format!("{PREFIX}{}\n", STANDARD.encode(self.0.sign(&message(digest)).as_ref()))
    }
}

impl Debug for SigningKey {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(..)")
    }
}

fn message(digest: Digest) -> Vec<u8> {
    format!("weir adapter signature v1\n{digest}").into_bytes()
}

/// The key among `keys` that signed this digest, according to the text of its signature file.
pub fn verify(text: &str, digest: Digest, keys: &[PublicKey]) -> Result<PublicKey, SignError> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let decoded = lines.filter_map(|line| STANDARD.decode(line.strip_prefix(PREFIX)?).ok());
    let signatures: Vec<Vec<u8>> = decoded.filter(|bytes| bytes.len() == 64).take(SIGNATURES).collect();
    if signatures.is_empty() {
        return Err(SignError::NoSignature);
    }
    let message = message(digest);
    let signed = |key: &&PublicKey| {
        let key = UnparsedPublicKey::new(&ED25519, &key.0);
        signatures.iter().any(|signature| key.verify(&message, signature).is_ok())
    };
    keys.iter().find(signed).copied().ok_or(SignError::NotTrusted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_signed_bytes_verify() {
        let (key, text) = SigningKey::generate().unwrap();
        let (other, _) = SigningKey::generate().unwrap();
        let key_again = SigningKey::read(&text).unwrap();
        let keys = [other.public().unwrap(), key_again.public().unwrap()];
        let digest = Digest::of(b"bytes");
        let signature = format!("# made today\n\n{}", key.sign(digest));
        assert_eq!(verify(&signature, digest, &keys), Ok(key.public().unwrap()));
        assert_eq!(verify(&signature, Digest::of(b"other"), &keys), Err(SignError::NotTrusted));
        assert_eq!(verify(&signature, digest, &keys[..1]), Err(SignError::NotTrusted));
        assert_eq!(verify(&signature, digest, &[]), Err(SignError::NotTrusted));
        for text in ["", "# x", "ed25519:AAAA", "ed25519:!!!", "minisign"] {
            assert_eq!(verify(text, digest, &keys), Err(SignError::NoSignature), "{text}");
        }
        let both = format!("{}{}", SigningKey::generate().unwrap().0.sign(digest), key.sign(digest));
        assert_eq!(verify(&both, digest, &keys), Ok(key.public().unwrap()), "one of several is enough");
    }

    #[test]
    fn keys_read_back_and_private_ones_are_not_shown() {
        let (key, text) = SigningKey::generate().unwrap();
        let public = key.public().unwrap();
        assert_eq!(public.to_string().parse(), Ok(public));
        let secret = text.trim().strip_prefix(PRIVATE).unwrap();
        assert!(!format!("{key:?}").contains(secret));
        for text in ["", "ed25519:", "ed25519:AAAA", &text] {
            assert_eq!(text.parse::<PublicKey>(), Err(SignError::NotAKey), "{text}");
        }
        assert!(SigningKey::read(&public.to_string()).is_err());
    }
}
