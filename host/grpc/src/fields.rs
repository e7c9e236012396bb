//! Counts the repeated values of a message before it is decoded. A part that takes two bytes on the wire takes hundreds
//! in memory, so the bytes of a body do not bound what it becomes.

use std::collections::HashMap;
use std::sync::LazyLock;

/// The most messages and repeated texts within a message. Each takes some hundred bytes at most, besides its text.
const MAX_VALUES: usize = 256 << 10;
/// How deep messages are looked into. The decoder refuses deeper ones.
const DEPTH: u8 = 100;
/// The service's own messages, some of which have the names of the contract's types.
const SERVICE: &str = "weir.v1.";
const TYPES: &str = "weir.types.v1.";

/// The fields of each message that hold messages, with their types, or repeated texts (`""`), by their numbers.
type Fields = HashMap<String, HashMap<u64, String>>;

static SCHEMA: LazyLock<Schema> = LazyLock::new(|| Schema::of(&fields()));

fn fields() -> Fields {
    let mut messages = HashMap::new();
    read_schema(SERVICE, include_str!("../proto/weir/v1/inference.proto"), &mut messages);
    read_schema(TYPES, include_str!("../proto/weir/types/v1/types.proto"), &mut messages);
    messages
}

/// The same for the walk, which looks up a field for each value of a request: messages and fields are places in lists.
struct Schema {
    /// The places of messages, by name.
    places: HashMap<String, usize>,
    messages: Vec<Vec<FieldKind>>,
}

/// What a field holds.
#[derive(Debug, Clone, Copy)]
enum FieldKind {
    /// Neither messages nor repeated texts.
    Nothing,
    Text,
    /// The message at this place.
    Message(usize),
}

impl Schema {
    fn of(fields: &Fields) -> Self {
        let names = || fields.keys().enumerate();
        let places: HashMap<String, usize> = names().map(|(place, name)| (name.clone(), place)).collect();
        let held = |inner: &String| places.get(inner).map_or(FieldKind::Text, |place| FieldKind::Message(*place));
        let row = |fields: &HashMap<u64, String>| {
            let most = fields.keys().max().map_or(0, |most| *most as usize);
            let of = |number| fields.get(&(number as u64)).map_or(FieldKind::Nothing, held);
            (0..=most).map(of).collect()
        };
        let messages = fields.values().map(row).collect();
        Self { places, messages }
    }
}

/// More values than a request may have.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("it has more than {MAX_VALUES} values")]
pub(crate) struct TooMany;

/// Checks the number of values in a message of the service, by its name.
pub(crate) fn check(name: &str, message: &[u8]) -> Result<(), TooMany> {
    let (schema, mut left) = (&*SCHEMA, MAX_VALUES);
    let Some(place) = schema.places.get(&format!("{SERVICE}{name}")) else { return Ok(()) };
    walk(schema, *place, message, DEPTH, &mut left)
}

/// Whether the schema has a message of the service by this name.
#[cfg(test)]
pub(crate) fn knows(name: &str) -> bool {
    SCHEMA.places.contains_key(&format!("{SERVICE}{name}"))
}

/// Counts up to the end, or to what the decoder will refuse.
fn walk(schema: &Schema, place: usize, mut bytes: &[u8], depth: u8, left: &mut usize) -> Result<(), TooMany> {
    let fields = schema.messages.get(place).map_or(&[][..], Vec::as_slice);
    while let Some((number, value, rest)) = field(bytes) {
        let held = usize::try_from(number).ok().and_then(|number| fields.get(number));
        match held {
            None | Some(FieldKind::Nothing) => {}
            Some(FieldKind::Text) => *left = left.checked_sub(1).ok_or(TooMany)?,
            Some(FieldKind::Message(inner)) => {
                *left = left.checked_sub(1).ok_or(TooMany)?;
                if depth > 0 {
                    walk(schema, *inner, value, depth - 1, left)?;
                }
            }
        }
        bytes = rest;
    }
    Ok(())
}

/// The number and the bytes of the first field, if they may be a message or a text, and what follows it.
/// Source: <https://protobuf.dev/programming-guides/encoding/>.
fn field(bytes: &[u8]) -> Option<(u64, &[u8], &[u8])> {
    let (tag, rest) = varint(bytes)?;
    let (value, rest): (&[u8], _) = match tag & 7 {
        0 => (&[], varint(rest)?.1),
        1 => (&[], rest.get(8..)?),
        2 => {
            let (length, rest) = varint(rest)?;
            rest.split_at_checked(usize::try_from(length).ok()?)?
        }
        // Of a group, which the decoder skips, the fields are counted as if they stood beside it.
        3 | 4 => (&[], rest),
        5 => (&[], rest.get(4..)?),
        _ => return None,
    };
    Some((tag >> 3, value, rest))
}

fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0;
    for (at, byte) in bytes.iter().enumerate().take(10) {
        value |= u64::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Some((value, bytes.get(at + 1..)?));
        }
    }
    None
}

/// Reads the generated schema, which has one thing a line.
fn read_schema(package: &str, schema: &str, messages: &mut HashMap<String, HashMap<u64, String>>) {
    let mut current = String::new();
    for line in schema.lines().map(str::trim).filter(|line| !line.starts_with("//")) {
        let words: Vec<&str> = line.trim_end_matches(';').split(' ').collect();
        match words[..] {
            ["message", name, "{"] => current = format!("{package}{name}"),
            ["enum" | "service", ..] => current.clear(),
            [.., kind, _, "=", number] if !current.is_empty() => {
                let is_message = kind.rsplit('.').next().is_some_and(|name| name.starts_with(char::is_uppercase));
                let inner = match (is_message, kind.contains('.')) {
                    (true, true) => kind.to_owned(),
                    (true, false) => format!("{package}{kind}"),
                    (false, _) => String::new(),
                };
                let number = number.parse().ok().filter(|_| is_message || words.first() == Some(&"repeated"));
                if let Some(number) = number {
                    messages.entry(current.clone()).or_default().insert(number, inner);
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A field with a value of these bytes.
    fn holding(number: u64, inner: &[u8]) -> Vec<u8> {
        let mut out = vec![u8::try_from(number << 3 | 2).unwrap()];
        let mut length = inner.len();
        while length > 0x7f {
            out.push(length.to_le_bytes()[0] | 0x80);
            length >>= 7;
        }
        out.push(length.to_le_bytes()[0]);
        out.extend_from_slice(inner);
        out
    }

    /// The number of the field of a message that holds messages of another.
    fn number(of: &str, inner: &str) -> u64 {
        *fields()[of].iter().find(|(_, kind)| *kind == inner).unwrap().0
    }

    /// A request whose one message has these bytes for its parts.
    fn request(parts: &[u8]) -> Vec<u8> {
        let messages = number("weir.types.v1.ChatRequest", "weir.types.v1.Message");
        holding(number("weir.v1.GenerateRequest", "weir.types.v1.ChatRequest"), &holding(messages, parts))
    }

    fn part(inner: &[u8]) -> Vec<u8> {
        holding(number("weir.types.v1.Message", "weir.types.v1.Part"), inner)
    }

    #[test]
    fn values_count_however_small_and_deep_they_are() {
        assert_eq!(check("GenerateRequest", &request(&part(&[]).repeat(MAX_VALUES - 2))), Ok(()));
        assert_eq!(check("GenerateRequest", &request(&part(&[]).repeat(MAX_VALUES - 1))), Err(TooMany));
        let fields = fields();
        let inputs: Vec<&str> = fields["weir.types.v1.RerankRequest"].values().map(String::as_str).collect();
        assert!(inputs.contains(&"weir.types.v1.RerankDocument"), "{inputs:?}");
    }

    #[test]
    fn values_count_behind_and_within_a_group_too() {
        let chat = number("weir.v1.GenerateRequest", "weir.types.v1.ChatRequest");
        let messages = number("weir.types.v1.ChatRequest", "weir.types.v1.Message");
        let (begin, end) = (&[15 << 3 | 3][..], &[15 << 3 | 4][..]);
        let many = holding(messages, &[]).repeat(MAX_VALUES);
        let before = [&[begin, end].concat(), &*holding(chat, &many)].concat();
        let within = holding(chat, &[begin, end, &many].concat());
        let nested = holding(chat, &[begin, begin, end, end, &many].concat());
        let inside = holding(chat, &[begin, &many, end].concat());
        for message in [before, within, nested, inside] {
            assert_eq!(check("GenerateRequest", &message), Err(TooMany));
        }
        assert_eq!(check("GenerateRequest", &[begin, end, &request(&part(&[]))].concat()), Ok(()));
    }

    #[test]
    fn a_text_counts_once_whatever_it_holds() {
        let text = number("weir.types.v1.Part", "weir.types.v1.TextPart");
        for letter in ["a", "z", "2", "\n", "\u{0}", "The quick brown fox. "] {
            let text = holding(text, &holding(1, letter.repeat(1 << 20).as_bytes()));
            assert_eq!(check("GenerateRequest", &request(&part(&text))), Ok(()), "{letter}");
        }
    }

    #[test]
    fn what_is_no_message_is_left_to_the_decoder() {
        for broken in [&[0x0a][..], &[0x0a, 5, 1], &[0x00], &[0x0b], &[0xff; 11], &[0x09, 1]] {
            assert_eq!(check("GenerateRequest", broken), Ok(()));
        }
        assert_eq!(check("Unknown", &[0x0a, 0]), Ok(()));
    }
}
