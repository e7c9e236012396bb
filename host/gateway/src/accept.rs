//! Compiled acceptances: the parts of a provider's manifest that the relay lane uses.

mod session_faces;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::{HeaderName, HeaderValue, Method as HttpMethod};

use session_faces::SessionFaces;
use weir_realtime::CompiledSessionTap;
use weir_transcoding::{Method, MethodError};
use weir_types::contract::about::{
    Acceptance as Claim, FixedQuery, FrameTest, Manifest, Operation, Transport, UsageRequest,
};
use weir_types::contract::types::Setting;
use weir_upstream::{HeaderRules, encode_segment};
use weir_wire::tap::{CompiledCheck, CompiledTap};

/// One acceptance of one adapter, compiled.
#[derive(Debug)]
pub struct Acceptance {
    /// A process-wide unique number.
    pub id: usize,
    /// The format that the provider accepts.
    pub format: String,
    /// The operation that the provider accepts in this format.
    pub operation: Operation,
    /// The HTTP method of the upstream request.
    pub method: HttpMethod,
    /// Tests with their reasons; a request that matches one is translated instead.
    pub exclusions: Vec<(FrameTest, String)>,
    /// How to request usage in streams, if the format has a member for it.
    pub ask_usage: Option<UsageRequest>,
    /// Recognises what a stream contains only because usage was requested.
    pub withheld: Option<CompiledCheck>,
    /// Whether requests in other formats are translated to this format first.
    pub preferred: bool,
    /// Which of the client's headers are forwarded.
    pub request_headers: HeaderRules,
    /// Which of the provider's headers are forwarded to the client.
    pub response_headers: HeaderRules,
    set_headers: Vec<(HeaderName, Template)>,
    /// Reads usage from the answers.
    pub tap: Option<CompiledTap>,
    /// Reads the messages of sessions, if the acceptance is one of sessions.
    pub session: Option<Arc<CompiledSessionTap>>,
    /// The gRPC method that takes the requests; `None` for plain HTTP.
    pub grpc: Option<Arc<Method>>,
    query: Vec<Fixed>,
    query_forwarded: Vec<String>,
    path: Template,
    stream_path: Option<Template>,
}

/// A query parameter that every request carries, or only streamed ones, or only unstreamed ones.
#[derive(Debug)]
struct Fixed {
    name: String,
    value: Template,
    stream: Option<bool>,
}

/// Why an acceptance cannot be compiled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AcceptError {
    /// The method is malformed.
    #[error("`{0}` is not a method")]
    Method(String),
    /// A header's name or value is malformed.
    #[error("`{0}` cannot be set as a header")]
    Header(String),
    /// The tap does not compile.
    #[error("the tap is not usable: {0}")]
    Tap(String),
    /// The gRPC method does not compile.
    #[error("the gRPC method is not usable: {0}")]
    Grpc(#[from] MethodError),
    /// A path or a query has a brace without its partner.
    #[error("`{0}` has a brace without its partner")]
    Path(String),
}

/// The values for a template's placeholders.
#[derive(Clone, Copy)]
#[expect(missing_debug_implementations, reason = "holds a closure, for the length of a call")]
pub struct Filling<'a> {
    /// The model in the provider's spelling.
    pub model: &'a str,
    /// The `{id}` of the client's path.
    pub id: &'a str,
    /// Looks a target's option up by name, as plain text.
    pub option: &'a dyn Fn(&str) -> Option<String>,
}

/// An option as plain text: a string without quotes, a list's strings joined by commas, any other value as JSON.
pub fn option(options: &[Setting], name: &str) -> Option<String> {
    let setting = options.iter().find(|setting| setting.key == name)?;
    if let Ok(text) = serde_json::from_str::<String>(&setting.json) {
        return Some(text);
    }
    let list = serde_json::from_str::<Vec<String>>(&setting.json);
    Some(list.map_or_else(|_| setting.json.clone(), |list| list.join(",")))
}

