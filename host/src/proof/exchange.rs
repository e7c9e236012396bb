//! A fixture as this adapter takes it: which operation and format it is, who asks, what was answered.

use std::collections::BTreeMap;

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::Value;

use crate::attempt::{Answer, Request};
use crate::contract::about::exports::weir::adapter::about::{Manifest, ModelPlace, Operation};
use crate::contract::types::{
    Body, ChatRequest, ChatResponse, Context, EmbeddingsRequest, EmbeddingsResponse, Framing, Header, HttpRequest,
    HttpResponse, ModelsRequest, ModelsResponse, RerankRequest, RerankResponse, Setting, TokenCount,
};
use crate::dialect::faces::{Faces, Head, Lookup, operation_name};
use crate::dialect::path::{Holes, Pattern};
use crate::plugin::{Adapter, Interface};
use crate::{frame, query, surrogate};

use super::cuts::Stream;
use super::fixture::{Answered, Asked, Fixture};
use super::neutral::{Wrong, read};

/// When every replayed exchange began: a day in October 2025.
const NOW_MS: f64 = 1_760_000_000_000.0;

/// One exchange, ready to be replayed.
#[derive(Debug)]
pub(super) struct Exchange<'f> {
    pub(super) fixture: &'f Fixture,
    pub(super) operation: Operation,
    /// Whether the adapter speaks this to clients, and to providers.
    pub(super) speaks: bool,
    pub(super) serves: bool,
    pub(super) dialect: Context,
    pub(super) provider: Context,
    /// What the client sends, where that is known and a face takes it.
    pub(super) client: Option<HttpRequest>,
    /// The request to render, where no client's says it.
    pub(super) request: Option<Request>,
    /// Whether nothing told the model's name.
    pub(super) is_nameless: bool,
    pub(super) given: Given,
    /// The answer to write for a client, where no provider's says it.
    pub(super) answer: Option<Answer>,
}

/// What was answered.
#[derive(Debug)]
pub(super) enum Given {
    Nothing,
    Whole(HttpResponse),
    Refused(HttpResponse),
    Stream(Stream),
}

/// Why a fixture says nothing about an adapter, or is wrong.
#[derive(Debug)]
pub(super) enum Unfit {
    Skip(String),
    Wrong(String),
}

/// What the manifest says of the exchange's place.
struct Place {
    format: String,
    operation: Operation,
    model: Option<String>,
}

impl<'f> Exchange<'f> {
    pub(super) fn new(fixture: &'f Fixture, adapter: &Adapter, faces: &Faces) -> Result<Self, Unfit> {
        let says = &fixture.says;
        let client = says.client.as_ref().or(says.request.as_ref());
        let face = client.and_then(|asked| by_face(asked, faces));
        let accepted = says.request.as_ref().and_then(|asked| by_acceptance(asked, &adapter.manifest));
        let told = told(fixture, &adapter.manifest, accepted.as_ref().or(face.as_ref()))?;
        let interfaces = interfaces(&told.operation)
            .ok_or_else(|| Unfit::Skip(format!("`{}` is only relayed", operation_name(&told.operation))))?;
        let model = told
            .model
            .or_else(|| face.as_ref().and_then(|face| face.model.clone()))
            .or_else(|| answered_model(fixture, &adapter.manifest, &told.format));
        let is_nameless = model.is_none();
        let provider = context(fixture, told.format, model.unwrap_or_else(|| "model".to_owned()));
        let mut dialect = Context { options: Vec::new(), memo: String::new(), ..provider.clone() };
        if let Some(face) = &face {
            dialect.format.clone_from(&face.format);
        }
        let speaks_format =
            adapter.manifest.faces.iter().any(|face| face.format == dialect.format && face.operation == told.operation);
        let given = says.response.as_ref().map_or(Ok(Given::Nothing), |answered| given(fixture, answered));
        let exchange = Self {
            fixture,
            speaks: adapter.has(interfaces.0) && speaks_format,
            serves: adapter.has(interfaces.1),
            dialect,
            provider,
            client: client.filter(|_| face.is_some()).map(request),
            request: None,
            is_nameless,
            given: given.map_err(Unfit::Wrong)?,
            answer: None,
            operation: told.operation,
        };
        exchange.with_expected().map_err(|wrong| Unfit::Wrong(wrong.to_string()))?.able(adapter)
    }

