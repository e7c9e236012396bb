//! TOML as a tree in which each value knows its place.

use std::collections::BTreeMap;
use std::ops::Range;

use serde_json::Value as Json;
use sha2::{Digest as _, Sha256};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::options::escape;
use super::{Options, Place, Problem};

/// A value and its place.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) value: Value,
    pub(super) place: Place,
}

/// A value of the file as it was parsed.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Text(String),
    Whole(i64),
    Number(f64),
    Flag(bool),
    List(Vec<Node>),
    Table(Table),
    /// A value that no key accepts: a date, or a number that is too large.
    Other(&'static str),
}

/// Members by name, with the place of the name.
pub(super) type Table = BTreeMap<String, Member>;

/// A member of a table.
#[derive(Debug, Clone)]
pub(super) struct Member {
    pub(super) key: Place,
    pub(super) node: Node,
}

/// Parses a file. Broken parts are left out and reported; the rest is returned.
pub(super) fn parse(text: &str) -> (Node, Vec<Problem>) {
    let (table, errors) = DeTable::parse_recoverable(text);
    let place = Place::File(table.span());
    let problems = errors.iter().map(|error| syntax(error, text.len())).collect();
    let table = table.into_inner().into_iter().map(|(key, value)| member(key, value, &Place::File)).collect();
    (Node { value: Value::Table(table), place }, problems)
}

/// The parts of a file around what is broken, in their order. They may have been understood in another way than they
/// are meant, so that mistakes which seem to be there may be none.
pub(super) fn unsure(text: &str, broken: &[Problem]) -> Vec<Range<usize>> {
    let starts = broken.iter().filter_map(|problem| match &problem.place {
        Place::File(span) => Some(span.start),
        Place::Variable(_) | Place::Unset => None,
    });
    let mut starts: Vec<usize> = starts.collect();
    starts.sort_unstable();
    let mut parts: Vec<Range<usize>> = Vec::new();
    for at in starts {
        // Each line is looked at once, however much is wrong in it.
        if parts.last().is_none_or(|last| at >= last.end) {
            parts.push(around(text.as_bytes(), at));
        }
    }
    parts
}

/// The line of a mistake. If that names a table, all lines up to the next one that does: they count as another table's.
fn around(text: &[u8], at: usize) -> Range<usize> {
    // What is missing at the end of a line may be missed behind it.
    let at = at.min(text.len());
    let at = if text[..at].ends_with(b"\n") { at - 1 } else { at };
    let start = memchr::memrchr(b'\n', &text[..at]).map_or(0, |newline| newline + 1);
    let mut end = line_end(text, at);
    if names_table(&text[start..]) {
        while end < text.len() && !names_table(&text[end..]) {
            end = line_end(text, end);
        }
    }
    start..end
}

/// Behind the newline of the line of this place.
fn line_end(text: &[u8], at: usize) -> usize {
    memchr::memchr(b'\n', &text[at..]).map_or(text.len(), |newline| at + newline + 1)
}

fn names_table(line: &[u8]) -> bool {
    line.trim_ascii_start().starts_with(b"[")
}

/// Parses the value of an environment variable.
pub(super) fn parse_value(text: &str, place: &Place) -> Option<Node> {
    let value = DeValue::parse(text).ok()?;
    Some(node(value, &|_| place.clone()))
}

fn syntax(error: &toml::de::Error, end: usize) -> Problem {
    let span = error.span().unwrap_or(end..end);
    Problem::error(&Place::File(span), format!("not valid TOML: {}", error.message().replace('\n', ", ")))
}

type PlaceOf<'a> = &'a dyn Fn(Range<usize>) -> Place;

fn member(
    key: Spanned<std::borrow::Cow<'_, str>>,
    value: Spanned<DeValue<'_>>,
    place_of: PlaceOf<'_>,
) -> (String, Member) {
    let place = place_of(key.span());
    (key.into_inner().into_owned(), Member { key: place, node: node(value, place_of) })
}

fn node(value: Spanned<DeValue<'_>>, place_of: PlaceOf<'_>) -> Node {
    let place = place_of(value.span());
    let value = match value.into_inner() {
        DeValue::String(text) => Value::Text(text.into_owned()),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map_or(Value::Other("an integer that is too large"), Value::Whole),
        DeValue::Float(number) => number.as_str().parse().map_or(Value::Other("no number"), Value::Number),
        DeValue::Boolean(flag) => Value::Flag(flag),
        DeValue::Datetime(_) => Value::Other("a date"),
        DeValue::Array(items) => Value::List(items.into_iter().map(|item| node(item, place_of)).collect()),
        DeValue::Table(table) => {
            Value::Table(table.into_iter().map(|(key, value)| member(key, value, place_of)).collect())
        }
    };
    Node { value, place }
}

/// The digest of a tree without these members, which are named by their paths with dots.
pub(super) fn digest(root: &Node, without: &[&str]) -> [u8; 32] {
    let mut digest = Sha256::new();
    add(&mut digest, root, "", without);
    digest.finalize().into()
}