impl Acceptance {
    /// Compiles an acceptance. `credentials` are the headers in which clients of any format may send a credential.
    pub fn compile(claim: &Claim, manifest: &Manifest, credentials: &[&str]) -> Result<Self, AcceptError> {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let format = manifest.formats.iter().find(|format| format.id == claim.format);
        let tap = format.and_then(|format| format.tap.as_ref());
        let session = format.and_then(|format| format.session.as_ref());
        let session = session.filter(|_| matches!(claim.transport, Some(Transport::Session)));
        let faces = SessionFaces::of(manifest, &claim.format);
        let session = session.map(|tap| CompiledSessionTap::new(tap, &faces.media(), &faces.names()));
        let session = session.transpose();
        let grpc = match &claim.transport {
            Some(Transport::Grpc(method)) => Some(Arc::new(Method::compile(method)?)),
            _ => None,
        };
        let set = |header: &weir_types::contract::types::Header| {
            let name = HeaderName::try_from(header.name.as_str());
            let is_sound = HeaderValue::try_from(header.value.as_str()).is_ok();
            let name = name.ok().filter(|_| is_sound).ok_or_else(|| AcceptError::Header(header.name.clone()))?;
            Ok::<_, AcceptError>((name, Template::parse(&header.value)?))
        };
        let fixed = |one: &FixedQuery| {
            let value = Template::parse(&one.value)?;
            Ok::<_, AcceptError>(Fixed { name: one.name.clone(), value, stream: one.stream })
        };
        let method =
            HttpMethod::from_bytes(claim.method.as_bytes()).map_err(|_| AcceptError::Method(claim.method.clone()))?;
        let tap = tap.map(CompiledTap::new).transpose().map_err(|error| AcceptError::Tap(error.to_string()))?;
        let members = tap.as_ref().map(CompiledTap::usage_members).unwrap_or_default();
        let withheld = claim.ask_usage.as_ref().and_then(|ask| CompiledCheck::new(&ask.withheld, members).ok());
        Ok(Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            format: claim.format.clone(),
            operation: claim.operation.clone(),
            method,
            exclusions: claim.exclusions.iter().map(|out| (out.test.clone(), out.reason.clone())).collect(),
            ask_usage: claim.ask_usage.clone(),
            withheld,
            preferred: claim.preferred,
            request_headers: HeaderRules::request(strs(&claim.request_headers), credentials.iter().copied()),
            response_headers: HeaderRules::response(strs(&claim.response_headers)),
            set_headers: claim.set_headers.iter().map(set).collect::<Result<_, _>>()?,
            tap,
            session: session.map_err(|error| AcceptError::Tap(error.to_string()))?.map(Arc::new),
            grpc,
            query: claim.query.iter().map(fixed).collect::<Result<_, _>>()?,
            query_forwarded: claim.query_forwarded.clone(),
            path: Template::parse(&claim.path)?,
            stream_path: claim.stream_path.as_deref().map(Template::parse).transpose()?,
        })
    }

    /// Whether the provider gets a client's request unchanged. A request for a gRPC method has always been translated.
    pub fn is_relayed(&self) -> bool {
        self.grpc.is_none()
    }

    /// Whether the target sets every option that this acceptance's templates use. Without one of them, the acceptance
    /// does not apply.
    pub fn is_open(&self, option: impl Fn(&str) -> Option<String>) -> bool {
        let queries = self.query.iter().map(|fixed| &fixed.value);
        let mut placeholders =
            [&self.path].into_iter().chain(&self.stream_path).chain(queries).flat_map(Template::options);
        placeholders.all(|name| option(name).is_some())
    }

    /// The upstream path, encoded and relative to the target's url.
    pub fn path(&self, filling: &Filling<'_>, stream: bool) -> String {
        let template = if stream { self.stream_path.as_ref().unwrap_or(&self.path) } else { &self.path };
        template.fill(filling)
    }

    /// Whether the path or the query names the model.
    pub(crate) fn names_model(&self) -> bool {
        let queries = self.query.iter().map(|fixed| &fixed.value);
        [&self.path].into_iter().chain(&self.stream_path).chain(queries).any(Template::names_model)
    }

    /// The upstream path if it is the same for every request.
    pub(crate) fn fixed_path(&self, stream: bool) -> Option<&str> {
        let template = if stream { self.stream_path.as_ref().unwrap_or(&self.path) } else { &self.path };
        match template.0.as_slice() {
            [Piece::Text(path)] => Some(path),
            _ => None,
        }
    }

    /// The upstream paths with the target's options filled in and their other placeholders left.
    pub(crate) fn shapes(&self, option: impl Fn(&str) -> Option<String> + Copy) -> impl Iterator<Item = String> {
        [Some(&self.path), self.stream_path.as_ref()].into_iter().flatten().map(move |path| path.shape(option))
    }

    /// Headers to set unless the client sent them. A header whose template uses an option that is not set is left
    /// out.
    pub fn set_headers(&self, filling: &Filling<'_>) -> impl Iterator<Item = (&HeaderName, HeaderValue)> {
        self.set_headers.iter().filter_map(|(name, template)| {
            let value = HeaderValue::try_from(template.fill_plain(filling)?);
            Some((name, value.ok()?))
        })
    }

    /// The headers that only the operator's options may set in the usual lanes: some of them choose the account that
    /// pays.
    pub(crate) fn operators_headers(&self) -> impl Iterator<Item = &HeaderName> {
        let nothing = Filling { model: "", id: "", option: &|_| None };
        let is_optional = move |template: &Template| template.fill_plain(&nothing).is_none();
        let names = self.set_headers.iter().filter(move |(_, template)| is_optional(template)).map(|(name, _)| name);
        names.filter(|name| !self.request_headers.passes(name))
    }

    /// The upstream query's parameters, not yet encoded.
    pub fn query(&self, client: &str, filling: &Filling<'_>, stream: bool) -> Vec<(String, String)> {
        let fixed = self.query.iter().filter(|fixed| fixed.stream.is_none_or(|when| when == stream));
        let filled = |fixed: &Fixed| Some((fixed.name.clone(), fixed.value.fill_plain(filling)?));
        let mut query: Vec<_> = fixed.filter_map(filled).collect();
        if !self.query_forwarded.is_empty() && !client.is_empty() {
            let is_wanted =
                |(name, value): &(String, String)| passes_query(&self.query_forwarded, (name, value), stream);
            query.extend(weir_types::query::pairs(client).filter(is_wanted));
        }
        query
    }

    /// Whether the manifest restricts which of a client's query parameters are forwarded.
    pub(crate) fn lists_query(&self) -> bool {
        !self.query_forwarded.is_empty() && self.query_forwarded.iter().all(|one| one != "*")
    }
}

