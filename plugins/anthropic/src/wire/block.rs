//! A content block, or a tool: an object whose type decides the meaning of its members.
//!
//! It is parsed in one pass. Long texts are typed at once, and so is a tool result's content if the type is known by
//! then; everything else stays raw and in order, so that a block of an unknown type can be written back unchanged.

use std::fmt;

use weir_sdk::json::{Either, Object, RawValue, Rest, Str, object, parse};
use weir_sdk::serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

/// The `content` of a block.
#[derive(Debug, Clone)]
pub(crate) enum Content<'a> {
    /// The type was not known yet, or is not a tool result.
    Raw(&'a RawValue),
    /// The content of a tool result.
    Blocks(Either<'a, Block<'a>>),
}

/// An object with a `type`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Block<'a> {
    /// `type`; tools may omit it.
    pub(crate) kind: Option<Str<'a>>,
    pub(crate) text: Option<Str<'a>>,
    pub(crate) thinking: Option<Str<'a>>,
    pub(crate) description: Option<Str<'a>>,
    pub(crate) content: Option<Content<'a>>,
    /// All other members, in order.
    pub(crate) rest: Rest<'a>,
}

impl<'a> Block<'a> {
    /// The type; empty if there is none.
    pub(crate) fn kind(&self) -> &str {
        self.kind.as_deref().unwrap_or_default()
    }

    /// Removes a member and returns it; it must be a string if it is present.
    pub(crate) fn take_str(&mut self, key: &str) -> Result<Option<String>, weir_sdk::types::Error> {
        let text: Option<Str<'a>> = self.take(key)?;
        Ok(text.map(Str::into_string))
    }

    /// Removes a member and returns it with this type, if it is present and not null.
    pub(crate) fn take<T: Deserialize<'a>>(&mut self, key: &str) -> Result<Option<T>, weir_sdk::types::Error> {
        let Some(raw) = self.rest.take(key) else { return Ok(None) };
        parse(raw.get()).map_err(|error| weir_sdk::types::Error::invalid(format!("{key}: {error}")).at(key))
    }

    /// Removes the content and returns it as a list of blocks or a text.
    pub(crate) fn take_content(&mut self) -> Result<Either<'a, Block<'a>>, weir_sdk::types::Error> {
        match self.content.take() {
            None => Ok(Either::default()),
            Some(Content::Blocks(blocks)) => Ok(blocks),
            Some(Content::Raw(raw)) => parse(raw.get())
                .map_err(|error| weir_sdk::types::Error::invalid(format!("content: {error}")).at("content")),
        }
    }

    /// The block as JSON.
    pub(crate) fn to_json(&self) -> String {
        let mut out = String::new();
        object(&mut out, |o| self.members(o));
        out
    }

    fn members(&self, o: &mut Object<'_>) {
        o.opt_str("type", self.kind.as_deref());
        o.opt_str("text", self.text.as_deref());
        o.opt_str("thinking", self.thinking.as_deref());
        for (key, raw) in &self.rest.0 {
            o.raw(key, raw.get());
        }
        o.opt_str("description", self.description.as_deref());
        match &self.content {
            None => {}
            Some(Content::Raw(raw)) => o.raw("content", raw.get()),
            Some(Content::Blocks(Either::Text(text))) => o.str("content", text),
            Some(Content::Blocks(Either::List(blocks))) => o.array("content", |a| {
                for block in blocks {
                    a.object(|o| block.members(o));
                }
            }),
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Block<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Members)
    }
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Block<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Block<'de>, A::Error> {
        let mut block = Block::default();
        while let Some(key) = map.next_key::<Str<'de>>()? {
            match &*key {
                "type" => block.kind = map.next_value().map_err(|error| named("type", &error))?,
                "text" => block.text = map.next_value().map_err(|error| named("text", &error))?,
                "thinking" => block.thinking = map.next_value().map_err(|error| named("thinking", &error))?,
                "description" => block.description = map.next_value().map_err(|error| named("description", &error))?,
                "content" if block.kind() == "tool_result" => {
                    block.content =
                        map.next_value::<Option<_>>().map_err(|error| named("content", &error))?.map(Content::Blocks);
                }
                "content" => block.content = Some(Content::Raw(map.next_value()?)),
                _ => block.rest.0.push((key, map.next_value()?)),
            }
        }
        Ok(block)
    }
}

fn named<E: weir_sdk::serde::de::Error>(key: &str, error: &E) -> E {
    E::custom(format_args!("{key}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_of_an_unknown_type_is_written_back_with_every_member() {
        let json = r#"{"type":"news","text":"a \"b\"","x":{"y":[1,null]},"description":"d","content":[{"type":"z"}]}"#;
        let block: Block<'_> = parse(json).unwrap();
        assert_eq!(block.to_json(), json);
    }

    #[test]
    fn the_content_of_a_tool_result_is_read_whether_its_type_comes_first_or_last() {
        for json in [
            r#"{"type":"tool_result","content":[{"type":"text","text":"5"}],"tool_use_id":"t"}"#,
            r#"{"content":[{"type":"text","text":"5"}],"tool_use_id":"t","type":"tool_result"}"#,
        ] {
            let mut block: Block<'_> = parse(json).unwrap();
            let Either::List(blocks) = block.take_content().unwrap() else { panic!("a list") };
            assert_eq!(blocks[0].text.as_deref(), Some("5"));
        }
    }
}
