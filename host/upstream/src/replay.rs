//! Answers from recorded exchanges instead of a provider: `url = "replay:DIR"`.
//!
//! For trying Weir out, for tests of applications, and for CI, all without a key. The recording most similar to the
//! request answers it; the rules are in `docs/fixtures.md`. This module knows no format: bodies are compared as JSON
//! values.

pub mod format;
mod likeness;
mod playback;
mod recording;

use std::path::{Path, PathBuf};
use std::time::Duration;

use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{Method, StatusCode};
use serde_json::json;

use super::chunks::Chunks;
use likeness::Likeness;
use recording::Recording;

pub use playback::Playback;
pub use recording::is_stream;
pub use recording::{RecordingError, verify};

/// Limits of a folder of recordings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Maximum number of recordings in a folder.
    pub recordings: usize,
    /// Maximum size of one recording, in bytes.
    pub file_bytes: u64,
    /// Maximum size of all recordings together, in bytes.
    pub total_bytes: u64,
    /// Maximum depth of nested folders.
    pub depth: usize,
    /// Maximum size of a request body that is parsed for comparison, in bytes.
    pub request_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            recordings: 4096,
            file_bytes: 4 * 1024 * 1024,
            total_bytes: 128 * 1024 * 1024,
            depth: 4,
            request_bytes: 4 * 1024 * 1024,
        }
    }
}

/// Why a folder of recordings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The folder or a file cannot be read.
    #[error("recordings {path:?}: {cause}")]
    Read {
        /// The folder or file.
        path: PathBuf,
        /// The system's error.
        cause: std::io::Error,
    },
    /// A file is not a recording.
    #[error("recording {path:?}: {cause}")]
    Recording {
        /// The file.
        path: PathBuf,
        /// The problem.
        cause: RecordingError,
    },
    /// The folder holds no recordings.
    #[error("recordings {0:?}: no recording in this folder")]
    Empty(PathBuf),
    /// A limit is exceeded.
    #[error("recordings {path:?}: more than {limit} {what}")]
    TooMuch {
        /// The folder or file.
        path: PathBuf,
        /// The most that is allowed.
        limit: u64,
        /// What the limit counts.
        what: &'static str,
    },
    /// The part after `?` is not `pace_ms=NUMBER`.
    #[error("recordings {0:?}: only `?pace_ms=NUMBER` may follow the folder")]
    Option(String),
}

/// A folder of recordings, read and indexed.
#[derive(Debug)]
pub struct Replay {
    dir: PathBuf,
    recordings: Vec<Recording>,
    /// Pace of all streams, which overrides that of the recordings.
    pace: Option<Duration>,
    limits: Limits,
}

/// The request to be answered.
#[derive(Debug)]
pub struct ReplayRequest<'a> {
    /// The HTTP method.
    pub method: &'a Method,
    /// Relative to the API's base, with query: `chat/completions`.
    pub path: &'a str,
    /// The body's pieces.
    pub body: &'a Chunks,
    /// Whether a streamed answer is requested.
    pub stream: bool,
    /// The model, or an empty text.
    pub model: &'a str,
}

/// A recorded answer.
#[derive(Debug)]
pub struct Played {
    /// The recorded HTTP status.
    pub status: StatusCode,
    /// The recorded headers.
    pub headers: HeaderMap,
    /// Gives the recorded body, in its pieces.
    pub body: Playback,
}

impl Replay {
    /// Reads `DIR` or `DIR?pace_ms=NUMBER`, relative to the working directory.
    pub fn at(place: &str) -> Result<Self, ReplayError> {
        let (dir, pace) = match place.split_once('?') {
            None => (place, None),
            Some((dir, option)) => {
                let pace = option.strip_prefix("pace_ms=").and_then(|number| number.parse().ok());
                (dir, Some(pace.ok_or_else(|| ReplayError::Option(place.to_owned()))?))
            }
        };
        Self::open(Path::new(dir), pace.map(Duration::from_millis), Limits::default())
    }

    /// Reads all recordings (`*.json`) of a folder and the folders in it.
    pub fn open(dir: &Path, pace: Option<Duration>, limits: Limits) -> Result<Self, ReplayError> {
        let recordings = recording::load(dir, &limits)?;
        Ok(Self { dir: dir.to_owned(), recordings, pace, limits })
    }

    /// Answers with the most similar recording; with a 404 that lists the recordings if none is similar.
    pub fn answer(&self, asked: &ReplayRequest<'_>) -> Played {
        let wanted = Likeness::of_request(asked, self.limits.request_bytes);
        let best = likeness::best(&wanted, &self.recordings);
        let Some(recording) = best else { return self.nothing_like(asked) };
        tracing::debug!(recording = %recording.id, "answering from a recording");
        recording.play(self.pace)
    }

    fn nothing_like(&self, asked: &ReplayRequest<'_>) -> Played {
        let mut there: Vec<String> = self.recordings.iter().map(Recording::label).collect();
        there.sort_unstable();
        there.dedup();
        there.truncate(32);
        let label = recording::label(asked.method, asked.path, asked.stream);
        let dir = self.dir.display();
        let body = json!({"error": {
            "type": "not_found",
            "message": format!("no recording in {dir} is like {label} (model {:?}); there are: {}", asked.model, there.join(", ")),
            "looked_for": {"method": asked.method.as_str(), "path": asked.path, "stream": asked.stream, "model": asked.model},
            "recorded": there,
        }});
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Played { status: StatusCode::NOT_FOUND, headers, body: Playback::whole(body.to_string().into()) }
    }
}

#[cfg(test)]
mod tests;
