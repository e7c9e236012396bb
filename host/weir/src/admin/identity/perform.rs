//! Carries out a change: once for each `idempotency-key`, to its end even if the client leaves, and with an answer that
//! can be fetched again for ten minutes. A new key's text is in such answers only; they are kept in memory.

use std::cell::RefCell;
use std::sync::PoisonError;

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::Identity;
use super::request::AdminRequest;
use crate::admin::{Problem, to_its_end};
use crate::keys::{Outcome, Snapshot};
use weir_config::Secret;
use weir_identity::change::{ChangeError, Command, Context, Fingerprint, Remembered, Request, Revision};
use weir_identity::{Document, KeyText};

/// A command, and what its answer warns of.
#[derive(Debug)]
pub(super) struct Decided {
    pub(super) command: Command,
    pub(super) warnings: Vec<String>,
}

impl From<Command> for Decided {
    fn from(command: Command) -> Self {
        Self { command, warnings: Vec::new() }
    }
}

/// Carries out the command that `decide` makes of what is stored, and answers with this status.
pub(super) async fn perform<D: Into<Decided> + 'static>(
    identity: Identity,
    asked: AdminRequest,
    status: StatusCode,
    decide: impl Fn(&Snapshot<'_>) -> Result<D, ChangeError> + Send + 'static,
) -> Result<Response, Problem> {
    // A client that leaves may come back for the answer.
    to_its_end(once(identity, asked, status, decide)).await?
}

async fn once<D: Into<Decided> + 'static>(
    identity: Identity,
    asked: AdminRequest,
    status: StatusCode,
    decide: impl Fn(&Snapshot<'_>) -> Result<D, ChangeError> + Send + 'static,
) -> Result<Response, Problem> {
    let Some(key) = asked.idempotency_key() else {
        return Ok(answer(&carry_out(identity, asked, status, decide).await?));
    };
    // The rights are part of it: a caller whose rights have changed does not get the earlier answer.
    let actor = format!("{}:{} {:?}", asked.caller.actor.kind, asked.caller.actor.id, asked.caller.grants);
    // The condition is part of it: the same key with another one is another request.
    let of = |name: HeaderName| -> Vec<u8> {
        let values: Vec<&[u8]> = asked.headers.get_all(name).iter().map(HeaderValue::as_bytes).collect();
        values.join(&b","[..])
    };
    let body = [&asked.body[..], b"\n", &of(header::IF_MATCH), b"\n", &of(header::IF_NONE_MATCH)].concat();
    let fingerprint = Fingerprint::of(asked.method.as_str(), &asked.uri.to_string(), &body);
    let answers = std::sync::Arc::clone(&identity.answers);
    let remembering = || answers.lock().unwrap_or_else(PoisonError::into_inner);
    let begun = remembering().begin(&actor, &key, fingerprint, Timestamp::now());
    match begun {
        Request::Proceed => {}
        Request::Replay(remembered) => return Ok(answer(&remembered)),
        refused => return Err(refusal(&refused)),
    }
    match carry_out(identity, asked, status, decide).await {
        Ok(made) => {
            let response = answer(&made);
            remembering().finish(&actor, &key, made);
            Ok(response)
        }
        Err(problem) => {
            remembering().forget(&actor, &key);
            Err(problem)
        }
    }
}

fn refusal(refused: &Request) -> Problem {
    match refused {
        Request::InProgress => {
            Problem::new(StatusCode::CONFLICT, "in_progress", "the same request is being carried out: try again")
        }
        Request::Mismatch => {
            let message = "this `idempotency-key` was used for another request";
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "idempotency_key_reused", message)
        }
        Request::Full => {
            let message = "too many answers are remembered: try again later, or without `idempotency-key`";
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "busy", message)
        }
        _ => Problem::bad("bad_idempotency_key", "an `idempotency-key` has 1 to 255 bytes"),
    }
}

async fn carry_out<D: Into<Decided> + 'static>(
    identity: Identity,
    asked: AdminRequest,
    status: StatusCode,
    decide: impl Fn(&Snapshot<'_>) -> Result<D, ChangeError> + Send + 'static,
) -> Result<Remembered, Problem> {
    let registry = identity.registry()?;
    let precondition = asked.precondition()?;
    let caller = asked.caller;
    let context = Context { actor: caller.actor, grants: caller.grants, now: Timestamp::now(), precondition };
    let done = tokio::task::spawn_blocking(move || {
        let warnings = RefCell::new(Vec::new());
        let outcome = registry.run(&context, |stored| {
            let decided: Decided = decide(stored)?.into();
            warnings.replace(decided.warnings);
            Ok(decided.command)
        });
        outcome.map(|outcome| (outcome, warnings.into_inner()))
    });
    let (Outcome { document, event, issued }, warnings) = done.await.map_err(|_| Problem::internal())??;
    // A key that was taken over before is not made again.
    let was_there = status == StatusCode::CREATED && event.before.is_some();
    let status = if was_there { StatusCode::OK } else { status };
    let action = serde_json::to_value(event.action).unwrap_or_default();
    tracing::info!(
        actor = format!("{}:{}", event.actor.kind, event.actor.id),
        action = action.as_str(),
        kind = event.kind,
        id = event.id,
        "changed over the admin side"
    );
    Ok(match document {
        None => Remembered { status: 204, etag: None, body: Secret::new("") },
        Some((document, revision)) => {
            let mut body = shown(&document, revision, issued.as_ref());
            if !warnings.is_empty() {
                body["warnings"] = json!(warnings);
            }
            let body = Secret::new(body.to_string());
            Remembered { status: status.as_u16(), etag: Some(revision.to_string()), body }
        }
    })
}

fn answer(made: &Remembered) -> Response {
    let status = StatusCode::from_u16(made.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = if made.body.expose().is_empty() {
        status.into_response()
    } else {
        (status, [(header::CONTENT_TYPE, "application/json")], made.body.expose().to_owned()).into_response()
    };
    let headers = response.headers_mut();
    // An answer may show a key: nothing on the way keeps it.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(etag) = made.etag.as_deref().and_then(|etag| etag.parse().ok()) {
        headers.insert(header::ETAG, etag);
    }
    response
}

/// A document as answers show it: without hashes, with its revision, a key with its status and, once, its text.
pub(super) fn shown(document: &Document, revision: Revision, issued: Option<&KeyText>) -> Value {
    let mut value = document.public_view();
    value["revision"] = json!(revision.0);
    if let Document::Key(key) = document {
        let is_over = key.expires.is_some_and(|at| at <= Timestamp::now());
        value["status"] = json!(match (key.disabled, is_over) {
            (true, _) => "disabled",
            (false, true) => "expired",
            (false, false) => "active",
        });
    }
    if let Some(text) = issued {
        value["key"] = json!(text.expose());
    }
    value
}
