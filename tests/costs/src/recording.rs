//! Recorded exchanges as files.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use serde_json::Value;
use weir_sdk::types::{Body, Frame, Header, HttpResponse};
use weir_types::contract::types::Framing;
use weir_wire::frame::{Decoder, Limits};

/// One exchange.
#[derive(Debug)]
pub struct Recording {
    /// Its name.
    pub id: String,
    /// The provider's folder.
    pub provider: String,
    /// As the recording's folder has it: `chat`, `embeddings`, `rerank`.
    pub operation: String,
    value: Value,
}

/// All successful exchanges, in order; `None` without recordings.
pub fn all() -> Option<Vec<Recording>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/fixtures");
    if !root.is_dir() {
        return None;
    }
    let operations = folder(&root).into_iter().flat_map(|provider| folder(&provider));
    let files = operations.flat_map(|operation| folder(&operation));
    let recordings = files.filter(|path| path.extension().is_some_and(|end| end == "json")).map(|path| read(&path));
    Some(recordings.filter(|recording| recording.value["response"]["status"].as_u64().unwrap() < 400).collect())
}

fn folder(path: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(path) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

fn read(path: &Path) -> Recording {
    let value: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let text = |name: &str| value[name].as_str().unwrap().to_owned();
    Recording { id: text("id"), provider: text("provider"), operation: text("operation"), value }
}

impl Recording {
    /// The request's path.
    pub fn path(&self) -> &str {
        self.value["request"]["path_and_query"].as_str().unwrap_or_default()
    }

    /// The model that was asked for: in the body, or in the path.
    pub fn model(&self) -> String {
        let body = self.value["request"]["body"]["model"].as_str();
        body.map_or_else(|| self.model_of_path(), str::to_owned)
    }

    fn model_of_path(&self) -> String {
        let path = self.path().split('?').next().unwrap_or_default();
        let after = ["/models/", "/model/", "/deployments/"].iter().find_map(|mark| Some(path.split_once(mark)?.1));
        let Some(rest) = after else { return String::new() };
        let rest = ["/predictions", "/converse", "/invoke", "/chat", "/responses", "/embeddings"]
            .iter()
            .find_map(|end| Some(rest.split_once(end)?.0))
            .unwrap_or(rest);
        // A colon begins the method, unless the path names methods in another way.
        let rest = if path.contains("/model/") { rest } else { rest.split(':').next().unwrap_or_default() };
        percent_encoding::percent_decode_str(rest).decode_utf8_lossy().into_owned()
    }

    /// The whole answer as an adapter gets it; `None` for a stream.
    pub fn whole(&self) -> Option<HttpResponse> {
        let response = &self.value["response"];
        let body = response.get("body").filter(|body| !body.is_null())?;
        let headers = response["headers"].as_object().into_iter().flatten();
        let header = |(name, value): (&String, &Value)| Header::new(name.as_str(), value.as_str().unwrap_or_default());
        let status = u16::try_from(response["status"].as_u64().unwrap()).unwrap();
        Some(HttpResponse { status, headers: headers.map(header).collect(), body: Body::Text(body.to_string()) })
    }

    /// The cost that the answer itself reports in units of 100 pico-dollars, as one provider does: the last one of a
    /// stream.
    pub fn reported_ticks(&self) -> Option<i128> {
        let text = self.value["response"].to_string();
        let (_, rest) = text.rsplit_once("cost_in_usd_ticks")?;
        let digits = rest.trim_start_matches(|c: char| !c.is_ascii_digit());
        // A zero stands where another company serves the model, and reports nothing.
        digits.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok().filter(|ticks| *ticks > 0)
    }

    /// The frames of a streamed answer, as the host cuts them.
    pub fn frames(&self) -> Option<Vec<Frame>> {
        let framing = match self.value["framing"].as_str()? {
            "sse" => Framing::Sse,
            "ndjson" => Framing::Ndjson,
            "json_array" => Framing::JsonArray,
            _ => Framing::EventStream,
        };
        let response = &self.value["response"];
        let bytes = match response["body_base64"].as_str() {
            Some(text) => base64::engine::general_purpose::STANDARD.decode(text).unwrap(),
            None => response["body_text"].as_str()?.as_bytes().to_vec(),
        };
        let mut frames = Vec::new();
        let mut decoder = Decoder::new(framing, Limits::default());
        let mut each = |frame: weir_wire::frame::FrameRef<'_>| {
            let frame = frame.to_owned();
            frames.push(Frame { event: frame.event, data: frame.data });
        };
        // Recordings that break off are answers as well.
        let _ = decoder.push(&bytes, &mut each).and_then(|()| decoder.finish(&mut each));
        Some(frames)
    }
}
