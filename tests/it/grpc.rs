//! gRPC: the unified model over its own protocol, on the same path as every other request.

mod connections;
mod failures;
mod floods;
mod generate;
mod kept;
mod operations;
mod recordings;

use tonic::codegen::http::uri::PathAndQuery;
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status, Streaming};
use tonic_prost::ProstCodec;
use weir_grpc::messages::generate_event::Kind;
use weir_grpc::messages::{GenerateEvent, GenerateRequest, Summary};
use weir_grpc::types;
use weir_grpc::types::chat_event;
use weir_tests::{Gateway, soon};
use weir_types::contract::types::ChatRequest;

/// A connection without TLS.
pub(super) async fn connect(gateway: &Gateway) -> Channel {
    let endpoint = Endpoint::from_shared(format!("http://{}", gateway.address)).unwrap();
    soon("a connection", endpoint.connect()).await.unwrap()
}

/// A chat request as the usual one of the other formats.
pub(super) fn chat(model: &str, stream: bool) -> types::ChatRequest {
    ChatRequest { model: model.into(), stream, max_output_tokens: Some(64), ..ChatRequest::user("Hi") }.into()
}

/// The same with models in a member that only OpenAI's format has.
pub(super) fn naming(models: &str) -> types::ChatRequest {
    let extension = types::Extension { format: "openai.chat".into(), key: "models".into(), json: models.into() };
    types::ChatRequest { extensions: vec![extension], ..chat("openai", false) }
}

/// The same with a tool of OpenAI's format that no other has.
pub(super) fn with_tool(json: &str) -> types::ChatRequest {
    let opaque = types::Opaque { format: "openai.chat".into(), kind: "look".into(), json: json.into() };
    let tool = types::Tool { kind: Some(types::tool::Kind::Opaque(opaque)) };
    types::ChatRequest { tools: vec![tool], ..chat("openai", false) }
}

/// A request with metadata.
pub(super) fn with<T>(message: T, metadata: &[(&'static str, &str)]) -> Request<T> {
    let mut request = Request::new(message);
    for (name, value) in metadata {
        request.metadata_mut().insert(*name, value.parse().unwrap());
    }
    request
}

/// Calls a method that answers with one message.
pub(super) async fn unary<A, B>(
    channel: &Channel,
    method: &'static str,
    request: Request<A>,
) -> Result<tonic::Response<B>, Status>
where
    A: prost::Message + Send + Sync + 'static,
    B: prost::Message + Default + Send + Sync + 'static,
{
    let mut client = tonic::client::Grpc::new(channel.clone());
    client.ready().await.unwrap();
    soon("an answer", client.unary(request, PathAndQuery::from_static(method), ProstCodec::default())).await
}

pub(super) async fn generate(
    channel: &Channel,
    chat: types::ChatRequest,
    metadata: &[(&'static str, &str)],
) -> Result<Streaming<GenerateEvent>, Status> {
    let mut client = tonic::client::Grpc::new(channel.clone());
    client.ready().await.unwrap();
    let request = with(GenerateRequest { chat: Some(chat) }, metadata);
    let path = PathAndQuery::from_static("/weir.v1.Inference/Generate");
    let answer = client.server_streaming(request, path, ProstCodec::default());
    Ok(soon("an answer", answer).await?.into_inner())
}

/// What a client reads of an answer.
#[derive(Debug, Default)]
pub(super) struct Read {
    pub(super) text: String,
    finishes: usize,
    whole: Option<types::ChatResponse>,
    pub(super) summary: Option<Summary>,
    trailers: MetadataMap,
    pub(super) end: Option<Status>,
}

impl Read {
    pub(super) async fn all(mut stream: Streaming<GenerateEvent>) -> Self {
        let mut read = Self::default();
        loop {
            match soon("a message", stream.message()).await {
                Ok(Some(message)) => read.take(message),
                Ok(None) => break,
                Err(status) => {
                    read.trailers = status.metadata().clone();
                    read.end = Some(status);
                    return read;
                }
            }
        }
        read.trailers = soon("the trailers", stream.trailers()).await.unwrap().unwrap_or_default();
        read
    }

    fn take(&mut self, message: GenerateEvent) {
        assert!(self.summary.is_none(), "something follows the summary: {message:?}");
        match message.kind.expect("every message has a kind") {
            Kind::Event(event) => match event.kind.unwrap() {
                chat_event::Kind::Delta(delta) => self.text.push_str(&delta.text),
                chat_event::Kind::Finish(_) => self.finishes += 1,
                _ => {}
            },
            Kind::Response(response) => {
                for part in response.candidates.iter().flat_map(|candidate| &candidate.parts) {
                    if let Some(types::part::Kind::Text(text)) = &part.kind {
                        self.text.push_str(&text.text);
                    }
                }
                self.whole = Some(response);
            }
            Kind::Summary(summary) => self.summary = Some(summary),
        }
    }

    /// Usage as the trailers have it.
    fn usage(&self) -> types::Usage {
        let value: &MetadataValue<_> = self.trailers.get_bin("x-weir-usage-bin").unwrap();
        prost::Message::decode(value.to_bytes().unwrap()).unwrap()
    }
}
