//! `GET /admin/v1/requests/export`: all requests that meet a search, as JSON lines.

use axum::body::{Body, Bytes};
use axum::extract::{Query as UrlQuery, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use tokio::sync::mpsc;

use super::{Refusal, asked, requests, store};
use crate::admin::Operations;
use weir_store::{MOST_OF_PAGE, Query, Store, StoreError};

/// Pages that wait for the client.
const AHEAD: usize = 2;

/// Sends page after page while the store is read. An answer that breaks off did not have everything.
pub(super) async fn export(
    State(operations): State<Operations>,
    UrlQuery(given): UrlQuery<Vec<(String, String)>>,
) -> Result<Response, Refusal> {
    let query = Query { limit: MOST_OF_PAGE, ..asked::query(given)? };
    let store = store(&operations)?.store();
    let (pages, read) = mpsc::channel(AHEAD);
    tokio::task::spawn_blocking(move || send(&*store, query, &pages));
    let body = Body::from_stream(stream::unfold(read, |mut read| async {
        let page = read.recv().await?;
        Some((page, read))
    }));
    Ok(([(header::CONTENT_TYPE, "application/x-ndjson")], body).into_response())
}

/// Sends pages until the last one, or until the client has left.
fn send(store: &dyn Store, mut query: Query, pages: &mpsc::Sender<Result<Bytes, StoreError>>) {
    loop {
        let page = match store.search(&query) {
            Ok(page) => page,
            Err(error) => {
                tracing::warn!(%error, "an export of the request log broke off");
                // The client may have left.
                let _ = pages.blocking_send(Err(error));
                return;
            }
        };
        let mut lines = String::new();
        for fact in &page.facts {
            lines.push_str(&requests::shown(fact).to_string());
            lines.push('\n');
        }
        if pages.blocking_send(Ok(lines.into())).is_err() {
            return;
        }
        match page.next {
            Some(next) => query.after = Some(next),
            None => return,
        }
    }
}
