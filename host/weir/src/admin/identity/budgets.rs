//! `/admin/v1/budgets`: a budget of the store is made, changed, deleted; any budget is shown. Those of the
//! configuration, and those that stand at keys, teams and organisations, are changed where they stand.

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;

use super::documents::read;
use super::fields::{invalid, new_document, patched_document};
use super::perform::{Decided, perform, shown};
use super::request::{AdminCaller, AdminRequest};
use super::subject;
use crate::admin::spending::{self, VisibleBudgets};
use crate::admin::{Operations, Problem};
use crate::keys::Snapshot;
use weir_identity::change::{ChangeError, Command, SpendingCommand, Stored as _, team_of_budget};
use weir_identity::document::{Access, BudgetId, ScopedBudget};
use weir_identity::{Document, Kind};

/// Makes a budget.
pub(super) async fn create(State(operations): State<Operations>, request: Request) -> Result<Response, Problem> {
    let asked = AdminRequest::read(request).await?;
    let (body, caller, gateway) = (asked.json()?, asked.caller.clone(), operations.gateway);
    perform(operations.identity, asked, StatusCode::CREATED, move |stored| {
        let document = new_document(Kind::Budget, &body, Timestamp::now())?;
        let Document::Budget(budget) = document else { return Err(ChangeError::Forbidden) };
        if !may(&caller, &budget, stored) {
            return Err(ChangeError::Forbidden);
        }
        // Where the configuration stands is not for those who manage one team.
        let is_hidden = !caller.may(Access::Read, None) && gateway.budgets().is_configured(budget.id.as_str());
        if is_hidden || stored.document(Kind::Budget, budget.id.as_str()).is_some() {
            return Err(ChangeError::Exists(Kind::Budget));
        }
        let warnings = subject::missing(&budget.scope, stored, &gateway.serving()).into_iter().collect();
        Ok(Decided { command: Command::Spending(SpendingCommand::PutBudget(Box::new(budget))), warnings })
    })
    .await
}

/// Shows a budget with its window and what is used in it; one of the store with its fields and its ETag.
pub(super) async fn show(
    State(operations): State<Operations>,
    Path(name): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    let asked = AdminRequest::read(request).await?;
    let sight = VisibleBudgets::of(&operations, asked.caller);
    let gateway = operations.gateway;
    let state = tokio::task::spawn_blocking(move || {
        let found = gateway.budgets().named(&name).filter(|(budget, ..)| sight.sees(budget));
        found.map(|status| (spending::budget(&status, &sight), name))
    });
    let found = state.await.map_err(|_| Problem::internal())?;
    let (mut item, name) = found.ok_or_else(|| Problem::not_found(Kind::Budget))?;
    let mut etag = None;
    if item["origin"] == spending::STORED {
        let (document, revision) = read(&operations.identity, Kind::Budget, &name).await?;
        if let (Some(item), Some(fields)) = (item.as_object_mut(), shown(&document, revision, None).as_object_mut()) {
            item.append(fields);
        }
        etag = revision.to_string().parse::<HeaderValue>().ok();
    }
    let mut response = Json(item).into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response.headers_mut().extend(etag.map(|etag| (header::ETAG, etag)));
    Ok(response)
}

/// Changes a budget by a merge patch. What was used stays counted, as long as the unit and the windows stay the same.
pub(super) async fn edit(
    State(operations): State<Operations>,
    Path(name): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    let asked = AdminRequest::read(request).await?;
    let (patch, caller) = (asked.json()?, asked.caller.clone());
    let identity = operations.identity.clone();
    perform(identity, asked, StatusCode::OK, move |stored| {
        let before = changeable(&operations, &caller, &name, stored)?;
        if patch.get("for").is_some() {
            return Err(invalid("for", "never changes, since what was counted is that use: make another budget"));
        }
        match patched_document(&Document::Budget(before), &patch)? {
            Document::Budget(budget) => Ok(Command::Spending(SpendingCommand::PutBudget(Box::new(budget)))),
            _ => Err(ChangeError::NotFound(Kind::Budget)),
        }
    })
    .await
}

/// Deletes a budget.
pub(super) async fn delete(
    State(operations): State<Operations>,
    Path(name): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    let asked = AdminRequest::read(request).await?;
    let caller = asked.caller.clone();
    let identity = operations.identity.clone();
    perform(identity, asked, StatusCode::OK, move |stored| {
        // One that cannot be read is deleted by its name.
        let id = match stored.damaged(Kind::Budget, &name) {
            Some(_) => BudgetId::parse(&name).map_err(|_| ChangeError::NotFound(Kind::Budget))?,
            None => changeable(&operations, &caller, &name, stored)?.id,
        };
        Ok(Command::Spending(SpendingCommand::DeleteBudget(id)))
    })
    .await
}

/// The budget of the store with this name, if the caller may change it.
///
/// # Errors
///
/// There is none, as far as the caller may know; the caller may see it only; or a budget of this name stands elsewhere.
fn changeable(
    operations: &Operations,
    caller: &AdminCaller,
    name: &str,
    stored: &Snapshot<'_>,
) -> Result<ScopedBudget, ChangeError> {
    if let Some((Document::Budget(budget), _)) = stored.document(Kind::Budget, name)
        && may(caller, &budget, stored)
    {
        return Ok(budget);
    }
    let sight = VisibleBudgets::of(operations, caller.clone());
    let found = operations.gateway.budgets().named(name).filter(|(budget, ..)| sight.sees(budget));
    let (budget, ..) = found.ok_or(ChangeError::NotFound(Kind::Budget))?;
    Err(match sight.place(&budget.name) {
        Some(place) => ChangeError::ReadOnly { kind: Kind::Budget, place },
        None => ChangeError::Forbidden,
    })
}

fn may(caller: &AdminCaller, budget: &ScopedBudget, stored: &Snapshot<'_>) -> bool {
    caller.may(Access::Write, team_of_budget(&budget.scope, stored).as_ref())
}
