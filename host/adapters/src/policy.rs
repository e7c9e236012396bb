//! What the operator demands of a file before it is so much as looked at: a signature of a trusted key, a digest that the
//! lock file pins. Judged over the bytes in memory that are then loaded.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::lock::Lock;
use super::sign::{self, PublicKey, SignError};
use weir_sandbox::digest::Digest;

/// What is demanded of one adapter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Demand {
    /// A signature of a trusted key.
    pub signature: bool,
    /// That the lock file pins its digest.
    pub pin: bool,
}

/// What is demanded of adapters.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    /// Whose signatures count.
    pub keys: Vec<PublicKey>,
    /// What is demanded of those without an entry of their own.
    pub usual: Demand,
    /// What is of single ones, by name.
    pub of: BTreeMap<String, Demand>,
}

/// What speaks for a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Vouched {
    /// Whether the lock file pins it.
    pub pinned: bool,
    /// The trusted key that signed it.
    pub signer: Option<Arc<str>>,
}

/// Why a file is refused unread.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unvouched {
    /// Its signature is missing.
    #[error("a signature is required, and there is no {name}.wasm.sig beside it (`weir plugin sign` makes one)")]
    Unsigned {
        /// The adapter.
        name: String,
    },
    /// Its signature does not count.
    #[error("a signature is required: {0}")]
    Signature(#[from] SignError),
    /// The lock file pins other bytes.
    #[error("its digest is not the one in the lock file, which is {0}; `weir plugin install` pins it")]
    PinnedOtherwise(Digest),
    /// The lock file does not know it.
    #[error("the lock file does not pin it; `weir plugin install` does")]
    NotPinned,
}

impl Policy {
    /// Whether signatures are looked at, so that their files need be read.
    pub fn reads_signatures(&self) -> bool {
        !self.keys.is_empty() || self.usual.signature || self.of.values().any(|demand| demand.signature)
    }

    /// What speaks for these bytes, or what is missing. `signature` is the text of their signature file.
    pub fn check(
        &self,
        name: &str,
        digest: Digest,
        lock: &Lock,
        signature: Option<&str>,
    ) -> Result<Vouched, Unvouched> {
        let demand = self.of.get(name).unwrap_or(&self.usual);
        let signer = match signature.map(|text| sign::verify(text, digest, &self.keys)) {
            Some(Ok(key)) => Some(key.to_string().into()),
            Some(Err(error)) if demand.signature => return Err(error.into()),
            None if demand.signature => return Err(Unvouched::Unsigned { name: name.to_owned() }),
            Some(Err(_)) | None => None,
        };
        let pinned = lock.trusts(name, digest);
        if demand.pin && !pinned {
            return Err(lock.pinned(name).map_or(Unvouched::NotPinned, Unvouched::PinnedOtherwise));
        }
        Ok(Vouched { pinned, signer })
    }

    /// Whether what spoke for a version when it came is still enough, now that its file is not at hand: a signature whose
    /// key is trusted still, and a pin as it was then, since the lock file names the version that came after it.
    pub fn stands_by(&self, name: &str, vouched: &Vouched) -> bool {
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
    fn only_what_is_demanded_is_missed() {
        let digest = Digest::of(b"x");
        let (key, _) = SigningKey::generate().unwrap();
        let public = key.public().unwrap();
        let signed = key.sign(digest);
        let mut lock = Lock::default();
        let easy = Policy { keys: vec![public], ..Policy::default() };
        assert_eq!(easy.check("a", digest, &lock, None), Ok(Vouched::default()));
        assert_eq!(easy.check("a", digest, &lock, Some("nonsense")), Ok(Vouched::default()));
        assert_eq!(easy.check("a", digest, &lock, Some(&signed)).unwrap().signer, Some(public.to_string().into()));
        let strict = Policy { usual: Demand { signature: true, pin: true }, ..easy.clone() };
        assert!(matches!(strict.check("a", digest, &lock, None), Err(Unvouched::Unsigned { .. })));
        let wrong = key.sign(Digest::of(b"y"));
        let refused = strict.check("a", digest, &lock, Some(&wrong));
        assert_eq!(refused, Err(Unvouched::Signature(SignError::NotTrusted)));
        assert_eq!(strict.check("a", digest, &lock, Some(&signed)), Err(Unvouched::NotPinned));
        lock.pin("a", Digest::of(b"y"));
        let refused = strict.check("a", digest, &lock, Some(&signed));
        assert_eq!(refused, Err(Unvouched::PinnedOtherwise(Digest::of(b"y"))));
        lock.pin("a", digest);
        let vouched = strict.check("a", digest, &lock, Some(&signed)).unwrap();
        assert!(vouched.pinned && strict.stands_by("a", &vouched) && easy.stands_by("a", &Vouched::default()));
        let of_others = Policy { keys: vec![SigningKey::generate().unwrap().0.public().unwrap()], ..strict.clone() };
        assert!(!of_others.stands_by("a", &vouched), "the key is not trusted any more");
        assert!(!strict.stands_by("a", &Vouched { pinned: false, ..vouched }));
        let excepted = Policy { of: BTreeMap::from([("a".to_owned(), Demand::default())]), ..strict };
        assert_eq!(excepted.check("a", Digest::of(b"z"), &lock, None), Ok(Vouched::default()));
    }
}
