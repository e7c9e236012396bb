//! The file that a recording is (`docs/fixtures.md`), read and written from the same types.
//!
//! Members that only people and other tools read are passed over; a recording that `weir record` writes has none but
//! those named here.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// One recorded exchange as it stands in its file.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct File {
    /// A name for logs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Who answered, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// Whether the answer is a stream.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub streaming: Option<bool>,
    /// How long the pieces of a stream wait after each other, where they don't say so themselves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pace_ms: Option<u64>,
    /// Where it was taken from, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Box<RawValue>>,
    /// What was sent.
    pub request: RequestPart,
    /// What came back.
    pub response: ResponsePart,
}

/// The request of a recorded exchange.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct RequestPart {
    /// The method.
    pub method: String,
    /// The path with all that the provider's API has in front of it, and the query.
    pub path_and_query: String,
    /// What negotiates content and versions, for people and other tools.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "texts")]
    pub headers: BTreeMap<String, String>,
    /// A JSON body as it stands in the file.
    pub body: Option<Box<RawValue>>,
    /// Any other text, for people and other tools.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body_text: Option<String>,
    /// Bytes, likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body_base64: Option<String>,
}

/// The answer of a recorded exchange.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct ResponsePart {
    /// The status.
    pub status: u16,
    /// The headers that were kept.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// As it stands in the file: the order of members and the spelling of numbers are part of an answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<Box<RawValue>>,
    /// Any other text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body_text: Option<String>,
    /// Bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body_base64: Option<String>,
    /// The pieces of a stream as they came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chunks: Option<Vec<ChunkPart>>,
}

/// One piece of a stream: either text or base64.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct ChunkPart {
    /// Text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base64: Option<String>,
    /// How long it let wait after the one before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after_ms: Option<u64>,
}

/// Headers whose value is a text; others are somebody else's way to write them and of no use here.
fn texts<'de, D: serde::Deserializer<'de>>(from: D) -> Result<BTreeMap<String, String>, D::Error> {
    let all = Option::<BTreeMap<String, serde_json::Value>>::deserialize(from)?.unwrap_or_default();
    let text = |(name, value): (String, serde_json::Value)| Some((name, value.as_str()?.to_owned()));
    Ok(all.into_iter().filter_map(text).collect())
}
