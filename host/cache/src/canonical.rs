//! The hash of a JSON text that is the same for each order of members, and differs if anything else does.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use sha2::{Digest as _, Sha256};

/// The hash of a text; `None` if it is not JSON, or names a member twice, which readers understand differently.
pub fn digest(text: &[u8]) -> Option<[u8; 32]> {
    let Hash(digest) = serde_json::from_slice(text).ok()?;
    Some(digest)
}

struct Hash([u8; 32]);

impl Hash {
    fn of(kind: u8, bytes: &[u8]) -> Self {
        let mut hash = Sha256::new_with_prefix([kind]);
        hash.update(bytes);
        Self(hash.finalize().into())
    }
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Value)
    }
}

/// Reads any value. Each kind begins with a letter of its own.
struct Value;

impl<'de> Visitor<'de> for Value {
    type Value = Hash;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Hash, E> {
        Ok(Hash::of(b'0', &[]))
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Hash, E> {
        Ok(Hash::of(b'b', &[u8::from(value)]))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Hash, E> {
        Ok(Hash::of(b'u', &value.to_le_bytes()))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Hash, E> {
        Ok(Hash::of(b'i', &value.to_le_bytes()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Hash, E> {
        Ok(Hash::of(b'f', &value.to_bits().to_le_bytes()))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Hash, E> {
        Ok(Hash::of(b's', value.as_bytes()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Hash, A::Error> {
        let mut hash = Sha256::new_with_prefix(b"a");
        while let Some(Hash(item)) = items.next_element()? {
            hash.update(item);
        }
        Ok(Hash(hash.finalize().into()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Hash, A::Error> {
        let mut sorted = BTreeMap::new();
        while let Some((name, Hash(value))) = members.next_entry::<String, Hash>()? {
            if sorted.insert(name, value).is_some() {
                return Err(Error::custom("a member that is there twice"));
            }
        }
        let mut hash = Sha256::new_with_prefix(b"o");
        for (name, value) in sorted {
            hash.update((name.len() as u64).to_le_bytes());
            hash.update(name);
            hash.update(value);
        }
        Ok(Hash(hash.finalize().into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_json_or_ambiguous_has_no_hash() {
        for text in ["", "{", "{\"a\":1,\"a\":1}", "[1]x", "\u{ff}"] {
            assert!(digest(text.as_bytes()).is_none(), "{text}");
        }
        assert!(digest(b"{\"a\":{\"b\":[]}}").is_some());
    }

    #[test]
    fn kinds_do_not_run_into_one_another() {
        let all = ["null", "false", "0", "-1", "0.0", "\"\"", "\"0\"", "[]", "{}", "[[]]", "[{}]", "[0,0]", "[[0],0]"];
        for (at, one) in all.iter().enumerate() {
            for other in all.iter().skip(at + 1) {
                assert_ne!(digest(one.as_bytes()), digest(other.as_bytes()), "{one} {other}");
            }
        }
    }
}
