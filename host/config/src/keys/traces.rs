//! `[traces]`: the export of spans.

use http::{HeaderName, HeaderValue, Uri};
use percent_encoding::percent_decode_str;

use crate::raw::Node;
use crate::section::{Entry, Located, Section, Size, Take, UpToOne, section};
use crate::{Conventions, Secret, SpanProtocol};

/// OpenTelemetry's variable that asks for newer versions of conventions.
const OPT_IN: &str = "OTEL_SEMCONV_STABILITY_OPT_IN";
/// The value in it that asks for the newest conventions for generative AI.
const NEWEST: &str = "gen_ai_latest_experimental";

section! {
    /// Export of the spans of requests, attempts and adapter calls. Off without this table.
    TRACES = "[traces]" at "traces" then Traces::complete;
    #[derive(Debug, Clone, PartialEq)]
    pub struct Traces {
        /// A collector that accepts OTLP, such as `"http://127.0.0.1:4318"` (usually port 4317 with
        /// `protocol = "grpc"`).
        endpoint: String as Endpoint => required "the address of a collector, such as \"http://127.0.0.1:4318\"",
        /// Headers for the collector, in OpenTelemetry's form: `name=value,name=value`, with percent-encoded values.
        headers: Vec<(String, Secret)> as Headers,
        /// How spans are sent: `"http"` (to `v1/traces` below the endpoint, if that does not end so) or `"grpc"`.
        protocol: SpanProtocol,
        /// The version of OpenTelemetry's conventions for generative AI by which attributes are named.
        conventions: Option<Conventions> => "\"1.37\"; \"1.42\" if OTEL_SEMCONV_STABILITY_OPT_IN contains gen_ai_latest_experimental",
        /// Whether a client's `traceparent` is continued. Otherwise each request begins a trace of its own.
        follow_clients: bool = true,
        /// The share of traces that are kept. A decision in a client's `traceparent` takes precedence.
        sample: f64 as UpToOne = 1.0,
        /// The spans' `service.name`.
        service: String = "weir".to_owned(),
        /// Whether spans have the messages of chats: of those requests whose contents are kept (`bodies` of `[store]`,
        /// `[[bodies]]`), without what is removed from these.
        content: bool,
        /// The most bytes of the messages of one side in a span. Older messages are left out, and texts are cut.
        max_content_bytes: usize as Size = 64 << 10,
    }
}

impl Traces {
    /// Chooses the conventions by the environment if the file does not.
    fn complete(self, section: &Section<'_>) -> Self {
        let asked = section.reader.environment.get(OPT_IN).unwrap_or_default();
        let is_newest = asked.split(',').any(|one| one.trim() == NEWEST);
        let usual = if is_newest { Conventions::V1_42 } else { Conventions::default() };
        Self { conventions: self.conventions.or(Some(usual)), ..self }
    }

    /// The conventions that name attributes.
    pub fn names(&self) -> Conventions {
        self.conventions.unwrap_or_default()
    }
}

/// An address over HTTP without credentials in it.
#[derive(Debug)]
pub(super) struct Endpoint;

impl Take for Endpoint {
    type Value = String;
    const TAKES: &'static str = "url";

    fn take(entry: &Entry<'_, '_>, node: Node) -> Option<String> {
        let text = Located::<String>::take(entry, node)?;
        let checked = endpoint(&text.value);
        if let Err(reason) = checked {
            entry.error(&text.place, format!("`{}` {reason}", entry.name));
        }
        checked.ok().map(|()| text.value)
    }

    fn example() -> String {
        "\"http://127.0.0.1:4318\"".to_owned()
    }
}

fn endpoint(text: &str) -> Result<(), &'static str> {
    let uri: Uri = text.parse().map_err(|_| "is not an address")?;
    let is_http = matches!(uri.scheme_str(), Some("http" | "https"));
    let authority = uri.authority().filter(|_| is_http).ok_or("must begin with http:// or https:// and name a host")?;
    if authority.as_str().contains('@') || uri.query().is_some() {
        return Err("may hold neither a password nor a query; put credentials into `headers`");
    }
    Ok(())
}

/// `name=value,name=value` (OpenTelemetry Protocol Exporter, "Specifying headers via environment variables").
#[derive(Debug)]
pub(super) struct Headers;

impl Take for Headers {
    type Value = Vec<(String, Secret)>;
    const TAKES: &'static str = Secret::TAKES;

    fn take(entry: &Entry<'_, '_>, node: Node) -> Option<Self::Value> {
        let secret = Located::<Secret>::take(entry, node)?;
        let pairs = secret.value.expose().split(',').map(str::trim).filter(|pair| !pair.is_empty());
        let read: Option<Vec<_>> = pairs.map(header).collect();
        if read.is_none() {
            let message = format!("`{}` holds something else than `name=value,name=value`", entry.name);
            entry.error_with(&secret.place, message, "values are percent-encoded: a comma is %2C");
        }
        read
    }

    fn example() -> String {
        Secret::example()
    }
}

fn header(pair: &str) -> Option<(String, Secret)> {
    let (name, value) = pair.split_once('=')?;
    let name: HeaderName = name.trim().parse().ok()?;
    let value = percent_decode_str(value.trim()).decode_utf8().ok()?;
    HeaderValue::try_from(&*value).ok()?;
    Some((name.as_str().to_owned(), Secret::new(&*value)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read_as_opentelemetry_writes_them() {
        let (name, value) = header("Authorization = Basic%20YTpi%2C=").unwrap();
        assert_eq!((name.as_str(), value.expose()), ("authorization", "Basic YTpi,="));
        for pair in ["nothing", "=x", "a b=c", "a=%0a", "a=%ff"] {
            assert!(header(pair).is_none(), "{pair}");
        }
    }

    #[test]
    fn an_endpoint_is_an_address_without_credentials() {
        for text in ["http://127.0.0.1:4318", "https://collector.internal/otlp/"] {
            assert_eq!(endpoint(text), Ok(()), "{text}");
        }
        for text in ["127.0.0.1:4318", "grpc://host", "http://user:word@host", "http://host/?key=1", ""] {
            assert!(endpoint(text).is_err(), "{text}");
        }
    }
}
