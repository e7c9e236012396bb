//! Converts what a request declares about a document that may be cited from one of both formats to the other.

use super::{CONVERSE, MESSAGES};
use crate::json::{RawValue, Rest, Str, list, text};
use crate::types::{Extension, MediaKind, MediaPart};

/// A document of the other format.
#[derive(Debug, Default, PartialEq)]
pub struct Document {
    /// The texts that it is made of, if citations count them.
    pub texts: Option<Vec<String>>,
    /// Where a search result comes from; `None` for other documents.
    pub found_at: Option<String>,
    /// The member `context`, as JSON.
    pub context: Option<String>,
    /// The member `citations`, as JSON.
    pub citations: Option<String>,
    /// The extensions that say something else.
    pub left: Vec<Extension>,
}

impl Document {
    /// Reads a document of Converse.
    pub fn of_converse(media: &MediaPart) -> Self {
        Self::read(media, CONVERSE, |read, own| match own.key.as_str() {
            "searchResult" => Rest::parse(&own.json).is_ok_and(|mut found| read.found(&mut found)),
            "source" => Rest::parse(&own.json).is_ok_and(|source| read.made_of(source.get("content"))),
            _ => false,
        })
    }

    /// Reads a document of Messages.
    pub fn of_messages(media: &MediaPart) -> Self {
        Self::read(media, MESSAGES, |read, own| {
            let Ok(mut block) = Rest::parse(&own.json) else { return false };
            match (own.key.as_str(), block.str("type").as_deref()) {
                ("block", Some("search_result")) => read.found(&mut block),
                ("block", Some("document")) => {
                    let source = block.object("source");
                    let known = source.is_some_and(|source| read.made_of(source.get("content")));
                    read.settings(&mut block);
                    known
                }
                _ => false,
            }
        })
    }

    fn read(media: &MediaPart, format: &str, whole: impl Fn(&mut Self, &Extension) -> bool) -> Self {
        let mut read = Self::default();
        for own in &media.extensions {
            let mine = own.format == format && media.kind == MediaKind::Document && own.json != "null";
            match own.key.as_str() {
                "context" if mine => read.context = Some(own.json.clone()),
                "citations" if mine => read.citations = Some(own.json.clone()),
                _ if mine && whole(&mut read, own) => {}
                _ => read.left.push(own.clone()),
            }
        }
        read
    }

    /// Takes a search result, which both formats have with the same members.
    fn found(&mut self, result: &mut Rest<'_>) -> bool {
        let Some(source) = result.str("source") else { return false };
        let known = self.made_of(result.get("content"));
        if known {
            self.found_at = Some(source.into_string());
            self.settings(result);
        }
        known
    }

    /// Takes the texts that a document is made of. They are one text, or blocks that are all texts.
    fn made_of(&mut self, content: Option<&RawValue>) -> bool {
        let Some(raw) = content else { return false };
        let blocks = |raw: &RawValue| list(raw)?.into_iter().map(words).collect::<Option<Vec<String>>>();
        self.texts = text(raw).map(|text| vec![text.into_string()]).or_else(|| blocks(raw));
        self.texts.is_some()
    }

    fn settings(&mut self, members: &mut Rest<'_>) {
        let mut take = |key: &str| members.value(key).map(|raw| raw.get().to_owned());
        (self.context, self.citations) = (take("context"), take("citations"));
    }
}

/// The words of a block of text.
fn words(block: &RawValue) -> Option<String> {
    let mut block = Rest::parse(block.get()).ok()?;
    let text = block.str("text").map(Str::into_string);
    let others = block.0.iter().any(|(key, _)| !matches!(&**key, "type" | "citations" | "cache_control"));
    text.filter(|_| !others)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::MediaSource;

    fn document(extensions: &[(&str, &str, &str)]) -> MediaPart {
        let extension = |&(format, key, json): &(&str, &str, &str)| Extension {
            format: format.into(),
            key: key.into(),
            json: json.into(),
        };
        let extensions = extensions.iter().map(extension).collect();
        MediaPart { extensions, ..MediaPart::new(MediaKind::Document, MediaSource::Text("a\nb".into())) }
    }

    #[test]
    fn a_documents_settings_and_texts_are_read() {
        let block = r#"{"type":"document","context":"c","citations":{"enabled":true},
            "source":{"type":"content","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}}"#;
        let read = Document::of_messages(&document(&[(MESSAGES, "block", block)]));
        let expected = Document {
            texts: Some(vec!["a".into(), "b".into()]),
            context: Some(r#""c""#.into()),
            citations: Some(r#"{"enabled":true}"#.into()),
            ..Document::default()
        };
        assert_eq!(read, expected);
        let chunks = (CONVERSE, "source", r#"{"content":[{"text":"a"},{"text":"b"}]}"#);
        let members = [(CONVERSE, "context", r#""c""#), (CONVERSE, "citations", r#"{"enabled":true}"#), chunks];
        assert_eq!(Document::of_converse(&document(&members)), expected);
    }

    #[test]
    fn what_is_not_of_the_other_format_is_left() {
        let image = r#"{"type":"search_result","source":"s","content":[{"type":"image"}]}"#;
        let stored = (CONVERSE, "source", r#"{"s3Location":{"uri":"s3://b/k"}}"#);
        for others in [[(MESSAGES, "block", image), stored], [(MESSAGES, "x", "1"), stored]] {
            let media = document(&others);
            for read in [Document::of_messages(&media), Document::of_converse(&media)] {
                assert_eq!(read, Document { left: media.extensions.clone(), ..Document::default() });
            }
        }
    }
}
