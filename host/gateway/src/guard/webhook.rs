//! A guard that is a service of the operator's: requests are posted to it as JSON, and its verdict comes back. It is
//! called within the guard's deadline, and not at all for a while after it has failed too often.

mod breaker;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::json_size::json_size;
use breaker::ServiceBreaker;
use weir_buffers::{Full, Held};
use weir_sandbox::GuardManifest;
use weir_sandbox::guard::{Access, Annotation, Asked, Denial, Facts, Phase, RequestAnswer, RequestVerdict};
use weir_types::contract::types::{ChatRequest, EmbeddingsRequest, RerankRequest};
use weir_upstream::{WebhookClient, WebhookError, WebhookSetupError};

/// The version of the protocol, which stands in each call.
const PROTOCOL: u8 = 1;
/// What an answer may be longer than its call, in bytes.
const ROOM: usize = 64 << 10;

/// A service that judges requests.
#[derive(Debug)]
pub(super) struct Webhook {
    client: WebhookClient,
    manifest: GuardManifest,
    breaker: ServiceBreaker,
}

/// Why a service gave no verdict.
#[derive(Debug, thiserror::Error)]
pub(super) enum WebhookFailure {
    #[error("it has failed too often, and is not called for some seconds")]
    Resting,
    #[error(transparent)]
    Call(#[from] WebhookError),
    #[error("its answer is not as docs/guards.md says: {0}")]
    Answer(serde_json::Error),
    #[error("the request cannot be written: {0}")]
    Request(serde_json::Error),
    #[error("too many bytes are held already for what the service is sent")]
    Full(Full),
}

/// The caller and the bounds of a call to a service.
pub(super) struct Call {
    /// The caller's number.
    pub(super) caller: u64,
    /// How long the service may take.
    pub(super) timeout: Duration,
    /// The bytes held for the call; none yet.
    pub(super) held: Held,
}

/// A call as the service reads it.
#[derive(Debug, Serialize)]
struct Message<'a> {
    protocol: u8,
    facts: WireFacts<'a>,
    asked: Content<'a>,
}

/// The facts of the exchange, with the guard's options.
#[derive(Debug, Serialize)]
struct WireFacts<'a> {
    request_id: &'a str,
    now_ms: f64,
    client: Option<&'a str>,
    team: Option<&'a str>,
    model: &'a str,
    format: &'a str,
    stream: bool,
    input_tokens: Option<u32>,
    options: BTreeMap<&'a str, &'a RawValue>,
}

/// The request, as far as the guard may see it.
#[derive(Debug, Serialize)]
#[serde(tag = "kind", content = "request", rename_all = "lowercase")]
enum Content<'a> {
    Withheld,
    Chat(&'a ChatRequest),
    Embeddings(&'a EmbeddingsRequest),
    Rerank(&'a RerankRequest),
    Other(Value),
}

/// The service's answer.
#[derive(Debug, Deserialize)]
struct Answer {
    verdict: WireVerdict,
    #[serde(default)]
    code: Option<String>,
    #[serde(default)]
    message: Option<String>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
    /// With `replace`, the request in its new form.
    #[serde(default)]
    request: Option<Box<RawValue>>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum WireVerdict {
    Allow,
    Deny,
    Replace,
}

impl Webhook {
    /// The service of a guard.
    ///
    /// # Errors
    ///
    /// Its url cannot be called.
    pub(super) fn new(
        settings: &weir_config::GuardWebhook,
        outbound: Option<&weir_config::Outbound>,
    ) -> Result<Self, WebhookSetupError> {
        let secret = settings.secret.as_ref().map(weir_config::Secret::expose);
        let client = WebhookClient::new(&settings.url, secret, settings.private, outbound)?;
        let (prompt, answer) = (Access::Write, Access::None);
        let manifest = GuardManifest { phases: vec![Phase::Request], prompt, answer, metadata: true, hold_back: 0 };
        Ok(Self { client, manifest, breaker: ServiceBreaker::new() })
    }

    /// What the service judges, and what it may be shown.
    pub(super) fn manifest(&self) -> &GuardManifest {
        &self.manifest
    }

    /// Has the service judge a request of this caller. What it is sent and what it answers is held meanwhile.
    ///
    /// # Errors
    ///
    /// The service gives no verdict in time, or is left alone since it has failed too often, or there is no room.
    pub(super) async fn on_request(
        &self,
        facts: &Facts,
        asked: &Asked,
        Call { caller, timeout, mut held }: Call,
    ) -> Result<RequestAnswer, WebhookFailure> {
        let message = Message { protocol: PROTOCOL, facts: WireFacts::from(facts), asked: Content::from(asked) };
        let admitted = self.breaker.admit(Instant::now()).ok_or(WebhookFailure::Resting)?;
        let answered = self.answered(&message, timeout, &mut held).await;
        let read = answered.and_then(|body| read(&body, asked).map_err(WebhookFailure::Answer));
        let now = Instant::now();
        match &read {
            Ok(_) => admitted.succeeded(now),
            Err(failure) => admitted.failed(failure, caller, now),
        }
        read
    }

    async fn answered(
        &self,
        message: &Message<'_>,
        timeout: Duration,
        held: &mut Held,
    ) -> Result<Bytes, WebhookFailure> {
        let size = json_size(message).map_err(WebhookFailure::Request)?;
        // The answer may hold the request in another form.
        held.grow(size.saturating_mul(2)).await.map_err(WebhookFailure::Full)?;
        let mut body = Vec::with_capacity(size);
        serde_json::to_writer(&mut body, message).map_err(WebhookFailure::Request)?;
        Ok(self.client.post(body, timeout, size.saturating_add(ROOM)).await?)
    }
}

impl<'a> From<&'a Facts> for WireFacts<'a> {
    fn from(facts: &'a Facts) -> Self {
        let option = |one: &'a weir_types::contract::types::Setting| {
            Some((one.key.as_str(), serde_json::from_str(&one.json).ok()?))
        };
        Self {
            request_id: &facts.request_id,
            now_ms: facts.now_ms,
            client: facts.client.as_deref(),
            team: facts.team.as_deref(),
            model: &facts.model,
            format: &facts.format,
            stream: facts.stream,
            input_tokens: facts.input_tokens,
            options: facts.options.iter().filter_map(option).collect(),
        }
    }
}

impl<'a> From<&'a Asked> for Content<'a> {
    fn from(asked: &'a Asked) -> Self {
        match asked {
            Asked::Withheld => Self::Withheld,
            Asked::Chat(request) => Self::Chat(request),
            Asked::Embeddings(request) => Self::Embeddings(request),
            Asked::Rerank(request) => Self::Rerank(request),
            Asked::Other(json) => Self::Other(serde_json::from_str(json).unwrap_or_default()),
        }
    }
}

