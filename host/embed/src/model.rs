//! One call to a model, with what it asks for besides its request.

use std::time::Duration;

use http::header::IntoHeaderName;
use http::{HeaderMap, HeaderValue};

use super::{Answer, Client, Error, EventStream};
use weir_gateway::gateway::{Call, CallAnswer};
use weir_translate::unified;
use weir_types::contract::types::{
    ChatRequest, ChatResponse, EmbeddingsRequest, EmbeddingsResponse, RerankRequest, RerankResponse, TokenCount,
};
use weir_types::fault::Fault;
use weir_types::headers;

/// A model of a [`Client`], by the name of a route or as `PROVIDER/MODEL`. Each call may have limits and a name of its
/// own.
#[derive(Debug, Clone)]
#[must_use = "it does nothing until it is called"]
pub struct Model<'a> {
    client: &'a Client,
    name: String,
    headers: HeaderMap,
}

impl<'a> Model<'a> {
    pub(super) fn new(client: &'a Client, name: &str) -> Self {
        Self { client, name: name.to_owned(), headers: HeaderMap::new() }
    }

    /// Limits the time until the answer, over all attempts.
    pub fn timeout(self, limit: Duration) -> Self {
        self.with(&headers::TIMEOUT_MS, &limit.as_millis().to_string())
    }

    /// Keeps the calls of one session at one target, where a route chooses among several.
    pub fn session(self, session: &str) -> Self {
        self.with(&headers::SESSION, session)
    }

    /// Refuses the call rather than losing a field of its request.
    pub fn strict(self) -> Self {
        self.with(&headers::STRICT, "true")
    }

    /// Names the request in the log and to the adapters. Names of more than 128 characters, or with spaces, are
    /// replaced.
    pub fn request_id(self, id: &str) -> Self {
        self.with(&headers::REQUEST_ID, id)
    }

    /// Lets the call be part of a trace: a `traceparent` of W3C's Trace Context, which the provider gets too.
    pub fn traceparent(self, context: &str) -> Self {
        self.with("traceparent", context)
    }

    /// Asks for a whole answer.
    ///
    /// # Errors
    ///
    /// No target answered, or none may be asked.
    pub async fn generate(self, request: impl Into<ChatRequest>) -> Result<Answer<ChatResponse>, Error> {
        let request = ChatRequest { model: self.name.clone(), stream: false, ..request.into() };
        self.ask(unified::Request::Chat(request), |answer| match answer {
            unified::Answer::Chat(answer) => Some(answer),
            _ => None,
        })
        .await
    }

    /// Asks for an answer as a stream.
    ///
    /// # Errors
    ///
    /// No target began to answer, or none may be asked. What fails later is an item of the stream.
    pub async fn stream(self, request: impl Into<ChatRequest>) -> Result<EventStream, Error> {
        let request = ChatRequest { model: self.name.clone(), stream: true, ..request.into() };
        Ok(EventStream::new(self.call(unified::Request::Chat(request)).await?))
    }

    /// Asks for embeddings.
    ///
    /// # Errors
    ///
    /// No target answered, or none may be asked.
    pub async fn embed(self, request: EmbeddingsRequest) -> Result<Answer<EmbeddingsResponse>, Error> {
        let request = EmbeddingsRequest { model: self.name.clone(), ..request };
        self.ask(unified::Request::Embeddings(request), |answer| match answer {
            unified::Answer::Embeddings(answer) => Some(answer),
            _ => None,
        })
        .await
    }

    /// Asks for documents in the order in which they answer a query.
    ///
    /// # Errors
    ///
    /// No target answered, or none may be asked.
    pub async fn rerank(self, request: RerankRequest) -> Result<Answer<RerankResponse>, Error> {
        let request = RerankRequest { model: self.name.clone(), ..request };
        self.ask(unified::Request::Rerank(request), |answer| match answer {
            unified::Answer::Rerank(answer) => Some(answer),
            _ => None,
        })
        .await
    }

    /// Asks how many tokens a request has. Where the provider does not count, the answer is marked as an estimate.
    ///
    /// # Errors
    ///
    /// No target answered, or none may be asked.
    pub async fn count_tokens(self, request: impl Into<ChatRequest>) -> Result<Answer<TokenCount>, Error> {
        let request = ChatRequest { model: self.name.clone(), stream: false, ..request.into() };
        self.ask(unified::Request::CountTokens(request), |answer| match answer {
            unified::Answer::CountTokens(answer) => Some(answer),
            _ => None,
        })
        .await
    }

    fn with(mut self, name: impl IntoHeaderName, value: &str) -> Self {
        // A value that no header can hold is left out: no request could be found by it.
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(name, value);
        }
        self
    }

    async fn call(self, request: unified::Request) -> Result<CallAnswer, Error> {
        Ok(self.client.gateway().call(Call { request, headers: self.headers }).await?)
    }

    async fn ask<T>(
        self,
        request: unified::Request,
        take: impl FnOnce(unified::Answer) -> Option<T>,
    ) -> Result<Answer<T>, Error> {
        let CallAnswer { trace, mut body, is_estimate } = self.call(request).await?;
        let closing = body.closing();
        let Some(response) = body.take_answer().and_then(take) else {
            return Err(Error::new(Fault::internal("the call was answered with something else"), &trace));
        };
        Ok(Answer {
            response,
            losses: closing.losses,
            usage: closing.usage,
            target: trace.target.as_deref().unwrap_or_default().to_owned(),
            request_id: trace.request_id,
            attempts: trace.attempts,
            tried: trace.steps.iter().map(Into::into).collect(),
            is_estimate,
        })
    }
}
