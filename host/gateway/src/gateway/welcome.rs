//! `GET /`: what this server is, and where its pages are. JSON for programs, HTML for browsers.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, Method, Response, header};
use serde_json::{Value, json};

use crate::attempt::ReplyBody;
use crate::serving::Serving;
use weir_types::contract::about::Operation;

const ABOUT: &str = "A gateway for large language models: point a client that you know at this address.";

/// Where the documentation lists every endpoint.
const FURTHER: &str = "Further endpoints (models, token counts, files, batches and others) are in docs/clients.md.";

/// The pages of the admin endpoints.
pub(super) const PAGES: [(&str, &str); 6] = [
    ("dashboard", "/ui/"),
    ("health", "/health"),
    ("readiness", "/ready"),
    ("version", "/version"),
    ("metrics", "/metrics"),
    ("configuration", "/admin/config"),
];

/// Whether a request is for the welcome page.
pub(super) fn is_at(head: &Parts) -> bool {
    head.uri.path() == "/" && matches!(head.method, Method::GET | Method::HEAD)
}

/// The welcome page, in the form that the request prefers.
pub(super) fn page(serving: &Serving, head: &Parts) -> Response<ReplyBody> {
    let accepts = head.headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (kind, text) = if accepts.contains("text/html") {
        ("text/html; charset=utf-8", as_html(serving))
    } else {
        ("application/json", format!("{:#}\n", as_json(serving)))
    };
    let mut response = Response::new(ReplyBody::from(Bytes::from(text)));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::VARY, HeaderValue::from_static("accept"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// Endpoints of model calls by format, such as `POST /v1/…`. The documentation has the others (files, batches,
/// counts).
fn endpoints(serving: &Serving) -> BTreeMap<&str, BTreeSet<String>> {
    let mut endpoints: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for endpoint in serving.endpoints.all() {
        if matches!(endpoint.face.operation, Operation::Chat | Operation::Embeddings | Operation::Rerank) {
            let shown = format!("{} {}", endpoint.face.method, endpoint.face.path);
            endpoints.entry(endpoint.format()).or_default().insert(shown);
        }
    }
    endpoints
}

/// The admin pages that are on this listener.
fn pages(serving: &Serving) -> &'static [(&'static str, &'static str)] {
    if serving.config.admin.listen.is_some() { &[] } else { &PAGES }
}

fn as_json(serving: &Serving) -> Value {
    let pages: serde_json::Map<_, _> =
        pages(serving).iter().map(|(name, path)| ((*name).to_owned(), Value::from(*path))).collect();
    json!({
        "name": "weir",
        "about": ABOUT,
        "endpoints": endpoints(serving),
        "further": FURTHER,
        "pages": pages,
    })
}

fn as_html(serving: &Serving) -> String {
    let mut page = format!("<!doctype html>\n<title>Weir</title>\n<h1>Weir</h1>\n<p>{ABOUT}</p>\n");
    if !pages(serving).is_empty() {
        page.push_str("<ul>\n");
    }
    for (name, path) in pages(serving) {
        let _ = writeln!(page, "<li><a href=\"{path}\">{name}</a></li>");
    }
    if !pages(serving).is_empty() {
        page.push_str("</ul>\n");
    }
    page.push_str("<table>\n<tr><th>format</th><th>endpoint</th></tr>\n");
    for (format, endpoint) in
        endpoints(serving).iter().flat_map(|(format, all)| all.iter().map(move |one| (format, one)))
    {
        let _ = writeln!(page, "<tr><td>{}</td><td>{}</td></tr>", escaped(format), escaped(endpoint));
    }
    let _ = writeln!(page, "</table>\n<p>{FURTHER}</p>");
    page
}

/// Manifests are not trusted text.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
