//! Hashes of keys as text in documents: `sha256:` with 64 hexadecimal digits.

use serde::de::Error as _;
use serde::{Deserialize as _, Deserializer, Serializer};
use weir_config::KeyHash;

pub(crate) fn serialize<S: Serializer>(hash: &KeyHash, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(hash)
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<KeyHash, D::Error> {
    let text = String::deserialize(from)?;
    KeyHash::parse(&text).ok_or_else(|| D::Error::custom("not the hash of a key: `sha256:` and 64 hexadecimal digits"))
}
