//! The published keys of an issuer (JWKS, RFC 7517).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{RsaPublicKeyComponents, UnparsedPublicKey};
use serde_json::{Map, Value};

use super::algorithm::KeyKind;
use super::{Algorithm, SignedToken, parse_object};

/// The largest set in bytes. Sets with certificates have some ten thousand.
pub(super) const MAX_KEY_SET_BYTES: usize = 256 * 1024;
const MAX_KEYS: usize = 128;
const MAX_KEY_ID_LEN: usize = 256;
/// The most keys that are tried for one token: keys with one id, or without.
const MAX_TRIED: usize = 4;

/// Verification keys. Entries that are not for signatures, or of another kind, are left out.
#[derive(Debug, Clone, Default)]
pub struct KeySet {
    keys: Vec<Key>,
}

/// Why a text is no key set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeySetError {
    /// It is larger than any may be.
    #[error("the key set is too large")]
    Size,
    /// It is no JSON object with an array `keys`.
    #[error("the key set is not a JSON object with `keys`")]
    Form,
    /// It has no key that could be used.
    #[error("the key set has no usable key for signatures (RSA of 2048 bits or more, P-256, P-384, Ed25519)")]
    Empty,
}

#[derive(Debug, Clone)]
struct Key {
    id: Option<String>,
    /// The only algorithm, if the set restricts it.
    only: Option<Algorithm>,
    material: Material,
}

#[derive(Debug, Clone)]
enum Material {
    Rsa { n: Vec<u8>, e: Vec<u8> },
    Point { kind: KeyKind, bytes: Vec<u8> },
}

impl KeySet {
    /// Parses a set.
    ///
    /// # Errors
    ///
    /// It is too large, no JSON of this form, or has no usable key.
    pub fn parse(json: &[u8]) -> Result<Self, KeySetError> {
        if json.len() > MAX_KEY_SET_BYTES {
            return Err(KeySetError::Size);
        }
        let set = parse_object(json).map_err(|_| KeySetError::Form)?;
        let keys = set.get("keys").and_then(Value::as_array).ok_or(KeySetError::Form)?;
        if keys.len() > MAX_KEYS {
            return Err(KeySetError::Size);
        }
        let keys: Vec<Key> = keys.iter().filter_map(Value::as_object).filter_map(Key::of).collect();
        if keys.is_empty() { Err(KeySetError::Empty) } else { Ok(Self { keys }) }
    }

    /// Whether there is a key with which a token of this header could be verified.
    pub(super) fn has(&self, key_id: Option<&str>, algorithm: Algorithm) -> bool {
        self.keys.iter().any(|key| key.suits(key_id, algorithm))
    }

    /// Whether a key of the set made the token's signature.
    pub(crate) fn verifies(&self, token: &SignedToken<'_>) -> bool {
        let suitable = self.keys.iter().filter(|key| key.suits(token.key_id.as_deref(), token.algorithm));
        suitable.take(MAX_TRIED).any(|key| key.material.verifies(token))
    }
}

impl Key {
    /// The key of an entry; `None` if it is not for signatures, not supported, too weak, or shows its private part.
    fn of(entry: &Map<String, Value>) -> Option<Self> {
        let text = |name: &str| entry.get(name).and_then(Value::as_str);
        let operations = entry.get("key_ops").map(|operations| operations.as_array().map_or(&[][..], Vec::as_slice));
        let verifies = operations.is_none_or(|operations| operations.iter().any(|it| it.as_str() == Some("verify")));
        if entry.get("use").is_some_and(|purpose| purpose.as_str() != Some("sig"))
            || !verifies
            || entry.contains_key("d")
        {
            return None;
        }
        let only = match entry.get("alg") {
            None => None,
            Some(name) => Some(Algorithm::parse(name.as_str()?)?),
        };
        let id = match entry.get("kid") {
            None => None,
            Some(id) => Some(id.as_str().filter(|id| id.len() <= MAX_KEY_ID_LEN)?.to_owned()),
        };
        let part = |name: &str| URL_SAFE_NO_PAD.decode(text(name)?).ok();
        let material = match (text("kty")?, text("crv")) {
            ("RSA", None) => Material::rsa(&part("n")?, &part("e")?)?,
            ("EC", Some("P-256")) => Material::point(KeyKind::P256, &part("x")?, &part("y")?, 32)?,
            ("EC", Some("P-384")) => Material::point(KeyKind::P384, &part("x")?, &part("y")?, 48)?,
            ("OKP", Some("Ed25519")) => {
                let bytes = part("x").filter(|x| x.len() == 32)?;
                Material::Point { kind: KeyKind::Ed25519, bytes }
            }
            _ => return None,
        };
        let fits = only.is_none_or(|algorithm| algorithm.key_kind() == material.kind());
        fits.then_some(Self { id, only, material })
    }

    /// A token without a key id may use any key, a token with one only keys with that id.
    fn suits(&self, key_id: Option<&str>, algorithm: Algorithm) -> bool {
        let named = key_id.is_none_or(|id| self.id.as_deref() == Some(id));
        named && self.material.kind() == algorithm.key_kind() && self.only.is_none_or(|only| only == algorithm)
    }
}

impl Material {
    fn rsa(n: &[u8], e: &[u8]) -> Option<Self> {
        let zeros = n.iter().take_while(|byte| **byte == 0).count();
        let n = n.get(zeros..)?.to_vec();
        // Smaller and larger ones are refused by ring at each verification; here they count as unusable from the start.
        let bits = n.len() * 8 - n.first()?.leading_zeros() as usize;
        ((2_048..=8_192).contains(&bits) && (1..=5).contains(&e.len())).then(|| Self::Rsa { n, e: e.to_vec() })
    }

    /// An uncompressed point. ring checks at each verification that it is on the curve.
    fn point(kind: KeyKind, x: &[u8], y: &[u8], length: usize) -> Option<Self> {
        (x.len() == length && y.len() == length).then(|| Self::Point { kind, bytes: [&[4], x, y].concat() })
    }

    fn kind(&self) -> KeyKind {
        match self {
            Self::Rsa { .. } => KeyKind::Rsa,
            Self::Point { kind, .. } => *kind,
        }
    }

    fn verifies(&self, token: &SignedToken<'_>) -> bool {
        match (self, token.algorithm.rsa(), token.algorithm.curve()) {
            (Self::Rsa { n, e }, Some(parameters), _) => {
                RsaPublicKeyComponents { n, e }.verify(parameters, token.message, &token.signature).is_ok()
            }
            (Self::Point { kind, bytes }, _, Some(curve)) if *kind == token.algorithm.key_kind() => {
                UnparsedPublicKey::new(curve, bytes).verify(token.message, &token.signature).is_ok()
            }
            _ => false,
        }
    }
}
