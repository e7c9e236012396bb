//! The operator's requirements of a file before it is parsed: a signature of a trusted key, a digest pinned in the lock
//! file. They are checked on the same bytes in memory that are then loaded.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::lock::Lock;
use super::sign::{self, PublicKey, SignError};
use weir_sandbox::digest::Digest;

/// The requirements of one adapter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Demand {
    /// A signature of a trusted key is required.
    pub signature: bool,
    /// A pin in the lock file is required.
    pub pin: bool,
}

/// The requirements of all adapters.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    /// Keys whose signatures are trusted.
    pub keys: Vec<PublicKey>,
    /// Requirements of adapters without an entry of their own.
    pub usual: Demand,
    /// Requirements of single adapters, by name.
    pub of: BTreeMap<String, Demand>,
}

/// The evidence for a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Evidence {
    /// Whether the lock file pins it.
    pub pinned: bool,
    /// The trusted key that signed it.
    pub signer: Option<Arc<str>>,
}

/// Why a file is refused before it is parsed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnmetPolicy {
    /// The signature is missing.
    #[error("a signature is required, and there is no {name}.wasm.sig beside it (`weir plugin sign` makes one)")]
    Unsigned {
        /// The adapter.
        name: String,
    },
    /// The signature is invalid or not trusted.
    #[error("a signature is required: {0}")]
    Signature(#[from] SignError),
    /// The lock file pins other bytes.
    #[error("its digest is not the one in the lock file, which is {0}; `weir plugin install` pins it")]
    PinnedOtherwise(Digest),
    /// The lock file has no pin for it.
    #[error("the lock file does not pin it; `weir plugin install` does")]
    NotPinned,
}

impl Policy {
    /// Whether signatures are verified, so that their files must be read.
    pub(crate) fn reads_signatures(&self) -> bool {
        !self.keys.is_empty() || self.usual.signature || self.of.values().any(|demand| demand.signature)
    }

    /// The evidence for these bytes, or the missing requirement. `signature` is the text of their signature file.
    pub fn check(
        &self,
        name: &str,
        digest: Digest,
        lock: &Lock,
        signature: Option<&str>,
    ) -> Result<Evidence, UnmetPolicy> {
        let demand = self.of.get(name).unwrap_or(&self.usual);
        let signer = match signature.map(|text| sign::verify(text, digest, &self.keys)) {
            Some(Ok(key)) => Some(key.to_string().into()),
            Some(Err(error)) if demand.signature => return Err(error.into()),
            None if demand.signature => return Err(UnmetPolicy::Unsigned { name: name.to_owned() }),
            Some(Err(_)) | None => None,
        };
        let pinned = lock.trusts(name, digest);
        if demand.pin && !pinned {
            return Err(lock.pinned(name).map_or(UnmetPolicy::NotPinned, UnmetPolicy::PinnedOtherwise));
        }
        Ok(Evidence { pinned, signer })
    }

    /// Whether the evidence from the time of loading still suffices without the file: the signer's key must still be
    /// trusted, and a pin counts as it was then, because the lock file names a later version now.
    pub(crate) fn stands_by(&self, name: &str, vouched: &Evidence) -> bool {
        let demand = self.of.get(name).unwrap_or(&self.usual);
        let is_trusted = |signer: &Arc<str>| self.keys.iter().any(|key| *key.to_string() == **signer);
        (!demand.signature || vouched.signer.as_ref().is_some_and(is_trusted)) && (!demand.pin || vouched.pinned)
    }
}

#[cfg(test)]
mod tests {
    use super::super::sign::SigningKey;
    use super::*;

    #[test]
    fn only_requirements_can_be_missing() {
        let digest = Digest::of(b"x");
        let (key, _) = SigningKey::generate().unwrap();
        let public = key.public().unwrap();
        let signed = key.sign(digest);
        let mut lock = Lock::default();
        let easy = Policy { keys: vec![public], ..Policy::default() };
        assert_eq!(easy.check("a", digest, &lock, None), Ok(Evidence::default()));
        assert_eq!(easy.check("a", digest, &lock, Some("nonsense")), Ok(Evidence::default()));
        assert_eq!(easy.check("a", digest, &lock, Some(&signed)).unwrap().signer, Some(public.to_string().into()));
        let strict = Policy { usual: Demand { signature: true, pin: true }, ..easy.clone() };
        assert!(matches!(strict.check("a", digest, &lock, None), Err(UnmetPolicy::Unsigned { .. })));
        let wrong = key.sign(Digest::of(b"y"));
        let refused = strict.check("a", digest, &lock, Some(&wrong));
        assert_eq!(refused, Err(UnmetPolicy::Signature(SignError::NotTrusted)));
        assert_eq!(strict.check("a", digest, &lock, Some(&signed)), Err(UnmetPolicy::NotPinned));
        lock.pin("a", Digest::of(b"y"));
        let refused = strict.check("a", digest, &lock, Some(&signed));
        assert_eq!(refused, Err(UnmetPolicy::PinnedOtherwise(Digest::of(b"y"))));
        lock.pin("a", digest);
        let vouched = strict.check("a", digest, &lock, Some(&signed)).unwrap();
        assert!(vouched.pinned && strict.stands_by("a", &vouched) && easy.stands_by("a", &Evidence::default()));
        let of_others = Policy { keys: vec![SigningKey::generate().unwrap().0.public().unwrap()], ..strict.clone() };
        assert!(!of_others.stands_by("a", &vouched), "the key is not trusted any more");
        assert!(!strict.stands_by("a", &Evidence { pinned: false, ..vouched }));
        let excepted = Policy { of: BTreeMap::from([("a".to_owned(), Demand::default())]), ..strict };
        assert_eq!(excepted.check("a", Digest::of(b"z"), &lock, None), Ok(Evidence::default()));
    }
}