/// Reads an answer to a call about this request.
fn read(body: &[u8], asked: &Asked) -> Result<RequestAnswer, serde_json::Error> {
    let Answer { verdict, code, message, annotations, request } = serde_json::from_slice(body)?;
    let verdict = match verdict {
        WireVerdict::Allow => RequestVerdict::Allow,
        WireVerdict::Deny => {
            let message = message.unwrap_or_else(|| "the request is refused".to_owned());
            RequestVerdict::Deny(Denial { code, message, annotations: Vec::new() })
        }
        WireVerdict::Replace => RequestVerdict::Replace(replaced(request.as_deref().map_or("", RawValue::get), asked)?),
    };
    let annotations = annotations.into_iter().map(|(key, value)| Annotation { key, value }).collect();
    Ok(RequestAnswer { verdict, annotations, memo: String::new() })
}

/// The request that stands in the place of another, of the same kind.
fn replaced(json: &str, asked: &Asked) -> Result<Asked, serde_json::Error> {
    Ok(match asked {
        Asked::Chat(_) => Asked::Chat(serde_json::from_str(json)?),
        Asked::Embeddings(_) => Asked::Embeddings(serde_json::from_str(json)?),
        Asked::Rerank(_) => Asked::Rerank(serde_json::from_str(json)?),
        // A guard must not change such a request, which is checked for all guards in one place.
        Asked::Withheld | Asked::Other(_) => Asked::Withheld,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_answer_has_a_verdict_and_what_belongs_to_it() {
        let asked = Asked::Chat(ChatRequest::user("Hi"));
        let answer = |json: Value| read(json.to_string().as_bytes(), &asked);
        assert_eq!(answer(json!({"verdict": "allow"})).unwrap().verdict, RequestVerdict::Allow);
        let denied = answer(json!({"verdict": "deny", "message": "no", "annotations": {"topic": "bank"}})).unwrap();
        assert_eq!(denied.annotations, [Annotation { key: "topic".into(), value: "bank".into() }]);
        let RequestVerdict::Deny(denial) = denied.verdict else { panic!("it denies") };
        assert_eq!((denial.message.as_str(), denial.code), ("no", None));
        let other = ChatRequest::user("Ho");
        let replaced = answer(json!({"verdict": "replace", "request": other})).unwrap();
        assert_eq!(replaced.verdict, RequestVerdict::Replace(Asked::Chat(other)));
        for wrong in [json!({}), json!({"verdict": "maybe"}), json!({"verdict": "replace"}), json!([])] {
            assert!(answer(wrong.clone()).is_err(), "{wrong}");
        }
    }
}
