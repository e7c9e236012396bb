//! `/admin/v1/teams`, `organisations`, `users` and `prices`: made, shown, changed, deleted.

use axum::Json;
use axum::extract::{Path, Request};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;

use super::Identity;
use super::fields::{new_document, patched_document};
use super::perform::{perform, shown};
use super::request::{AdminCaller, AdminRequest};
use crate::admin::{Operations, Problem};
use weir_identity::change::{ChangeError, Command, GroupCommand, KeysOfTeam, Revision, SpendingCommand, UserCommand};
use weir_identity::document::{Access, OrganisationId, PriceId, TeamId, UserId};
use weir_identity::{Document, Kind};

/// Makes a document.
pub(super) async fn create(operations: Operations, request: Request, kind: Kind) -> Result<Response, Problem> {
    let asked = AdminRequest::read(request).await?;
    let (body, caller) = (asked.json()?, asked.caller.clone());
    perform(operations.identity, asked, StatusCode::CREATED, move |stored| {
        // Before what exists is looked at: the ids of other teams cannot be found out.
        if !caller.may(Access::Write, None) {
            return Err(ChangeError::Forbidden);
        }
        let document = new_document(kind, &body, Timestamp::now())?;
        if stored.document(kind, document.id()).is_some() {
            return Err(ChangeError::Exists(kind));
        }
        put(document)
    })
    .await
}

/// Shows a document.
pub(super) async fn show(
    operations: Operations,
    Path(id): Path<String>,
    request: Request,
    kind: Kind,
) -> Result<Response, Problem> {
    let asked = AdminRequest::read(request).await?;
    may_see(&asked.caller, kind, &id)?;
    let (document, revision) = read(&operations.identity, kind, &id).await?;
    Ok(answer_document(&document, revision))
}

/// Changes a document by a merge patch.
pub(super) async fn edit(
    operations: Operations,
    Path(id): Path<String>,
    request: Request,
    kind: Kind,
) -> Result<Response, Problem> {
    let asked = AdminRequest::read(request).await?;
    let (patch, caller) = (asked.json()?, asked.caller.clone());
    perform(operations.identity, asked, StatusCode::OK, move |stored| {
        if !caller.may(Access::Write, None) {
            return Err(ChangeError::Forbidden);
        }
        let (before, _) = stored.document(kind, &id).ok_or(ChangeError::NotFound(kind))?;
        put(patched_document(&before, &patch)?)
    })
    .await
}

/// Deletes a document. `?keys=delete` deletes a team's keys with it.
pub(super) async fn delete(
    operations: Operations,
    Path(id): Path<String>,
    request: Request,
    kind: Kind,
) -> Result<Response, Problem> {
    let asked = AdminRequest::read(request).await?;
    let known: &[&str] = if kind == Kind::Team { &["keys"] } else { &[] };
    let delete_keys = asked.parameters(known)?.with("keys", "`delete`", |text| (text == "delete").then_some(()))?;
    let keys = if delete_keys.is_some() { KeysOfTeam::Delete } else { KeysOfTeam::Refuse };
    perform(operations.identity, asked, StatusCode::OK, move |_| {
        let missing = |_| ChangeError::NotFound(kind);
        Ok(match kind {
            Kind::Team => Command::Group(GroupCommand::DeleteTeam(TeamId::parse(&id).map_err(missing)?, keys)),
            Kind::Organisation => {
                let id = OrganisationId::parse(&id).map_err(missing)?;
                Command::Group(GroupCommand::DeleteOrganisation(id))
            }
            Kind::User => Command::User(UserCommand::Delete(UserId::parse(&id).map_err(missing)?)),
            Kind::Price => Command::Spending(SpendingCommand::DeletePrice(PriceId::parse(&id).map_err(missing)?)),
            Kind::Key | Kind::Budget => return Err(ChangeError::NotFound(kind)),
        })
    })
    .await
}

fn put(document: Document) -> Result<Command, ChangeError> {
    Ok(match document {
        Document::Team(team) => Command::Group(GroupCommand::PutTeam(Box::new(team))),
        Document::Organisation(organisation) => Command::Group(GroupCommand::PutOrganisation(Box::new(organisation))),
        Document::User(user) => Command::User(UserCommand::Put(Box::new(user))),
        Document::Budget(budget) => Command::Spending(SpendingCommand::PutBudget(Box::new(budget))),
        Document::Price(price) => Command::Spending(SpendingCommand::PutPrice(Box::new(price))),
        Document::Key(_) => return Err(ChangeError::Forbidden),
    })
}

/// Whether a caller may see a document: one with a grant for a team sees that team.
fn may_see(caller: &AdminCaller, kind: Kind, id: &str) -> Result<(), Problem> {
    let team = TeamId::parse(id).ok().filter(|_| kind == Kind::Team);
    if caller.may(Access::Read, team.as_ref()) { Ok(()) } else { Err(Problem::forbidden()) }
}

/// Reads a document.
pub(super) async fn read(identity: &Identity, kind: Kind, id: &str) -> Result<(Document, Revision), Problem> {
    let (registry, id) = (identity.registry()?, id.to_owned());
    let read = tokio::task::spawn_blocking(move || registry.document(kind, &id)).await;
    read.map_err(|_| Problem::internal())??.ok_or_else(|| Problem::not_found(kind))
}

/// A document with its ETag.
pub(super) fn answer_document(document: &Document, revision: Revision) -> Response {
    let mut response = Json(shown(document, revision, None)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Ok(etag) = revision.to_string().parse() {
        headers.insert(header::ETAG, etag);
    }
    response
}
