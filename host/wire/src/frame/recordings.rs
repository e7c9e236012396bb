//! Tests with real streams, if the recordings are present: each decodes to the same frames, whole or in pieces, and
//! survives an encoder.

use super::*;
use base64::Engine;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// The folder with recordings, next to the repository.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/fixtures")
}

/// All recorded exchanges; empty if there are no recordings.
pub(crate) fn exchanges() -> Vec<(PathBuf, Value)> {
    let files = |folder: &Path| {
        std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect::<Vec<_>>()
    };
    let operations = files(&folder()).into_iter().flat_map(|provider| files(&provider));
    let paths = operations.flat_map(|operation| files(&operation));
    let json = paths.filter(|path| path.extension().is_some_and(|ending| ending == "json"));
    let read = |path: PathBuf| Some((path.clone(), serde_json::from_slice(&std::fs::read(path).ok()?).ok()?));
    json.filter_map(read).collect()
}

fn stream(exchange: &Value) -> Option<(Framing, Vec<u8>)> {
    let framing = match exchange["framing"].as_str()? {
        "sse" => Framing::Sse,
        "ndjson" => Framing::Ndjson,
        "json_array" => Framing::JsonArray,
        _ => Framing::EventStream,
    };
    let text = exchange["response"]["body_text"].as_str().map(|text| text.as_bytes().to_vec());
    let binary = exchange["response"]["body_base64"].as_str();
    let binary = binary.and_then(|text| base64::engine::general_purpose::STANDARD.decode(text).ok());
    Some((framing, text.or(binary)?))
}

fn decoded(framing: Framing, stream: &[u8], size: usize) -> (Vec<Frame>, Result<(), FrameError>) {
    let mut decoder = Decoder::new(framing, Limits::default());
    let mut frames = Vec::new();
    let each = &mut |frame: FrameRef<'_>| frames.push(frame.to_owned());
    let outcome =
        stream.chunks(size).try_for_each(|piece| decoder.push(piece, each)).and_then(|()| decoder.finish(each));
    (frames, outcome)
}

#[test]
fn recorded_streams_decode_alike_in_any_pieces() {
    let mut count = 0;
    for (path, exchange) in exchanges() {
        let Some((framing, stream)) = stream(&exchange) else { continue };
        let whole = decoded(framing, &stream, usize::MAX);
        let (frames, outcome) = &whole;
        assert_eq!(*outcome, Ok(()), "{}", path.display());
        assert!(!frames.is_empty(), "{}", path.display());
        for frame in frames.iter().filter(|frame| frame.data.starts_with('{')) {
            assert!(serde_json::from_str::<Value>(&frame.data).is_ok(), "{}: {}", path.display(), frame.data);
        }
        for size in [1, 2, 7, 100] {
            assert_eq!(decoded(framing, &stream, size), whole, "{} by {size}", path.display());
        }
        let mut encoder = Encoder::new(framing);
        let mut again = Vec::new();
        for frame in frames {
            encoder.push(frame, &mut again);
        }
        encoder.finish(&mut again);
        assert_eq!(decoded(framing, &again, usize::MAX), whole, "{} encoded", path.display());
        count += 1;
    }
    if count == 0 {
        println!("skipped: no recordings in {}", folder().display());
    }
}
