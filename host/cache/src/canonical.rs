//! The hash of a JSON text that is the same for each order of members, and differs if anything else does. A text that
//! not all readers understand alike has none.
//!
//! The text is written in a form of which each value shows where it ends, with the members of an object in the order of
//! their names, and that is hashed. What is long within a value is replaced by its own hash on the way, so that no
//! level of a deep text is copied as a whole.

use std::fmt;
use std::ops::Range;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use sha2::{Digest as _, Sha256};

/// The digits of a number that all readers keep.
const KEPT_DIGITS: usize = 15;

/// The digits of an exponent that is far from all bounds.
const KEPT_EXPONENT: usize = 2;

/// The length in bytes from which a value is replaced by its hash.
const LONG: usize = 4 << 10;

/// The hash of a text; `None` if it is not JSON, or names a member twice or has a number with so many digits that
/// readers understand it differently.
pub fn digest(text: &[u8]) -> Option<[u8; 32]> {
    let mut written = Vec::new();
    let mut reader = serde_json::Deserializer::from_slice(text);
    Value(&mut written).deserialize(&mut reader).ok()?;
    reader.end().ok()?;
    (!has_rounded_number(text)).then(|| Sha256::digest(&written).into())
}

/// Whether a text, which is JSON, has a number that some readers round, and others do not. One without a fraction is
/// read as it is up to 64 bits.
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

/// Writes a value. Each kind begins with a byte of its own.
struct Value<'a>(&'a mut Vec<u8>);

impl Value<'_> {
    fn write(self, kind: u8, bytes: &[u8]) {
        self.0.push(kind);
        self.0.extend_from_slice(bytes);
    }
}

/// Values that are written behind one another, as one.
struct Parts {
    begin: usize,
    /// The hash of the parts that were replaced so far.
    hash: Option<Sha256>,
}

impl Parts {
    const END: u8 = b']';

    fn begin(written: &mut Vec<u8>, kind: u8) -> Self {
        let begin = written.len();
        written.push(kind);
        Self { begin, hash: None }
    }

    /// A part was written.
    fn added(&mut self, written: &mut Vec<u8>) {
        if written.len() - self.begin >= LONG {
            self.replace(written);
        }
    }

    fn replace(&mut self, written: &mut Vec<u8>) {
        self.hash.get_or_insert_default().update(written.get(self.begin..).unwrap_or_default());
        written.truncate(self.begin);
    }

    fn end(mut self, written: &mut Vec<u8>) {
        written.push(Self::END);
        if self.hash.is_some() {
            self.replace(written);
        }
        if let Some(hash) = self.hash {
            Value(written).write(b'h', &hash.finalize());
        }
    }
}

impl<'de> DeserializeSeed<'de> for Value<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.write(b'0', &[]);
        Ok(())
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.write(b'b', &[u8::from(value)]);
        Ok(())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        match u8::try_from(value) {
            Ok(short) => self.write(b'n', &[short]),
            Err(_) => self.write(b'u', &value.to_le_bytes()),
        }
        Ok(())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.write(b'i', &value.to_le_bytes());
        Ok(())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        self.write(b'f', &value.to_bits().to_le_bytes());
        Ok(())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<(), E> {
        match u16::try_from(value.len()) {
            Ok(length) if value.len() < LONG => {
                self.0.push(b's');
                self.0.extend_from_slice(&length.to_le_bytes());
                self.0.extend_from_slice(value.as_bytes());
            }
            _ => self.write(b'l', &Sha256::digest(value)),
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let Self(written) = self;
        let mut parts = Parts::begin(written, b'a');
        while items.next_element_seed(Value(written))?.is_some() {
            parts.added(written);
        }
        parts.end(written);
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let Self(written) = self;
        let from = written.len();
        let mut ranges = Vec::new();
        while members.next_key_seed(Value(written))?.is_some() {
            let value = written.len();
            members.next_value_seed(Value(written))?;
            ranges.push(Member {
                name: ranges.last().map_or(from, |last: &Member| last.value.end)..value,
                value: value..written.len(),
            });
        }
        let unsorted = written.split_off(from);
        let of = |range: &Range<usize>| unsorted.get(range.start - from..range.end - from).unwrap_or_default();
        ranges.sort_unstable_by(|one, other| of(&one.name).cmp(of(&other.name)));
        if ranges.windows(2).any(|pair| matches!(pair, [one, other] if of(&one.name) == of(&other.name))) {
            return Err(Error::custom("a member that is there twice"));
        }
        let mut parts = Parts::begin(written, b'o');
        for member in &ranges {
            written.extend_from_slice(of(&(member.name.start..member.value.end)));
            parts.added(written);
        }
        parts.end(written);
        Ok(())
    }
}

/// Where a member of an object was written: first its name, then its value.
struct Member {
    name: Range<usize>,
    value: Range<usize>,
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

    #[test]
    fn long_values_have_one_hash_in_whatever_order_and_another_if_anything_differs() {
        let long = "x".repeat(LONG);
        let numbers = vec!["300"; LONG].join(",");
        let names: Vec<String> = (0..LONG).map(|at| format!("\"{at}\":{at}")).collect();
        let backwards: Vec<String> = names.iter().rev().cloned().collect();
        let of = |text: String| digest(text.as_bytes()).unwrap();
        assert_eq!(of(format!("{{{}}}", names.join(","))), of(format!("{{{}}}", backwards.join(", "))));
        let all = [
            format!("\"{long}\""),
            format!("\"{long}y\""),
            format!("[\"{long}\"]"),
            format!("{{\"{long}\":1}}"),
            format!("{{\"{long}\":2}}"),
            format!("{{\"a\":\"{long}\"}}"),
            format!("[{numbers}]"),
            format!("[{numbers},1]"),
            format!("[{numbers},301]"),
            format!("[[{numbers}]]"),
            format!("[[{numbers}],1]"),
            format!("[301,{numbers}]"),
            format!("{{{}}}", names.join(",")),
            format!("{{{},\"x\":[{numbers}]}}", names.join(",")),
        ];
        for (at, one) in all.iter().enumerate() {
            for other in all.iter().skip(at + 1) {
                assert_ne!(of(one.clone()), of(other.clone()), "{} {}", one.len(), other.len());
            }
        }
        assert_eq!(digest(format!("{{\"{long}\":1,\"{long}\":1}}").as_bytes()), None);
    }
}
