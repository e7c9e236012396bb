//! Lists, in pages: `{"items", "next_cursor"}`, by id. A cursor is the id of the last document that its page shows, so
//! it tells of no other.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::perform::shown;
use super::request::{AdminCaller, AdminRequest};
use crate::admin::{Operations, Problem};
use crate::keys::Registry;
use weir_identity::change::Revision;
use weir_identity::document::{Access, TeamId};
use weir_identity::{Directory, Document, Kind};
use weir_store::StoreError;

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
    let sees_all = caller.may(Access::Read, None);
    if !matches!(kind, Kind::Key | Kind::Team) && !sees_all {
        return Err(Problem::forbidden());
    }
    let after = parameters.text("cursor").unwrap_or_default();
    let registry = operations.identity.registry()?;
    let page = tokio::task::spawn_blocking(move || {
        if sees_all && team.is_none() {
            return page_of_all(&registry, kind, &after, limit);
        }
        // What other nodes changed is in the directory then.
        registry.catch_up()?;
        let directory = operations.gateway.stored_keys().directory();
        let sight = VisibleDocuments { caller, team };
        page_of_some(&registry, sight.first(&directory, kind, &after, limit + 1), kind, limit, &sight)
    });
    Ok(Json(page.await.map_err(|_| Problem::internal())??).into_response())
}

/// A page for who may see all documents of the kind.
fn page_of_all(registry: &Registry, kind: Kind, after: &str, limit: usize) -> Result<Value, StoreError> {
    let (found, next) = registry.page(kind, after, limit)?;
    Ok(answer(&found, next.as_deref()))
}

/// A page of some of the documents: these, of which the last one is on the next page if there are more than fit.
fn page_of_some(
    registry: &Registry,
    mut ids: Vec<String>,
    kind: Kind,
    limit: usize,
    sight: &VisibleDocuments,
) -> Result<Value, StoreError> {
    let is_last = ids.len() <= limit;
    ids.truncate(limit);
    let mut found = Vec::with_capacity(ids.len());
    for id in &ids {
        // It may have gone, or to another team, in between.
        found.extend(registry.document(kind, id)?.filter(|(document, _)| sight.sees(document)));
    }
    Ok(answer(&found, ids.last().filter(|_| !is_last).map(String::as_str)))
}

fn answer(found: &[(Document, Revision)], next: Option<&str>) -> Value {
    let items: Vec<Value> = found.iter().map(|(document, revision)| shown(document, *revision, None)).collect();
    json!({"items": items, "next_cursor": next})
}

/// Which keys or teams are listed: those that the caller may see, and of one team if only these are asked for.
struct VisibleDocuments {
    caller: AdminCaller,
    team: Option<TeamId>,
}

impl VisibleDocuments {
    fn sees(&self, document: &Document) -> bool {
        match document {
            Document::Key(key) => self.sees_key_of(key.owner.team.as_ref()),
            Document::Team(team) => self.caller.may(Access::Read, Some(&team.id)),
            Document::Organisation(_) | Document::User(_) | Document::Budget(_) | Document::Price(_) => false,
        }
    }

    fn sees_key_of(&self, team: Option<&TeamId>) -> bool {
        self.team.as_ref().is_none_or(|wanted| team == Some(wanted)) && self.caller.may(Access::Read, team)
    }

    /// The first ids after one. They are found in memory: there may be few among very many, and a look through the
    /// store would have to end at some document, whose id is perhaps not the caller's to see.
    fn first(&self, directory: &Directory, kind: Kind, after: &str, most: usize) -> Vec<String> {
        let ids: Vec<&str> = match kind {
            Kind::Key => {
                let seen = directory.keys().filter(|key| self.sees_key_of(key.team.as_ref()));
                first_of(seen.map(|key| key.id.as_str()), after, most)
            }
            Kind::Team => {
                let seen = directory.teams().filter(|team| self.caller.may(Access::Read, Some(&team.id)));
                first_of(seen.map(|team| team.id.as_str()), after, most)
            }
            Kind::Organisation | Kind::User | Kind::Budget | Kind::Price => Vec::new(),
        };
        ids.into_iter().map(str::to_owned).collect()
    }
}

/// The first texts after one, in order. No more of them are held, however many there are.
fn first_of<'a>(texts: impl Iterator<Item = &'a str>, after: &str, most: usize) -> Vec<&'a str> {
    let mut first = BTreeSet::new();
    for text in texts.filter(|text| *text > after) {
        if first.len() == most && first.last().is_some_and(|last| *last < text) {
            continue;
        }
        first.insert(text);
        if first.len() > most {
            first.pop_last();
        }
    }
    first.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_texts_come_in_order_and_none_of_them_twice() {
        let texts = ["d", "a", "c", "e", "b", "c"];
        assert_eq!(first_of(texts.into_iter(), "", 3), ["a", "b", "c"]);
        assert_eq!(first_of(texts.into_iter(), "c", 3), ["d", "e"]);
        assert!(first_of(texts.into_iter(), "e", 3).is_empty());
    }
}
