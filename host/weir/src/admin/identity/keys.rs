//! `/admin/v1/keys`: a key is made, shown, changed, rotated, disabled, enabled, moved, deleted.

use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use jiff::SignedDuration;
use serde::Deserialize;

use super::documents::{answer_document, read};
use super::fields::{KeyFields, imported, invalid};
use super::perform::perform;
use super::request::AdminRequest;
use crate::admin::{Operations, Problem};
use weir_identity::change::{ChangeError, Command, KeyCommand, Stored as _};
use weir_identity::document::{Access, TeamId};
use weir_identity::{Document, KeyId, Kind, object};

/// How long the text before a rotation stays valid, unless the request sets another time.
const GRACE: SignedDuration = SignedDuration::from_hours(24);

/// Makes a key. The answer shows its text, once.
pub(super) async fn create(State(operations): State<Operations>, request: Request) -> Result<Response, Problem> {
    let asked = AdminRequest::read(request).await?;
    needs_token(&operations, &asked)?;
    let body = asked.json()?;
    perform(operations.identity, asked, StatusCode::CREATED, move |_| {
        Ok(Command::Key(KeyCommand::Create(Box::new(KeyFields::parse(body.clone())?.into_new()))))
    })
    .await
}

/// Takes over a key by its hash. A key that was taken over before stays as it is.
pub(super) async fn import(State(operations): State<Operations>, request: Request) -> Result<Response, Problem> {
    let asked = AdminRequest::read(request).await?;
    needs_token(&operations, &asked)?;
    let body = asked.json()?;
    let caller = asked.caller.clone();
    perform(operations.identity, asked, StatusCode::CREATED, move |_| {
        // Whether a hash is known would show those who manage one team something of the keys of others.
        if !caller.may(Access::Write, None) {
            return Err(ChangeError::Forbidden);
        }
        let (hash, new) = imported(&body)?;
        Ok(Command::Key(KeyCommand::Import(Box::new(new), hash)))
    })
    .await
}

/// With keys, this listener serves others than those who are on this machine.
fn needs_token(operations: &Operations, asked: &AdminRequest) -> Result<(), Problem> {
    if !asked.caller.is_local || operations.is_apart {
        return Ok(());
    }
    let message = "with keys, this listener serves others than its operator, and `/admin` needs a token: set \
                   `admin.token` first, or `admin.listen`";
    Err(Problem::new(StatusCode::FORBIDDEN, "admin_token_required", message))
}

/// Shows a key, without its text and hashes.
pub(super) async fn show(
    State(operations): State<Operations>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    let asked = AdminRequest::read(request).await?;
    let id = parse(&id)?;
    let (document, revision) = read(&operations.identity, Kind::Key, id.as_str()).await?;
    match &document {
        Document::Key(key) if asked.caller.may(Access::Read, key.owner.team.as_ref()) => {
            Ok(answer_document(&document, revision))
        }
        _ => Err(Problem::not_found(Kind::Key)),
    }
}

/// Changes a key by a merge patch.
pub(super) async fn edit(
    State(operations): State<Operations>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    let asked = AdminRequest::read(request).await?;
    let (id, patch) = (parse(&id)?, asked.json()?);
    let caller = asked.caller.clone();
    perform(operations.identity, asked, StatusCode::OK, move |stored| {
        let key = stored.key(id).map(|(key, _)| key);
        // Checked before anything of its fields: the ids of other teams' keys cannot be found out.
        let key = key.filter(|key| caller.may(Access::Write, key.owner.team.as_ref()));
        let key = key.ok_or(ChangeError::NotFound(Kind::Key))?;
        let edit = KeyFields::patched(&key, &patch)?.into_edit();
        Ok(Command::Key(KeyCommand::Edit(id, Box::new(edit))))
    })
    .await
}

/// How to rotate.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rotation {
    /// How long the text before stays valid: `24h`.
    #[serde(default)]
    grace: Option<String>,
    /// Whether to replace the text of a rotation whose grace still runs.
    #[serde(default)]
    again: bool,
}

/// Gives a key a new text under its id. The answer shows it, once.
pub(super) async fn rotate(
    State(operations): State<Operations>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    let asked = AdminRequest::read(request).await?;
    let (id, body) = (parse(&id)?, asked.json()?);
    let Rotation { grace, again } = object::from_value(body).map_err(|error| invalid("rotate", error.to_string()))?;
    let wrong = || invalid("grace", "a time such as \"0s\", \"15m\", \"24h\" or \"7d\"");
    let grace = grace.map_or(Ok(GRACE), |text| crate::time::length(&text).ok_or_else(wrong))?;
    perform(operations.identity, asked, StatusCode::OK, move |_| {
        Ok(Command::Key(KeyCommand::Rotate { id, grace, again }))
    })
    .await
}

/// Where a key goes.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Destination {
    /// The team; none if null.
    team: Option<TeamId>,
}

/// Gives a key to another team.
pub(super) async fn move_to(
    State(operations): State<Operations>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    let asked = AdminRequest::read(request).await?;
    let (id, body) = (parse(&id)?, asked.json()?);
    if body.get("team").is_none() {
        return Err(invalid("team", "is missing: a team's id, or null for none").into());
    }
    let Destination { team } = object::from_value(body).map_err(|error| invalid("team", error.to_string()))?;
    perform(operations.identity, asked, StatusCode::OK, move |_| {
        Ok(Command::Key(KeyCommand::Move { id, team: team.clone() }))
    })
    .await
}

/// Carries out a command that needs no more than the key's id.
pub(super) async fn by_id(
    operations: Operations,
    Path(id): Path<String>,
    request: Request,
    command: fn(KeyId) -> KeyCommand,
) -> Result<Response, Problem> {
    let asked = AdminRequest::read(request).await?;
    let id = parse(&id)?;
    perform(operations.identity, asked, StatusCode::OK, move |_| Ok(Command::Key(command(id)))).await
}

/// The id in a path. What cannot be one is not found.
fn parse(id: &str) -> Result<KeyId, Problem> {
    KeyId::parse(id).map_err(|_| Problem::not_found(Kind::Key))
}
