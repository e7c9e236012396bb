//! `GET /admin/v1/requests/export`: all requests that meet a search, as JSON lines of Weir's own or of OpenTelemetry,
//! or as a Parquet file.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{RawQuery, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use parquet::errors::ParquetError;
use thiserror::Error;

use super::{asked, store};
use crate::admin::{Operations, Parameters, Problem};
use crate::store::otlp;
use crate::store::parquet::ParquetFile;
use crate::store::shown::shown;
use weir_store::{Fact, MAX_OF_PAGE, Query, Store, StoreError};

/// What an export is, as the parameter `format` names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    /// A line for each fact, as the other endpoints show it.
    Json,
    /// A line for those of a page, as OTLP's `LogsData`.
    Otlp,
    /// A file of rows.
    Parquet,
}

/// What facts are made into.
enum Form {
    Json,
    Otlp,
    Parquet(Box<ParquetFile>),
}

/// Why an export breaks off.
#[derive(Debug, Error)]
enum ExportError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the Parquet file: {0}")]
    Parquet(#[from] ParquetError),
    #[error("the thread that read the log failed")]
    Thread,
}

impl Format {
    fn parse(text: &str) -> Option<Self> {
        match text {
            "json" => Some(Self::Json),
            "otlp" => Some(Self::Otlp),
            "parquet" => Some(Self::Parquet),
            _ => None,
        }
    }

    fn content_type(self) -> &'static str {
        match self {
            Self::Json | Self::Otlp => "application/x-ndjson",
            Self::Parquet => "application/vnd.apache.parquet",
        }
    }
}

impl Form {
    fn begin(format: Format) -> Result<Self, ExportError> {
        Ok(match format {
            Format::Json => Self::Json,
            Format::Otlp => Self::Otlp,
            Format::Parquet => Self::Parquet(Box::new(ParquetFile::new()?)),
        })
    }

    /// Takes the facts of a page, and returns what they add to the answer.
    fn push(&mut self, facts: Vec<Fact>) -> Result<Vec<u8>, ExportError> {
        let mut lines = String::new();
        match self {
            Self::Json => facts.iter().for_each(|fact| lines.extend([shown(fact).to_string().as_str(), "\n"])),
            Self::Otlp if facts.is_empty() => {}
            Self::Otlp => lines.extend([otlp::logs_data(&facts).to_string().as_str(), "\n"]),
            Self::Parquet(file) => return Ok(file.push(facts)?),
        }
        Ok(lines.into_bytes())
    }

    /// What the answer ends with.
    fn finish(self) -> Result<Vec<u8>, ExportError> {
        match self {
            Self::Json | Self::Otlp => Ok(Vec::new()),
            Self::Parquet(file) => Ok(file.finish()?),
        }
    }
}

/// Sends page after page as the client takes them. An answer that breaks off did not have everything.
pub(super) async fn export(State(operations): State<Operations>, RawQuery(url): RawQuery) -> Result<Response, Problem> {
    let known: Vec<&str> = asked::CONDITIONS.into_iter().chain(["format"]).collect();
    let parameters = Parameters::parse(url.as_deref(), &known)?;
    let format = parameters.with("format", "json, otlp or parquet", Format::parse)?.unwrap_or(Format::Json);
    let query = Query { limit: MAX_OF_PAGE, ..asked::search(&parameters)? };
    let store = store(&operations)?.store();
    let form = Form::begin(format).map_err(|error| {
        tracing::error!(%error, "an export of the request log could not begin");
        Problem::internal()
    })?;
    let pieces = stream::try_unfold(Some((query, form)), move |rest| {
        let store = Arc::clone(&store);
        async move {
            let mut rest = rest;
            // A page may add nothing yet.
            while let Some((query, form)) = rest {
                let store = Arc::clone(&store);
                // A thread for each page, not for the export: a slow client holds none.
                let read = tokio::task::spawn_blocking(move || page(&*store, query, form)).await;
                let page = read.unwrap_or(Err(ExportError::Thread));
                let (piece, next) =
                    page.inspect_err(|error| tracing::warn!(%error, "an export of the request log broke off"))?;
                if !piece.is_empty() {
                    return Ok::<_, ExportError>(Some((piece, next)));
                }
                rest = next;
            }
            Ok(None)
        }
    });
    Ok(([(header::CONTENT_TYPE, format.content_type())], Body::from_stream(pieces)).into_response())
}

/// What a page adds to the answer, and the search for the next one with what the answer is made with.
fn page(store: &dyn Store, query: Query, mut form: Form) -> Result<(Bytes, Option<(Query, Form)>), ExportError> {
    let page = store.search(&query)?;
    let mut piece = form.push(page.facts)?;
    if let Some(next) = page.next {
        return Ok((piece.into(), Some((Query { after: Some(next), ..query }, form))));
    }
    piece.extend(form.finish()?);
    Ok((piece.into(), None))
}
