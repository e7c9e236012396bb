//! Reads recordings (`docs/fixtures.md`) and the folders that hold them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

use super::format::{ChunkPart, File, ResponsePart};
use super::likeness::Likeness;
use super::playback::{Piece, Playback, cut_bytes, cut_text};
use super::{Limits, Played, ReplayError};
use crate::headers;
use weir_types::json_mistake::JsonMistake;

/// Size of the pieces, in bytes, of a binary stream whose pieces were not recorded.
const BINARY_PIECE: usize = 512;

/// Why a file is not a recording that can answer a request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordingError {
    /// It is not JSON, or has other members than a recording.
    #[error(transparent)]
    Json(#[from] JsonMistake),
    /// Its request has no method of HTTP.
    #[error("`request.method` is not a method")]
    Method,
    /// Its answer has no status of HTTP.
    #[error("`response.status` is not a status")]
    Status,
    /// A header that HTTP does not allow.
    #[error("the header {0:?} is not valid")]
    Header(String),
    /// The answer's body is given in several ways.
    #[error("`response` may have one of `body`, `body_text`, `body_base64` and `chunks`")]
    Bodies,
    /// A piece is given in both ways, or in none.
    #[error("a chunk has either `text` or `base64`")]
    Chunk,
    /// Bytes cannot be decoded.
    #[error("the base64 is not valid")]
    Base64,
}

/// A recorded exchange, ready for comparison and playback.
#[derive(Debug)]
pub(super) struct Recording {
    pub(super) id: String,
    pub(super) likeness: Likeness,
    pub(super) status: StatusCode,
    pub(super) method: Method,
    pub(super) path: String,
    headers: HeaderMap,
    pieces: Arc<[Piece]>,
}

impl Recording {
    pub(super) fn play(&self, pace: Option<Duration>) -> Played {
        let stream = self.likeness.stream;
        let body = Playback::new(self.pieces.clone(), pace.filter(|_| stream), !stream);
        Played { status: self.status, headers: self.headers.clone(), body }
    }

    /// The request that it answers, for messages.
    pub(super) fn label(&self) -> String {
        label(&self.method, &self.path, self.likeness.stream)
    }

    fn from_file(file: File, name: &str) -> Result<Self, RecordingError> {
        let method: Method = file.request.method.parse().map_err(|_| RecordingError::Method)?;
        let status = StatusCode::from_u16(file.response.status).map_err(|_| RecordingError::Status)?;
        let headers = response_headers(&file.response.headers)?;
        let stream = file.streaming.unwrap_or_else(|| is_stream(&headers));
        let pieces = pieces(file.response, stream, file.pace_ms)?.into();
        let path = file.request.path_and_query;
        let body = file.request.body.map(|body| serde_json::from_str(body.get()).unwrap_or_default());
        let likeness = Likeness::of_recording(&method, &path, &body.unwrap_or_default(), stream);
        Ok(Self { id: file.id.unwrap_or_else(|| name.to_owned()), likeness, status, method, path, headers, pieces })
    }
}

/// A short description of a request.
pub(super) fn label(method: &Method, path: &str, stream: bool) -> String {
    format!("{method} {path}{}", if stream { " (stream)" } else { "" })
}

/// Checks that a file is a recording that can answer a request; the error is the reason.
pub fn verify(text: &[u8]) -> Result<(), RecordingError> {
    let file: File = serde_json::from_slice(text).map_err(|error| JsonMistake::from(&error))?;
    Recording::from_file(file, "").map(drop)
}

/// Loads the recordings of a folder, ordered by path so that ties are always resolved alike.
pub(super) fn load(dir: &Path, limits: &Limits) -> Result<Vec<Recording>, ReplayError> {
    let mut paths = Vec::new();
    collect(dir, limits, limits.depth, &mut paths)?;
    paths.sort_unstable();
    let mut total = 0;
    let recordings: Vec<_> = paths.iter().map(|path| read(path, limits, &mut total)).collect::<Result<_, _>>()?;
    if recordings.is_empty() {
        return Err(ReplayError::Empty(dir.to_owned()));
    }
    Ok(recordings)
}

fn collect(dir: &Path, limits: &Limits, depth: usize, paths: &mut Vec<PathBuf>) -> Result<(), ReplayError> {
    let unreadable = |cause| ReplayError::Read { path: dir.to_owned(), cause };
    for entry in fs::read_dir(dir).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.is_dir() && depth > 0 {
            collect(&path, limits, depth - 1, paths)?;
        } else if path.extension().is_some_and(|extension| extension == "json") {
            paths.push(path);
        }
        if paths.len() > limits.recordings {
            let limit = limits.recordings as u64;
            return Err(ReplayError::TooMuch { path: dir.to_owned(), limit, what: "recordings" });
        }
    }
    Ok(())
}

