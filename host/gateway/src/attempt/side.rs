//! The client's side of a request: the adapter of a dialect, or a program in this process that uses the unified model.

use std::sync::Arc;

use serde::Serialize;

use crate::json_size::json_size;
use weir_sandbox::{Adapter, Interface};
use weir_translate::unified::Request;
use weir_types::contract::types::{ChatRequest, MediaKind, MediaPart, MediaSource, OutputFormat, Part, ResultPart};
use weir_wire::media;

/// Bytes of a message beside its own texts, for an estimate. Binary formats have less overhead than JSON, by whose
/// length tokens are estimated.
const BESIDE_TEXTS: usize = 32;

/// What reads a request and writes its answer.
#[derive(Debug)]
pub enum ClientSide {
    /// The adapter of the client's format.
    Dialect(Arc<Adapter>),
    /// A program in this process: its request, which no adapter has to read.
    Program {
        /// The request in the unified model.
        request: Box<Request>,
        /// The approximate length of the request as JSON, in bytes.
        size: usize,
        /// The call that lists the models, as the program knows it.
        list: &'static str,
    },
}

impl ClientSide {
    /// The side of a program with this request. If the request arrived as bytes of another format, their number serves
    /// as its size, and it is not written as JSON. `list` is the call that lists the models, as the program knows it.
    pub(crate) fn of_program(request: Request, arrived: Option<usize>, list: &'static str) -> Self {
        let size = match (arrived, &request) {
            (Some(bytes), Request::Chat(request) | Request::CountTokens(request)) => {
                bytes + BESIDE_TEXTS * (1 + request.messages.len())
            }
            (Some(bytes), _) => bytes + BESIDE_TEXTS,
            (None, Request::Chat(request) | Request::CountTokens(request)) => json_bytes(request),
            (None, Request::Embeddings(request)) => json_bytes(request),
            (None, Request::Models(request)) => json_bytes(request),
            (None, Request::Rerank(request)) => json_bytes(request),
        };
        Self::Program { request: Box::new(request), size, list }
    }

    /// The adapter; none for a program.
    pub fn dialect(&self) -> Option<&Arc<Adapter>> {
        match self {
            Self::Dialect(adapter) => Some(adapter),
            Self::Program { .. } => None,
        }
    }

    /// Whether the client's side takes pieces of arguments by their place from a provider's adapter of this family.
    pub(super) fn takes_arguments_of(&self, family: &str) -> bool {
        self.dialect().is_some_and(|adapter| adapter.manifest.family == family)
    }

    /// The request of a program.
    pub fn program(&self) -> Option<&Request> {
        match self {
            Self::Dialect(_) => None,
            Self::Program { request, .. } => Some(request),
        }
    }

    /// The call that lists the models, as a program knows it.
    pub(crate) fn list_of_models(&self) -> Option<&'static str> {
        match self {
            Self::Dialect(_) => None,
            Self::Program { list, .. } => Some(list),
        }
    }

    /// The request of a program as JSON, for code that reads bytes; empty for a dialect.
    pub fn json(&self) -> Vec<u8> {
        let json = match self.program() {
            Some(Request::Chat(request) | Request::CountTokens(request)) => serde_json::to_vec(request),
            Some(Request::Embeddings(request)) => serde_json::to_vec(request),
            Some(Request::Models(request)) => serde_json::to_vec(request),
            Some(Request::Rerank(request)) => serde_json::to_vec(request),
            None => return Vec::new(),
        };
        json.unwrap_or_default()
    }

    /// The length of a program's request in bytes.
    pub(super) fn size(&self) -> Option<usize> {
        match self {
            Self::Dialect(_) => None,
            Self::Program { size, .. } => Some(*size),
        }
    }

    /// The length of a program's request as limits count it, in bytes: four are a token. Media count less than their
    /// length.
    pub(super) fn counted_len(&self) -> Option<usize> {
        let saved = |data: &[u8]| data.len() - media::counted(data.len()).min(data.len());
        let saved: usize = match self.program()? {
            Request::Chat(chat) | Request::CountTokens(chat) => data_of(chat).map(saved).sum(),
            Request::Embeddings(_) | Request::Models(_) | Request::Rerank(_) => 0,
        };
        self.size().map(|size| size.saturating_sub(saved))
    }

    /// Features that a program's request asks for, by the names that manifests use.
    pub(super) fn features(&self) -> Option<Vec<String>> {
        Some(match self.program()? {
            Request::Chat(chat) | Request::CountTokens(chat) => features(chat),
            Request::Embeddings(_) | Request::Models(_) | Request::Rerank(_) => Vec::new(),
        })
    }

    /// Whether this side can do its part of an operation.
    pub(super) fn has(&self, interface: Interface) -> bool {
        self.dialect().is_none_or(|adapter| adapter.has(interface))
    }

    /// Whether large values may be lifted out of its requests.
    pub(super) fn takes_blobs(&self) -> bool {
        self.dialect().is_none_or(|adapter| adapter.manifest.takes_blobs)
    }
}

/// The bytes of a value's JSON.
fn json_bytes(value: &impl Serialize) -> usize {
    json_size(value).unwrap_or_default()
}

fn features(chat: &ChatRequest) -> Vec<String> {
    let media = chat.messages.iter().flat_map(|message| &message.parts).flat_map(media_of);
    let mut names: Vec<&str> = media.map(|medium| feature_of(medium.kind)).collect();
    if !chat.tools.is_empty() {
        names.push("tools");
    }
    if !matches!(chat.output, None | Some(OutputFormat::Plain)) {
        names.push("schema");
    }
    if chat.reasoning.is_some() {
        names.push("reasoning");
    }
    names.sort_unstable();
    names.dedup();
    names.into_iter().map(str::to_owned).collect()
}

fn feature_of(kind: MediaKind) -> &'static str {
    match kind {
        MediaKind::Image | MediaKind::Video => "vision",
        MediaKind::Audio => "audio",
        MediaKind::Document => "documents",
    }
}

/// The data of a request's media.
fn data_of(chat: &ChatRequest) -> impl Iterator<Item = &[u8]> {
    let media = chat.messages.iter().flat_map(|message| &message.parts).flat_map(media_of);
    media.filter_map(|medium| match &medium.source {
        MediaSource::Base64(data) => Some(data.as_bytes()),
        _ => None,
    })
}

fn media_of(part: &Part) -> Vec<&MediaPart> {
    match part {
        Part::Media(medium) => vec![medium],
        Part::ToolResult(result) => {
            let media = result.content.iter().filter_map(|part| match part {
                ResultPart::Media(medium) => Some(medium),
                _ => None,
            });
            media.collect()
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_types::contract::types::{Message, Role, TextPart};

    fn program(chat: ChatRequest) -> ClientSide {
        ClientSide::of_program(Request::Chat(chat), None, "")
    }

    #[test]
    fn a_programs_request_is_weighed_as_its_json_and_searched_for_features() {
        let image = MediaPart {
            kind: MediaKind::Image,
            mime: None,
            source: MediaSource::Url("https://example.org/a.png".into()),
            name: None,
            detail: None,
            cache: None,
            extensions: Vec::new(),
        };
        let parts = vec![Part::Text(TextPart::plain("What is this?")), Part::Media(image)];
        let side = program(ChatRequest::plain("m", vec![Message::plain(Role::User, parts)]));
        assert_eq!(side.size(), Some(side.json().len()));
        assert_eq!(side.features(), Some(vec!["vision".to_owned()]));
        assert_eq!(program(ChatRequest::plain("m", Vec::new())).features(), Some(Vec::new()));
    }
}