    /// Takes from what is expected the requests and answers that stand in for those of the other side.
    fn with_expected(mut self) -> Result<Self, Wrong> {
        let Some(expect) = &self.fixture.says.expect else { return Ok(self) };
        let below = |name: &str| {
            let name = name.to_owned();
            move |wrong: Wrong| Wrong { at: format!("/expect/{name}{}", wrong.at), ..wrong }
        };
        if let Some(value) = &expect.request {
            self.request = request_of(&self.operation, value).map_err(below("request"))?;
        }
        if let Some(value) = &expect.answer {
            self.answer = answer_of(&self.operation, value).map_err(below("answer"))?;
        }
        Ok(self)
    }

    fn able(self, adapter: &Adapter) -> Result<Self, Unfit> {
        let reads = self.serves && !matches!(self.given, Given::Nothing);
        let refusal = matches!(self.given, Given::Refused(_)) && adapter.has(Interface::ProviderErrors);
        let writes = self.serves && self.request.is_some();
        let parses = self.speaks && self.client.is_some();
        let renders = self.speaks && self.answer.is_some();
        if reads || refusal || writes || parses || renders {
            return Ok(self);
        }
        Err(Unfit::Skip(format!("the adapter has no side for {} of this", operation_name(&self.operation))))
    }

    /// Whether a failure is what was recorded.
    pub(super) fn may_fail(&self) -> bool {
        let says = &self.fixture.says;
        let expected = says.expect.as_ref().is_some_and(|expect| expect.error.is_some());
        says.kind.is_some() || expected || self.fixture.has("error") || matches!(self.given, Given::Refused(_))
    }

    /// Whether the recording stops before its end.
    pub(super) fn is_cut(&self) -> bool {
        self.fixture.has("stream_cut")
    }
}

fn context(fixture: &Fixture, format: String, model: String) -> Context {
    let setting = |(key, value): (&String, &Value)| Setting { key: key.clone(), json: value.to_string() };
    Context {
        request_id: "req_proof".to_owned(),
        now_ms: NOW_MS,
        model,
        format,
        options: fixture.says.options.iter().map(setting).collect(),
        blobs: Vec::new(),
        input_tokens: None,
        memo: fixture.says.memo.clone(),
    }
}

/// What the fixture says comes first, then what the path says; an adapter that names no paths has one format or tells
/// them apart by the model.
fn told(fixture: &Fixture, manifest: &Manifest, place: Option<&Place>) -> Result<Place, Unfit> {
    let says = &fixture.says;
    let asked = || {
        let asked = says.request.as_ref().or(says.client.as_ref());
        asked.map_or_else(String::new, |asked| format!(" {} {}", asked.method, asked.path_and_query))
    };
    let named = says.operation.as_deref().and_then(operation);
    let first = || manifest.formats.first().map(|format| format.id.clone());
    let format = match (&says.format, place) {
        (Some(format), _) => format.clone(),
        (None, Some(place)) => place.format.clone(),
        (None, None) if manifest.accepts.is_empty() => first().unwrap_or_default(),
        (None, None) => return Err(Unfit::Skip(format!("no acceptance and no face is for{}", asked()))),
    };
    if !manifest.formats.iter().any(|known| known.id == format) {
        return Err(Unfit::Skip(format!("the adapter has no format `{format}`")));
    }
    let operation = match place {
        Some(place) if says.format.is_none() || named.is_none() => place.operation.clone(),
        _ => named.unwrap_or(Operation::Chat),
    };
    let model = says.model.clone().or_else(|| place.and_then(|place| place.model.clone()));
    Ok(Place { format, operation, model })
}