fn read(path: &Path, limits: &Limits, total: &mut u64) -> Result<Recording, ReplayError> {
    let unreadable = |cause| ReplayError::Read { path: path.to_owned(), cause };
    let too_much = |limit, what| Err(ReplayError::TooMuch { path: path.to_owned(), limit, what });
    let size = fs::metadata(path).map_err(unreadable)?.len();
    *total += size;
    if size > limits.file_bytes {
        return too_much(limits.file_bytes, "bytes in one recording");
    }
    if *total > limits.total_bytes {
        return too_much(limits.total_bytes, "bytes in all recordings");
    }
    let text = fs::read(path).map_err(unreadable)?;
    let wrong = |cause| ReplayError::Recording { path: path.to_owned(), cause };
    let file: File = serde_json::from_slice(&text).map_err(|error| wrong(JsonMistake::from(&error).into()))?;
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    Recording::from_file(file, &name).map_err(wrong)
}

/// The recorded headers, except those of a connection.
fn response_headers(recorded: &BTreeMap<String, String>) -> Result<HeaderMap, RecordingError> {
    let mut headers = HeaderMap::with_capacity(recorded.len());
    for (name, value) in recorded {
        let wrong = || RecordingError::Header(name.clone());
        let name: HeaderName = name.parse().map_err(|_| wrong())?;
        let value = HeaderValue::from_str(value).map_err(|_| wrong())?;
        if !headers::is_of_connection(&name) {
            headers.append(name, value);
        }
    }
    Ok(headers)
}

/// Whether the content type is that of a stream: events, lines or event-stream messages.
pub fn is_stream(headers: &HeaderMap) -> bool {
    const STREAMS: [&str; 3] = ["text/event-stream", "ndjson", "eventstream"];
    let kind = headers.get(http::header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    STREAMS.iter().any(|stream| kind.contains(stream))
}

fn pieces(response: ResponsePart, stream: bool, pace_ms: Option<u64>) -> Result<Vec<Piece>, RecordingError> {
    let pace = |after: Option<u64>| Duration::from_millis(after.or(pace_ms.filter(|_| stream)).unwrap_or(0));
    if let Some(chunks) = response.chunks {
        if response.body.is_some() || response.body_text.is_some() || response.body_base64.is_some() {
            return Err(RecordingError::Bodies);
        }
        let pieces =
            chunks.into_iter().map(|chunk| Ok(Piece { after: pace(chunk.after_ms), bytes: chunk_bytes(chunk)? }));
        return pieces.filter(|piece| !piece.as_ref().is_ok_and(|piece: &Piece| piece.bytes.is_empty())).collect();
    }
    let bytes = match (response.body, response.body_text, response.body_base64) {
        (Some(body), None, None) => vec![Bytes::from(compact(body.get()))],
        (None, Some(text), None) if stream => cut_text(&text),
        (None, Some(text), None) => vec![Bytes::from(text)],
        (None, None, Some(base64)) if stream => cut_bytes(decode(&base64)?, BINARY_PIECE),
        (None, None, Some(base64)) => vec![Bytes::from(decode(&base64)?)],
        (None, None, None) => Vec::new(),
        _ => return Err(RecordingError::Bodies),
    };
    let pieces = bytes.into_iter().filter(|bytes| !bytes.is_empty());
    Ok(pieces.map(|bytes| Piece { after: pace(None), bytes }).collect())
}

/// Valid JSON without its insignificant white space.
fn compact(json: &str) -> String {
    let (mut in_text, mut escaped) = (false, false);
    let keep = |character: &char| {
        if !in_text {
            in_text = *character == '"';
            return !character.is_ascii_whitespace();
        }
        in_text = escaped || *character != '"';
        escaped = !escaped && *character == '\\';
        true
    };
    json.chars().filter(keep).collect()
}

fn chunk_bytes(chunk: ChunkPart) -> Result<Bytes, RecordingError> {
    match (chunk.text, chunk.base64) {
        (Some(text), None) => Ok(text.into()),
        (None, Some(base64)) => Ok(decode(&base64)?.into()),
        _ => Err(RecordingError::Chunk),
    }
}

fn decode(base64: &str) -> Result<Vec<u8>, RecordingError> {
    STANDARD.decode(base64).map_err(|_| RecordingError::Base64)
}