/// The headers of an answer that its adapter gets: those that every adapter may read, and those that its acceptances
/// pass back.
pub fn read_headers(manifest: &Manifest) -> HeaderRules {
    HeaderRules::read_by_adapter(manifest.accepts.iter().flat_map(|claim| strs(&claim.response_headers)))
}

/// Whether a client's query parameter is forwarded. `NAME=VALUE` in the list allows one value, and only for streams:
/// any other value, or a whole answer in that framing, could hide the usage.
fn passes_query(forwarded: &[String], (name, value): (&str, &str), stream: bool) -> bool {
    forwarded.iter().any(|one| match one.split_once('=') {
        Some(of_stream) => stream && of_stream == (name, value),
        None => one == name || one == "*",
    })
}

fn strs(texts: &[String]) -> impl Iterator<Item = &str> {
    texts.iter().map(String::as_str)
}

/// A path, query value or header value with placeholders in braces.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Template(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Placeholder(String),
}

impl Template {
    fn parse(path: &str) -> Result<Self, AcceptError> {
        let broken = || AcceptError::Path(path.to_owned());
        let mut pieces = Vec::new();
        let mut rest = path;
        while let Some((text, after)) = rest.split_once('{') {
            let (name, tail) = after.split_once('}').ok_or_else(broken)?;
            pieces.push(Piece::Text(text.to_owned()));
            pieces.push(Piece::Placeholder(name.to_owned()));
            rest = tail;
        }
        if rest.contains('}') {
            return Err(broken());
        }
        pieces.push(Piece::Text(rest.to_owned()));
        Ok(Self(pieces))
    }

