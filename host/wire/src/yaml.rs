//! The subset of YAML that cassettes use: one document, the core schema, `!!binary`, and aliases within bounds.

mod node;

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use saphyr_parser::{Event, Parser, ScalarStyle, Tag};

pub use self::node::Node;

/// Maximum nesting depth of values.
const DEPTH: usize = 128;
/// Maximum number of values that all aliases expand to; without it, a few lines can expand to billions.
const ALIASED: usize = 100_000;

/// Why a text is not YAML that cassettes use.
#[derive(Debug, thiserror::Error)]
pub enum YamlError {
    /// It breaks the rules of YAML.
    #[error(transparent)]
    Syntax(#[from] saphyr_parser::ScanError),
    /// Its values are nested too deep.
    #[error("it is nested more than {DEPTH} deep")]
    Depth,
    /// It has no end.
    #[error("it ends in the middle")]
    Cut,
    /// An alias has no anchor.
    #[error("an alias names nothing")]
    NoAnchor,
    /// Its aliases expand to too many values.
    #[error("its aliases stand for too much")]
    Aliases,
    /// Bytes are not written as such.
    #[error("a `!!binary` is not base64")]
    Base64,
    /// It says something for which JSON has no words.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
}

/// Parses the first document.
///
/// # Errors
///
/// The text is not YAML, or more than cassettes use.
pub fn read(text: &str) -> Result<Node, YamlError> {
    let mut reading = NodeReader { parser: Parser::new_from_str(text), anchors: HashMap::new(), aliased: 0 };
    loop {
        match reading.next()? {
            Event::StreamStart | Event::DocumentStart(_) | Event::Nothing => {}
            Event::StreamEnd | Event::DocumentEnd => return Ok(Node::Null),
            event => return reading.node(event, DEPTH),
        }
    }
}

/// Parses a YAML document as JSON, for other readers of such files. Bytes become text, lossily.
///
/// # Errors
///
/// As for [`read`].
pub fn as_json(text: &str) -> Result<serde_json::Value, YamlError> {
    Ok(serde_json::from_str(&read(text)?.json())?)
}

struct NodeReader<'t> {
    parser: Parser<'t, saphyr_parser::StrInput<'t>>,
    anchors: HashMap<usize, Node>,
    aliased: usize,
}

impl<'t> NodeReader<'t> {
    fn next(&mut self) -> Result<Event<'t>, YamlError> {
        match self.parser.next_event() {
            Some(Ok((event, _))) => Ok(event),
            Some(Err(error)) => Err(error.into()),
            None => Ok(Event::StreamEnd),
        }
    }

    fn node(&mut self, event: Event<'t>, depth: usize) -> Result<Node, YamlError> {
        let depth = depth.checked_sub(1).ok_or(YamlError::Depth)?;
        let (node, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => (scalar(&text, style, tag.as_deref())?, anchor),
            Event::SequenceStart(anchor, _) => (self.list(depth)?, anchor),
            Event::MappingStart(anchor, _) => (self.map(depth)?, anchor),
            Event::Alias(anchor) => return self.alias(anchor),
            _ => return Err(YamlError::Cut),
        };
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn list(&mut self, depth: usize) -> Result<Node, YamlError> {
        let mut list = Vec::new();
        loop {
            match self.next()? {
                Event::SequenceEnd => return Ok(Node::List(list)),
                event => list.push(self.node(event, depth)?),
            }
        }
    }

    fn map(&mut self, depth: usize) -> Result<Node, YamlError> {
        let mut members = Vec::new();
        loop {
            let name = match self.next()? {
                Event::MappingEnd => return Ok(Node::Map(members)),
                event => self.node(event, depth)?,
            };
            let value = self.next()?;
            let value = self.node(value, depth)?;
            let name = name.text().map_or_else(|| name.json(), str::to_owned);
            members.push((name, value));
        }
    }

    fn alias(&mut self, anchor: usize) -> Result<Node, YamlError> {
        let node = self.anchors.get(&anchor).cloned().ok_or(YamlError::NoAnchor)?;
        self.aliased = self.aliased.saturating_add(size(&node));
        if self.aliased > ALIASED { Err(YamlError::Aliases) } else { Ok(node) }
    }
}

fn size(node: &Node) -> usize {
    1 + node.list().iter().map(size).sum::<usize>() + node.map().iter().map(|(_, node)| size(node)).sum::<usize>()
}

fn scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Result<Node, YamlError> {
    match tag.filter(|tag| tag.is_yaml_core_schema()).map(|tag| tag.suffix.as_str()) {
        Some("binary") => {
            let packed: String = text.split_whitespace().collect();
            STANDARD.decode(packed).map(Node::Bytes).map_err(|_| YamlError::Base64)
        }
        None if style == ScalarStyle::Plain && tag.is_none() => Ok(plain(text)),
        Some("int" | "float" | "bool" | "null") => Ok(plain(text)),
        _ => Ok(Node::Text(text.to_owned())),
    }
}

/// Interprets an unquoted scalar. It is a number only if JSON spells it the same.
fn plain(text: &str) -> Node {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Node::Null,
        "true" | "True" | "TRUE" => Node::Bool(true),
        "false" | "False" | "FALSE" => Node::Bool(false),
        _ if serde_json::from_str::<serde_json::Number>(text).is_ok() => Node::Number(text.to_owned()),
        _ => Node::Text(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scalars_of_cassettes_are_read() {
        let node = read("a: !!binary |\n  aGVs\n  bG8=\nb: 'it''s\n  folded'\nc: \"\\xE9\\n\\\n  x\"\nd: 200\ne: ~\nf: [yes, 1e3, a-b]\n").unwrap();
        assert_eq!(node.get("a"), Some(&Node::Bytes(b"hello".to_vec())));
        assert_eq!(node.get("b").unwrap().text(), Some("it's folded"));
        assert_eq!(node.get("c").unwrap().text(), Some("é\nx"));
        assert_eq!(node.get("d").unwrap().number(), Some(200));
        assert_eq!(node.get("e"), Some(&Node::Null));
        assert_eq!(node.get("f").unwrap().json(), r#"["yes",1e3,"a-b"]"#);
    }

    #[test]
    fn unbounded_growth_and_nesting_are_refused() {
        let bomb = (1..40).fold("a0: &a0 [x, x, x, x]\n".to_owned(), |text, n| {
            let last = n - 1;
            text + &format!("a{n}: &a{n} [*a{last}, *a{last}, *a{last}]\n")
        });
        assert!(matches!(read(&bomb), Err(YamlError::Aliases)));
        assert!(read(&"[".repeat(100_000)).is_err());
        assert!(read("a: [1").is_err());
    }
}
