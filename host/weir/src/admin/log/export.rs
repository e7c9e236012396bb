//! `GET /admin/v1/requests/export`: all requests that meet a search, as JSON lines of Weir's own or of OpenTelemetry.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{RawQuery, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures_util::stream;

use super::{asked, store};
use crate::admin::{Operations, Parameters, Problem};
use crate::store::otlp;
use crate::store::shown::shown;
use weir_store::{MOST_OF_PAGE, Query, Store, StoreError};

/// What a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    /// A fact, as the other endpoints show it.
    Json,
    /// The facts of a page, as OTLP's `LogsData`.
    Otlp,
}

impl Format {
    fn parse(text: &str) -> Option<Self> {
        match text {
            "json" => Some(Self::Json),
            "otlp" => Some(Self::Otlp),
            _ => None,
        }
    }
}

/// Sends page after page as the client takes them. An answer that breaks off did not have everything.
pub(super) async fn export(State(operations): State<Operations>, RawQuery(url): RawQuery) -> Result<Response, Problem> {
    let known: Vec<&str> = asked::CONDITIONS.into_iter().chain(["format"]).collect();
    let parameters = Parameters::parse(url.as_deref(), &known)?;
    let format = parameters.with("format", "json or otlp", Format::parse)?.unwrap_or(Format::Json);
    let query = Query { limit: MOST_OF_PAGE, ..asked::search(&parameters)? };
    let store = store(&operations)?.store();
    let pages = stream::try_unfold(Some(query), move |query| {
        let store = Arc::clone(&store);
        async move {
            let Some(query) = query else { return Ok::<_, StoreError>(None) };
            // A thread for each page, not for the export: a slow client holds none.
            let read = tokio::task::spawn_blocking(move || page(&*store, query, format)).await;
            let page = read.unwrap_or_else(|error| Err(StoreError::Unavailable(error.to_string())));
            page.inspect_err(|error| tracing::warn!(%error, "an export of the request log broke off")).map(Some)
        }
    });
    Ok(([(header::CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(pages)).into_response())
}

/// A page as lines, and the search for the next one.
fn page(store: &dyn Store, query: Query, format: Format) -> Result<(Bytes, Option<Query>), StoreError> {
    let page = store.search(&query)?;
    let mut lines = String::new();
    match format {
        Format::Json => page.facts.iter().for_each(|fact| lines.extend([shown(fact).to_string().as_str(), "\n"])),
        Format::Otlp if page.facts.is_empty() => {}
        Format::Otlp => lines.extend([otlp::logs_data(&page.facts).to_string().as_str(), "\n"]),
    }
    Ok((lines.into(), page.next.map(|next| Query { after: Some(next), ..query })))
}