    /// The options that the template uses.
    fn options(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Placeholder(name) => name.strip_prefix("option."),
            Piece::Text(_) => None,
        })
    }

    fn names_model(&self) -> bool {
        self.0.iter().any(|piece| matches!(piece, Piece::Placeholder(name) if name == "model"))
    }

    /// The template with its options filled in.
    fn shape(&self, option: impl Fn(&str) -> Option<String>) -> String {
        let piece = |piece: &Piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Placeholder(name) => name
                .strip_prefix("option.")
                .map_or_else(|| format!("{{{name}}}"), |name| option(name).unwrap_or_default()),
        };
        self.0.iter().map(piece).collect()
    }

    /// Fills the placeholders without encoding; `None` if an option is missing.
    fn fill_plain(&self, filling: &Filling<'_>) -> Option<String> {
        let mut out = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Placeholder(name) => match name.as_str() {
                    "model" => out.push_str(filling.model),
                    "id" => out.push_str(filling.id),
                    name => out.push_str(&name.strip_prefix("option.").and_then(filling.option)?),
                },
            }
        }
        Some(out)
    }

    fn fill(&self, filling: &Filling<'_>) -> String {
        let mut out = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Placeholder(name) => match name.as_str() {
                    "model" => out.push_str(&encode_segment(filling.model)),
                    "id" => out.push_str(&encode_segment(filling.id)),
                    name => {
                        let value = name.strip_prefix("option.").and_then(filling.option).unwrap_or_default();
                        out.push_str(&encode_segment(&value));
                    }
                },
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(path: &str) -> String {
        let option = |name: &str| (name == "place").then(|| "a/b".to_owned());
        Template::parse(path).unwrap().fill(&Filling { model: "m 1", id: "x", option: &option })
    }

    #[test]
    fn placeholders_are_filled_and_encoded() {
        assert_eq!(filled("chat/completions"), "chat/completions");
        assert_eq!(filled("models/{model}:talk"), "models/m%201:talk");
        assert_eq!(filled("{option.place}/things/{id}"), "a%2Fb/things/x");
    }

    #[test]
    fn a_template_lists_the_options_that_it_uses() {
        let template = Template::parse("{model}/{option.place}/{option.age}").unwrap();
        assert_eq!(template.options().collect::<Vec<_>>(), ["place", "age"]);
    }

    #[test]
    fn a_header_without_its_option_is_left_out() {
        let option = |name: &str| (name == "place").then(|| "a/b".to_owned());
        let filling = Filling { model: "m 1", id: "x", option: &option };
        let plain = |text: &str| Template::parse(text).unwrap().fill_plain(&filling);
        assert_eq!(plain("{option.place} of {model}").as_deref(), Some("a/b of m 1"));
        assert_eq!(plain("2023-06-01").as_deref(), Some("2023-06-01"));
        assert_eq!(plain("{option.other}"), None);
    }

    #[test]
    fn a_parameter_passes_by_its_name_or_for_streams_by_its_value() {
        let forwarded = ["alt=sse", "pretty"].map(str::to_owned);
        let passes = |name: &str, value: &str, stream: bool| passes_query(&forwarded, (name, value), stream);
        assert!(passes("pretty", "x", false) && passes("alt", "sse", true));
        assert!(!passes("alt", "sse", false) && !passes("alt", "proto", true) && !passes("fields", "x", true));
        assert!(!passes("alt=sse", "", true));
        assert!(passes_query(&["*".to_owned()], ("any", "x"), false));
    }

    #[test]
    fn a_lone_brace_is_refused() {
        assert!(Template::parse("a/{model").is_err());
        assert!(Template::parse("a/model}").is_err());
    }
}
