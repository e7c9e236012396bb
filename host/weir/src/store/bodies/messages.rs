//! Gives a span the messages of its exchange (`traces.content`). They are read from what is kept, so that what is
//! removed there is in no span either.

use std::sync::Arc;

use http::{HeaderMap, Method};
use serde::de::DeserializeOwned;
use serde_json::json;

use weir_fixtures::proof::{Chat, ChatError, Fixture, FixtureError, Pair, chat, chat_of};
use weir_gateway::observe::trace::Span;
use weir_gateway::serving::Serving;
use weir_sandbox::Adapter;
use weir_translate::dialect::endpoints::{Head, Lookup};
use weir_translate::unified::Request;
use weir_types::contract::about::Operation;
use weir_types::contract::types::ChatResponse;
use weir_upstream::replay::format::{File, RequestPart, ResponsePart};

/// Why the messages of an exchange cannot be read.
#[derive(Debug, thiserror::Error)]
enum MessagesError {
    /// A body that should be in the unified model is not.
    #[error(transparent)]
    Body(#[from] serde_json::Error),
    /// Its recording is no fixture.
    #[error(transparent)]
    Fixture(#[from] FixtureError),
    /// The adapters do not read it.
    #[error(transparent)]
    Chat(#[from] ChatError),
}

/// The recordings of one exchange, without secrets.
#[derive(Default)]
pub(super) struct Recordings {
    pub(super) client: Option<File>,
    /// The operation, if the client's request is in the unified model.
    pub(super) unified: Option<Operation>,
    pub(super) upstream: Option<File>,
    /// Whether the provider's answer broke off.
    pub(super) is_cut: bool,
}

impl Recordings {
    /// Sets the messages as attributes of the span. What cannot be read is left out.
    pub(super) fn attach_to(self, span: &Span, serving: &Serving, provider: Option<&str>) {
        let provider = provider.and_then(|name| serving.config.provider(name));
        let provider = provider.and_then(|provider| serving.adapter(&provider.adapter));
        let read = match &self.unified {
            Some(operation) => self.read_unified(operation, provider),
            None => self.read(serving, provider),
        };
        match read {
            Ok(Some(read)) => span.set_messages(read.request.as_ref(), read.answer.as_ref()),
            Ok(None) => {}
            Err(error) => tracing::debug!(%error, "the messages of a request cannot be read for its span"),
        }
    }

    /// Reads the messages of an exchange in a dialect; `None` if its operation has none.
    fn read(&self, serving: &Serving, provider: Option<&Arc<Adapter>>) -> Result<Option<Chat>, MessagesError> {
        let Some(client) = &self.client else { return Ok(None) };
        let Some(dialect) = dialect(&client.request, serving) else { return Ok(None) };
        let mut recording = json!({"client": client.request, "features": []});
        // Without a provider, the client's request is read, and the answer that was kept for it: one in its own format.
        let (provider, answered) = match &self.upstream {
            Some(upstream) => (provider.unwrap_or(dialect), Some(upstream)),
            None => (dialect, Some(client).filter(|client| (200..300).contains(&client.response.status))),
        };
        if let Some(answered) = answered {
            self.add_side(&mut recording, answered);
        }
        let fixture = Fixture::parse("exchange", recording.to_string())?;
        Ok(Some(chat(&fixture, &serving.endpoints, Pair { dialect, provider })?))
    }

    /// Reads the messages of an exchange whose client sent the unified model.
    fn read_unified(
        &self,
        operation: &Operation,
        provider: Option<&Arc<Adapter>>,
    ) -> Result<Option<Chat>, MessagesError> {
        let Some(client) = &self.client else { return Ok(None) };
        let request = match operation {
            Operation::Chat => Request::Chat(body(&client.request)?),
            Operation::Embeddings => Request::Embeddings(body(&client.request)?),
            _ => return Ok(None),
        };
        let Some((provider, upstream)) = provider.zip(self.upstream.as_ref()) else {
            // A kept answer is in the unified model, too.
            return Ok(Some(Chat { answer: kept(&client.response), ..Chat::of(request) }));
        };
        let mut recording = json!({"features": []});
        self.add_side(&mut recording, upstream);
        let fixture = Fixture::parse("exchange", recording.to_string())?;
        Ok(Some(chat_of(request, &fixture, provider)))
    }

    /// Adds a request and its answer, if there was one.
    fn add_side(&self, recording: &mut serde_json::Value, side: &File) {
        recording["request"] = json!(side.request);
        recording["streaming"] = json!(side.streaming);
        if self.is_cut {
            recording["features"] = json!(["stream_cut"]);
        }
        if side.response.status != 0 {
            recording["response"] = json!(side.response);
        }
    }
}

/// The adapter of the format in which a request with messages is.
fn dialect<'a>(client: &RequestPart, serving: &'a Serving) -> Option<&'a Arc<Adapter>> {
    let method = Method::from_bytes(client.method.as_bytes()).ok()?;
    let (path, query) = client.path_and_query.split_once('?').unwrap_or((&client.path_and_query, ""));
    let head = Head { headers: &HeaderMap::new(), query };
    let Lookup::Found(endpoint, _) = serving.endpoints.find(&method, path, &head) else { return None };
    let has_messages = matches!(endpoint.face.operation, Operation::Chat | Operation::Embeddings);
    serving.adapter(&endpoint.adapter).filter(|_| has_messages)
}

fn kept(response: &ResponsePart) -> Option<ChatResponse> {
    serde_json::from_str(response.body.as_ref()?.get()).ok()
}

fn body<T: DeserializeOwned>(request: &RequestPart) -> Result<T, serde_json::Error> {
    let text = request.body.as_ref().map_or("null", |body| body.get());
    serde_json::from_str(text)
}
