//! Hashes of keys as text: `sha256:` with 64 hexadecimal digits in documents, the digits alone in LiteLLM's database.

use serde::de::Error as _;
use serde::{Deserialize as _, Deserializer, Serializer};
use weir_config::KeyHash;

/// Parses the SHA-256 of a key as LiteLLM stores it: 64 hexadecimal digits. Its clients keep their keys.
pub fn imported_hash(digits: &str) -> Option<KeyHash> {
    KeyHash::parse(&format!("sha256:{digits}"))
}

pub(crate) fn serialize<S: Serializer>(hash: &KeyHash, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(hash)
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<KeyHash, D::Error> {
    let text = String::deserialize(from)?;
    KeyHash::parse(&text).ok_or_else(|| D::Error::custom("not the hash of a key: `sha256:` and 64 hexadecimal digits"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_of_litellm_is_that_of_its_key() {
        // printf %s sk-1234 | sha256sum
        let digits = "88dc28d0f030c55ed4ab77ed8faf098196cb1c05df778539800c9f1243fe6b4b";
        assert_eq!(imported_hash(digits), Some(KeyHash::of("sk-1234")));
        assert_eq!(imported_hash("sha256:88"), None);
    }
}