fn operation(name: &str) -> Option<Operation> {
    [Operation::Chat, Operation::Embeddings, Operation::Models, Operation::CountTokens, Operation::Rerank]
        .into_iter()
        .find(|operation| operation_name(operation) == name)
}

fn interfaces(operation: &Operation) -> Option<(Interface, Interface)> {
    Some(match operation {
        Operation::Chat => (Interface::DialectChat, Interface::ProviderChat),
        Operation::Embeddings => (Interface::DialectEmbeddings, Interface::ProviderEmbeddings),
        Operation::Models => (Interface::DialectModels, Interface::ProviderModels),
        Operation::CountTokens => (Interface::DialectCountTokens, Interface::ProviderCountTokens),
        Operation::Rerank => (Interface::DialectRerank, Interface::ProviderRerank),
        Operation::Other(_) => return None,
    })
}

fn split(asked: &Asked) -> (&str, &str) {
    asked.path_and_query.split_once('?').unwrap_or((&asked.path_and_query, ""))
}

fn body_value(asked: &Asked) -> Value {
    asked.body.as_ref().and_then(|body| serde_json::from_str(body.get()).ok()).unwrap_or_default()
}

fn by_face(asked: &Asked, faces: &Faces) -> Option<Place> {
    let (path, query) = split(asked);
    let headers = header_map(&asked.headers);
    let method: Method = asked.method.parse().ok()?;
    let Lookup::Found(face, holes) = faces.find(&method, path, &Head { headers: &headers, query }) else { return None };
    let body = body_value(asked);
    let named = |place: &ModelPlace| match place {
        ModelPlace::Path => holes.get("model").map(str::to_owned),
        ModelPlace::Pointer(place) => {
            let text = body.pointer(&place.pointer)?.as_str()?;
            Some(text.strip_prefix(&place.prefix).unwrap_or(text).to_owned())
        }
        ModelPlace::Field(_) => None,
    };
    let model = face.claim.model.iter().find_map(named);
    Some(Place { format: face.format().to_owned(), operation: face.claim.operation.clone(), model })
}

/// The acceptance whose path the recorded one ends with, the most specific one.
fn by_acceptance(asked: &Asked, manifest: &Manifest) -> Option<Place> {
    let (path, _) = split(asked);
    let mut best: Option<(usize, Place)> = None;
    for claim in manifest.accepts.iter().filter(|claim| claim.method == asked.method) {
        for template in [Some(&claim.path), claim.stream_path.as_ref()].into_iter().flatten() {
            let Ok(pattern) = Pattern::parse(&format!("/{template}")) else { continue };
            let Some(holes) = ending(&pattern, path) else { continue };
            let weight = pattern.weight();
            if best.as_ref().is_none_or(|(known, _)| weight > *known) {
                let model = holes.get("model").map(str::to_owned);
                best =
                    Some((weight, Place { format: claim.format.clone(), operation: claim.operation.clone(), model }));
            }
        }
    }
    best.map(|(_, place)| place)
}

fn ending(pattern: &Pattern, path: &str) -> Option<Holes> {
    path.match_indices('/').find_map(|(at, _)| pattern.matches(path.get(at..)?))
}

/// The model that the answer names, by the format's tap.
fn answered_model(fixture: &Fixture, manifest: &Manifest, format: &str) -> Option<String> {
    let tap = manifest.formats.iter().find(|known| known.id == format)?.tap.as_ref()?;
    let body: Value = serde_json::from_slice(&fixture.says.response.as_ref()?.bytes().ok()?).ok()?;
    tap.model.iter().find_map(|pointer| body.pointer(pointer)?.as_str()).map(str::to_owned)
}

fn header_map(headers: &BTreeMap<String, String>) -> HeaderMap {
    let pair = |(name, value): (&String, &String)| {
        Some((HeaderName::try_from(name).ok()?, HeaderValue::try_from(value).ok()?))
    };
    headers.iter().filter_map(pair).collect()
}

