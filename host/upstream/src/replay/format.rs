//! The file format of recordings (`docs/fixtures.md`), read and written with the same types.
//!
//! Members for people and other tools are ignored; a recording that `weir record` writes has only those named here.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// The contents of a recording's file.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct File {
    /// A name for logs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Name of the provider, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// Whether the answer is a stream.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub streaming: Option<bool>,
    /// Delay between the pieces of a stream, in milliseconds, for pieces that state none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pace_ms: Option<u64>,
    /// Origin of the recording, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Box<RawValue>>,
    /// The recorded request.
    pub request: RequestPart,
    /// The recorded answer.
    pub response: ResponsePart,
}

/// The request of a recorded exchange.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct RequestPart {
    /// The HTTP method.
    pub method: String,
    /// The full path, including that of the API's base, and the query.
    pub path_and_query: String,
    /// Headers that negotiate content and versions, for people and other tools.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "texts")]
    pub headers: BTreeMap<String, String>,
    /// A JSON body, verbatim.
    pub body: Option<Box<RawValue>>,
    /// Any other text body, for people and other tools.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body_text: Option<String>,
    /// A binary body, for people and other tools.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body_base64: Option<String>,
}

/// The answer of a recorded exchange.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct ResponsePart {
    /// The HTTP status.
    pub status: u16,
    /// The headers that were kept.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// A JSON body, verbatim: the order of members and the spelling of numbers are part of an answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<Box<RawValue>>,
    /// Any other text body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body_text: Option<String>,
    /// A binary body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body_base64: Option<String>,
    /// The pieces of a stream as they arrived.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chunks: Option<Vec<ChunkPart>>,
}

/// One piece of a stream: either text or base64.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct ChunkPart {
    /// The piece as text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The piece in base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base64: Option<String>,
    /// Delay after the previous piece, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after_ms: Option<u64>,
}

/// Reads the headers whose value is a text; other tools write other forms, which are of no use here.
fn texts<'de, D: serde::Deserializer<'de>>(from: D) -> Result<BTreeMap<String, String>, D::Error> {
    let all = Option::<BTreeMap<String, serde_json::Value>>::deserialize(from)?.unwrap_or_default();
    let text = |(name, value): (String, serde_json::Value)| Some((name, value.as_str()?.to_owned()));
    Ok(all.into_iter().filter_map(text).collect())
}
