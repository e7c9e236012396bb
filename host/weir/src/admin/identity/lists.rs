//! Lists, in pages: `{"items", "next_cursor"}`, by id.

use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::perform::shown;
use super::request::{AdminCaller, AdminRequest};
use crate::admin::{Operations, Problem};
use crate::keys::Registry;
use weir_identity::document::{Access, TeamId};
use weir_identity::{Document, Kind};
use weir_store::StoreError;

/// The documents that are read at once.
const PART: usize = 1_000;
/// The most documents that are looked at for one page. A page that ends there is not the last one.
const LOOKED_AT: usize = 20_000;

/// Lists keys, those of one team if `team` is set.
pub(super) async fn keys(State(operations): State<Operations>, request: Request) -> Result<Response, Problem> {
    documents(operations, request, Kind::Key).await
}

/// Lists documents of a kind: those that the caller may see.
pub(super) async fn documents(operations: Operations, request: Request, kind: Kind) -> Result<Response, Problem> {
    let asked = AdminRequest::read(request).await?;
    let known: &[&str] = match kind {
        Kind::Key => &["cursor", "limit", "team"],
        Kind::Price => &["cursor", "limit", "origin"],
        _ => &["cursor", "limit"],
    };
    let parameters = asked.parameters(known)?;
    let limit = parameters.page_size()?;
    let team = parameters.with("team", "a team's id", |id| TeamId::parse(id).ok())?;
    let caller = asked.caller;
    if !matches!(kind, Kind::Key | Kind::Team) && !caller.may(Access::Read, None) {
        return Err(Problem::forbidden());
    }
    let after = parameters.text("cursor").unwrap_or_default();
    let registry = operations.identity.registry()?;
    let page = tokio::task::spawn_blocking(move || {
        page(&registry, kind, after, limit, |document| is_listed(document, &caller, team.as_ref()))
    });
    Ok(Json(page.await.map_err(|_| Problem::internal())??).into_response())
}

fn is_listed(document: &Document, caller: &AdminCaller, wanted: Option<&TeamId>) -> bool {
    match document {
        Document::Key(key) => {
            let team = key.owner.team.as_ref();
            wanted.is_none_or(|wanted| team == Some(wanted)) && caller.may(Access::Read, team)
        }
        Document::Team(team) => caller.may(Access::Read, Some(&team.id)),
        Document::Organisation(_) | Document::User(_) | Document::Budget(_) | Document::Price(_) => true,
    }
}

fn page(
    registry: &Registry,
    kind: Kind,
    mut after: String,
    limit: usize,
    is_listed: impl Fn(&Document) -> bool,
) -> Result<Value, StoreError> {
    let (mut items, mut looked_at): (Vec<Value>, usize) = (Vec::new(), 0);
    // A full page goes on after the last document that it shows: the ids of others cannot be found out.
    let mut shown_last = String::new();
    loop {
        let part = registry.documents(kind, &after, PART)?;
        let is_last = part.len() < PART;
        for (document, revision) in part {
            document.id().clone_into(&mut after);
            looked_at += 1;
            if !is_listed(&document) {
                continue;
            }
            // Only a document that does not fit any more shows that there is another page.
            if items.len() == limit {
                return Ok(json!({"items": items, "next_cursor": shown_last}));
            }
            items.push(shown(&document, revision, None));
            shown_last.clone_from(&after);
        }
        if is_last {
            return Ok(json!({"items": items, "next_cursor": null}));
        }
        if looked_at >= LOOKED_AT {
            return Ok(json!({"items": items, "next_cursor": after}));
        }
    }
}
