//! The hash of a JSON text that is the same for each order of members, and differs if anything else does. A text that not
//! all readers understand alike has none.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use sha2::{Digest as _, Sha256};

/// The digits of a number that all readers keep.
const KEPT_DIGITS: usize = 15;

/// The digits of an exponent that is far from all bounds.
const KEPT_EXPONENT: usize = 2;

/// The hash of a text; `None` if it is not JSON, or names a member twice or has a number with so many digits that readers
/// understand it differently.
pub fn digest(text: &[u8]) -> Option<[u8; 32]> {
    let Hash(digest) = serde_json::from_slice(text).ok()?;
    (!has_rounded_number(text)).then_some(digest)
}

/// Whether a text, which is JSON, has a number that some readers round, and others do not. One without a fraction is read
/// as it is up to 64 bits.
fn has_rounded_number(text: &[u8]) -> bool {
    let mut rest = text;
    while let Some((first, others)) = rest.split_first() {
        rest = match first {
            b'"' => behind_string(others),
            b'-' | b'0'..=b'9' => {
                let is_end = |byte: &u8| !matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
                let (number, behind) = rest.split_at(rest.iter().position(is_end).unwrap_or(rest.len()));
                if is_rounded(number) {
                    return true;
                }
                behind
            }
            _ => others,
        };
    }
    false
}

/// What is behind a string that has begun.
fn behind_string(text: &[u8]) -> &[u8] {
    let mut is_escaped = false;
    let end = text.iter().position(|byte| {
        let is_end = *byte == b'"' && !is_escaped;
        is_escaped = *byte == b'\\' && !is_escaped;
        is_end
    });
    end.and_then(|end| text.get(end + 1..)).unwrap_or_default()
}

/// Whether this is how a reader would write what it has read.
fn is_shortest(number: &[u8]) -> bool {
    let text = std::str::from_utf8(number).unwrap_or_default();
    text.parse::<f64>().is_ok_and(|value| value.to_string() == text)
}

fn is_rounded(number: &[u8]) -> bool {
    let is_whole = number.iter().all(|byte| byte.is_ascii_digit() || *byte == b'-');
    if is_whole {
        let number = std::str::from_utf8(number).unwrap_or_default();
        return number.parse::<u64>().is_err() && number.parse::<i64>().is_err();
    }
    let mut parts = number.split(|byte| matches!(byte, b'e' | b'E'));
    let digits = |part: &[u8]| part.iter().filter(|byte| byte.is_ascii_digit()).count();
    let is_short = parts.next().is_some_and(|base| digits(base) <= KEPT_DIGITS);
    !(is_short && parts.next().is_none_or(|exponent| digits(exponent) <= KEPT_EXPONENT) || is_shortest(number))
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
        let rounded = [
            "18446744073709551616",
            "[-9223372036854775809]",
            "0.1000000000000000055",
            "1e-400",
            "{\"a\":[\"\\\"\",1e400]}",
        ];
        for text in ["", "{", "{\"a\":1,\"a\":1}", "[1]x", "\u{ff}"].into_iter().chain(rounded) {
            assert!(digest(text.as_bytes()).is_none(), "{text}");
        }
        assert!(digest(b"{\"a\":{\"b\":[]}}").is_some());
        for text in [
            "18446744073709551615",
            "-9223372036854775808",
            "0.30000000000000004",
            "1.5e30",
            "\"0.1000000000000000055\"",
        ] {
            assert!(digest(text.as_bytes()).is_some(), "{text}");
        }
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