fn headers(headers: &BTreeMap<String, String>) -> Vec<Header> {
    let one = |(name, value): (&String, &String)| Header { name: name.to_ascii_lowercase(), value: value.clone() };
    headers.iter().map(one).collect()
}

fn request(asked: &Asked) -> HttpRequest {
    let (path, query) = split(asked);
    HttpRequest {
        method: asked.method.clone(),
        path: path.to_owned(),
        query: query::pairs(query).map(|(name, value)| Header { name, value }).collect(),
        headers: headers(&asked.headers),
        body: Body::Text(
            asked.body.as_ref().map(|body| body.get().to_owned()).filter(|text| text != "null").unwrap_or_default(),
        ),
    }
}

fn given(fixture: &Fixture, answered: &Answered) -> Result<Given, String> {
    let bytes = answered.bytes()?;
    if let Some(framing) = framing(fixture, answered, &bytes)? {
        return Ok(Given::Stream(Stream::new(&bytes, framing)));
    }
    let body = match String::from_utf8(bytes) {
        Ok(text) => Body::Text(surrogate::mend(&text).into_owned()),
        Err(error) => Body::Bytes(error.into_bytes()),
    };
    let response = HttpResponse { status: answered.status, headers: headers(&answered.headers), body };
    Ok(if answered.status >= 400 { Given::Refused(response) } else { Given::Whole(response) })
}

/// How the answer is framed, if it is a stream.
fn framing(fixture: &Fixture, answered: &Answered, bytes: &[u8]) -> Result<Option<Framing>, String> {
    let says = &fixture.says;
    let named = match says.framing.as_deref() {
        None => None,
        Some("sse") => Some(Framing::Sse),
        Some("ndjson") => Some(Framing::Ndjson),
        Some("json_array") => Some(Framing::JsonArray),
        Some("event_stream" | "eventstream") => Some(Framing::EventStream),
        Some(other) => return Err(format!("`framing` is `{other}`; there are sse, ndjson, json_array, event_stream")),
    };
    if answered.status >= 400 || says.streaming == Some(false) {
        return Ok(None);
    }
    let told = frame::from_content_type(answered.kind());
    // A list may be a whole answer too.
    let sure = told.filter(|framing| *framing != Framing::JsonArray);
    if says.streaming != Some(true) {
        return Ok(named.or(sure));
    }
    let array = || bytes.trim_ascii_start().starts_with(b"[").then_some(Framing::JsonArray);
    Ok(named.or(sure).or_else(array).or(told.is_none().then_some(Framing::Sse)))
}

fn request_of(operation: &Operation, value: &Value) -> Result<Option<Request>, Wrong> {
    Ok(Some(match operation {
        Operation::Chat => Request::Chat(read::<ChatRequest>(value)?),
        Operation::CountTokens => Request::CountTokens(read::<ChatRequest>(value)?),
        Operation::Embeddings => Request::Embeddings(read::<EmbeddingsRequest>(value)?),
        Operation::Models => Request::Models(read::<ModelsRequest>(value)?),
        Operation::Rerank => Request::Rerank(read::<RerankRequest>(value)?),
        Operation::Other(_) => return Ok(None),
    }))
}

fn answer_of(operation: &Operation, value: &Value) -> Result<Option<Answer>, Wrong> {
    Ok(Some(match operation {
        Operation::Chat => Answer::Chat(read::<ChatResponse>(value)?),
        Operation::CountTokens => Answer::CountTokens(read::<TokenCount>(value)?),
        Operation::Embeddings => Answer::Embeddings(read::<EmbeddingsResponse>(value)?),
        Operation::Models => Answer::Models(read::<ModelsResponse>(value)?),
        Operation::Rerank => Answer::Rerank(read::<RerankResponse>(value)?),
        Operation::Other(_) => return Ok(None),
    }))
}
