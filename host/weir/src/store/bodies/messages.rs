//! Gives a span the messages of its exchange (`traces.content`). They are read from what is kept, so that what is removed
//! there is in no span either.

use http::{HeaderMap, Method};
use serde_json::json;

use weir_fixtures::proof::{Fixture, Pair, chat};
use weir_gateway::observe::trace::Span;
use weir_gateway::serving::Serving;
use weir_translate::dialect::faces::{Head, Lookup};
use weir_types::contract::about::Operation;
use weir_upstream::replay::format::{File, RequestPart};

/// The recordings of one exchange, without secrets.
#[derive(Default)]
pub(super) struct Recordings {
    pub(super) client: Option<RequestPart>,
    pub(super) upstream: Option<File>,
    /// Whether the provider's answer broke off.
    pub(super) is_cut: bool,
}

impl Recordings {
    /// Sets the messages as attributes of the span. What cannot be read is left out.
    pub(super) fn tell(self, span: &Span, serving: &Serving, provider: Option<&str>) {
        let Some(client) = &self.client else { return };
        let Ok(method) = Method::from_bytes(client.method.as_bytes()) else { return };
        let (path, query) = client.path_and_query.split_once('?').unwrap_or((&client.path_and_query, ""));
        let head = Head { headers: &HeaderMap::new(), query };
        let Lookup::Found(face, _) = serving.faces.find(&method, path, &head) else { return };
        let Some(dialect) = serving.adapter(&face.adapter).filter(|_| face.claim.operation == Operation::Chat) else {
            return;
        };
        let provider = provider.and_then(|name| serving.config.provider(name));
        // Without an answer of a provider, only the client's request is read.
        let provider = provider.and_then(|provider| serving.adapter(&provider.adapter)).unwrap_or(dialect);
        let read = Fixture::parse("exchange", self.recording().to_string());
        let read = read.and_then(|fixture| chat(&fixture, &serving.faces, Pair { dialect, provider }));
        match read {
            Ok(read) => span.set_messages(read.request.as_ref(), read.answer.as_ref()),
            Err(reason) => tracing::debug!(reason, "the messages of a request cannot be read for its span"),
        }
    }

    fn recording(&self) -> serde_json::Value {
        let mut recording = json!({"client": self.client, "features": []});
        if let Some(upstream) = &self.upstream {
            recording["request"] = json!(upstream.request);
            recording["streaming"] = json!(upstream.streaming);
            if self.is_cut {
                recording["features"] = json!(["stream_cut"]);
            }
            if upstream.response.status != 0 {
                recording["response"] = json!(upstream.response);
            }
        }
        recording
    }
}