fn add(digest: &mut Sha256, node: &Node, path: &str, without: &[&str]) {
    let mut part = |kind: u8, text: &str| {
        digest.update([kind]);
        digest.update((text.len() as u64).to_le_bytes());
        digest.update(text);
    };
    match &node.value {
        Value::Text(text) => part(b't', text),
        Value::Whole(number) => part(b'w', &number.to_string()),
        Value::Number(number) => part(b'n', &number.to_string()),
        Value::Flag(flag) => part(b'f', if *flag { "1" } else { "0" }),
        Value::Other(kind) => part(b'o', kind),
        Value::List(items) => {
            part(b'[', &items.len().to_string());
            for item in items {
                add(digest, item, path, without);
            }
        }
        Value::Table(table) => {
            let of = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
            let counted = table.iter().map(|(name, member)| (of(name), name, member));
            let counted = counted.filter(|(path, _, member)| !is_left_out(&member.node, path, without));
            let counted: Vec<_> = counted.collect();
            part(b'{', &counted.len().to_string());
            for (path, name, member) in counted {
                digest.update((name.len() as u64).to_le_bytes());
                digest.update(name);
                add(digest, &member.node, &path, without);
            }
        }
    }
}

/// Whether a member is left out: by its path, or since it is a table of such members only.
fn is_left_out(node: &Node, path: &str, without: &[&str]) -> bool {
    let is_emptied = |table: &Table| {
        let is_named = |name: &String| without.contains(&format!("{path}.{name}").as_str());
        !table.is_empty() && table.keys().all(is_named)
    };
    without.contains(&path) || matches!(&node.value, Value::Table(table) if is_emptied(table))
}

impl Node {
    /// The kind of value, for messages. Never its text, which may be a secret.
    pub(super) fn kind(&self) -> &'static str {
        match self.value {
            Value::Text(_) => "a string",
            Value::Whole(_) => "an integer",
            Value::Number(_) => "a number",
            Value::Flag(_) => "a boolean",
            Value::List(_) => "a list",
            Value::Table(_) => "a table",
            Value::Other(kind) => kind,
        }
    }

    /// The text, if it came from a variable, where every value is a text.
    pub(super) fn variable_text(&self) -> Option<&str> {
        match (&self.value, &self.place) {
            (Value::Text(text), Place::Variable(_)) => Some(text.trim()),
            _ => None,
        }
    }

    /// Converts the value to JSON and collects the places by JSON pointer.
    fn into_json(self, pointer: &str, places: &mut BTreeMap<String, Place>) -> Result<Json, Problem> {
        // A variable's text becomes a number if it looks like one.
        let typed = self.variable_text().and_then(|text| parse_value(text, &self.place));
        let Self { value, place } = typed.unwrap_or(self);
        places.insert(pointer.to_owned(), place.clone());
        Ok(match value {
            Value::Text(text) => Json::String(text),
            Value::Whole(number) => Json::from(number),
            Value::Number(number) => serde_json::Number::from_f64(number)
                .map(Json::Number)
                .ok_or_else(|| Problem::error(&place, "an option cannot be infinite or no number"))?,
            Value::Flag(flag) => Json::Bool(flag),
            Value::Other(kind) => return Err(Problem::error(&place, format!("an option cannot be {kind}"))),
            Value::List(items) => {
                let items = items.into_iter().enumerate();
                Json::Array(
                    items
                        .map(|(at, item)| item.into_json(&format!("{pointer}/{at}"), places))
                        .collect::<Result<_, _>>()?,
                )
            }
            Value::Table(table) => Json::Object(members_into_json(table, pointer, places)?),
        })
    }
}

fn members_into_json(
    table: Table,
    pointer: &str,
    places: &mut BTreeMap<String, Place>,
) -> Result<serde_json::Map<String, Json>, Problem> {
    let members = table.into_iter();
    members
        .map(|(name, member)| {
            let json = member.node.into_json(&format!("{pointer}/{}", escape(&name)), places)?;
            Ok((name, json))
        })
        .collect()
}

/// Converts a table to an adapter's options.
pub(super) fn options(table: Table, place: Place) -> Result<Options, Problem> {
    let mut places = BTreeMap::new();
    let values = members_into_json(table, "", &mut places)?;
    Ok(Options { values, place, places })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_value_knows_where_it_stands() {
        let text = "[server]\nport = 80\n";
        let (root, problems) = parse(text);
        assert!(problems.is_empty());
        let Value::Table(root) = root.value else { panic!() };
        let Value::Table(server) = &root["server"].node.value else { panic!() };
        assert_eq!(root["server"].node.place, Place::File(0..8));
        assert_eq!((&server["port"].key, &server["port"].node.place), (&Place::File(9..13), &Place::File(16..18)));
    }

    #[test]
    fn all_syntax_errors_are_reported() {
        let (root, problems) = parse("a = \nb = 1\nc = [\n\nd = = 2\n");
        assert!(problems.len() >= 2, "{problems:?}");
        let Value::Table(root) = root.value else { panic!() };
        assert!(matches!(root["b"].node.value, Value::Whole(1)));
    }

    #[test]
    fn options_become_json_with_places() {
        let (root, _) = parse("a = 1\nb = { 'x/y' = [true, \"z\"] }\n");
        let Value::Table(root) = root.value else { panic!() };
        let options = options(root, Place::Unset).unwrap();
        assert_eq!(Json::Object(options.values.clone()), serde_json::json!({"a": 1, "b": {"x/y": [true, "z"]}}));
        assert_eq!(options.place_of("/b/x~1y/1"), Place::File(27..30));
    }

    #[test]
    fn deep_nesting_is_refused_and_not_followed() {
        let (_, problems) = parse(&format!("a = {}{}", "[".repeat(100_000), "]".repeat(100_000)));
        assert!(!problems.is_empty());
        parse(&format!("{}a = 1", "a.".repeat(100_000)));
    }
}
