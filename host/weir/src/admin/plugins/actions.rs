//! What operators do with the versions of an adapter. An action that has begun is carried out and recorded, even if its
//! client leaves.

use std::sync::Arc;

use axum::Extension;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::trial::{self, AskedTrial};
use super::{deny, done, test};
use crate::admin::identity::AdminCaller;
use crate::admin::record::AdminAction;
use crate::admin::{Operations, Problem, body, refuse, to_its_end};
use weir_adapters::catalog::ChangeDenied;
use weir_adapters::decisions::DecidedBy;
use weir_sandbox::Digest;

/// Minimum number of digits that identify a digest.
const DIGITS: usize = 8;

/// Parameters of an action.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    /// A version, by its digest or the start of it.
    digest: Option<String>,
    /// The reason, for later readers.
    reason: Option<String>,
}

/// Who asks for an action, on which adapter, and what the audit log says of it.
struct AdapterAction {
    operations: Operations,
    caller: AdminCaller,
    action: String,
    name: String,
    details: Value,
}

impl AdapterAction {
    /// Carries out the action, which may block, records it, and answers once it is in force.
    async fn carry_out(self, action: impl FnOnce() -> Result<(), ChangeDenied> + Send + 'static) -> Response {
        let answered = to_its_end(async move {
            // On a blocking thread, because instances are created meanwhile.
            match tokio::task::spawn_blocking(action).await {
                Ok(Ok(())) => {}
                Ok(Err(denied)) => return deny(&denied),
                Err(_) => return Problem::internal().into_response(),
            }
            let Self { operations, caller, action, name, details } = self;
            AdminAction { action: &action, kind: "adapter", name: &name, details }.record(&operations, &caller).await;
            done(&operations, &name).await
        });
        answered.await.unwrap_or_else(Problem::into_response)
    }
}

/// Performs an action on one adapter.
pub(super) async fn act(
    State(operations): State<Operations>,
    Extension(caller): Extension<AdminCaller>,
    Path((name, verb)): Path<(String, String)>,
    body: Bytes,
) -> Response {
    if verb == "trial" {
        return try_out(operations, caller, name, &body).await;
    }
    let asked = match &*body {
        [] => Body::default(),
        body => match body::object(body) {
            Ok(asked) => asked,
            Err(error) => return refuse(StatusCode::BAD_REQUEST, &format!("the body: {error}")),
        },
    };
    let digest = match asked.digest.as_deref().map(|text| find(&operations, &name, text)).transpose() {
        Ok(digest) => digest,
        Err(denied) => return deny(&denied),
    };
    if verb == "test" {
        return test(operations, name, digest).await;
    }
    let catalog = Arc::clone(&operations.catalog);
    let reason = asked.reason.as_deref().map(cleaned);
    let details = json!({"digest": digest.map(|digest| digest.hex()), "reason": reason});
    let asked = AdapterAction { operations, caller, action: verb.clone(), name: name.clone(), details };
    let action = move || match (&*verb, digest) {
        ("rollback", None) => catalog.roll_back(&name).map(drop),
        ("rollback" | "activate", Some(digest)) => catalog.activate(&name, digest).map(drop),
        ("activate", None) => Err(ChangeDenied::Impossible("say which version: {\"digest\": \"…\"}".to_owned())),
        ("quarantine", digest) => {
            let serving =
                || catalog.get(&name).map(|adapter| adapter.digest).ok_or(ChangeDenied::Unknown(name.clone()));
            let reason = reason.unwrap_or_else(|| "the operator quarantined it".to_owned());
            let digest = digest.map_or_else(serving, Ok);
            digest.and_then(|digest| catalog.quarantine(&name, digest, &reason, DecidedBy::Operator))
        }
        ("release", digest) => catalog.release(&name, digest).map(drop),
        _ => Err(ChangeDenied::Unknown(format!("{name}/{verb}"))),
    };
    asked.carry_out(action).await
}

/// Puts the version in the folder on trial again, or gives the one on trial another share.
async fn try_out(operations: Operations, caller: AdminCaller, name: String, body: &[u8]) -> Response {
    let asked: AskedTrial = match body::object(body) {
        Ok(asked) => asked,
        Err(error) => return refuse(StatusCode::BAD_REQUEST, &format!("the body: {error}")),
    };
    let rule = match asked.rule() {
        Ok(rule) => rule,
        Err(problem) => return problem.into_response(),
    };
    let snapshot = operations.catalog.snapshot();
    let on_trial = || snapshot.trials.get(&*name).map(|trial| trial.adapter.digest);
    let digest = match asked.digest.as_deref().map(|text| find(&operations, &name, text)).transpose() {
        Ok(digest) => digest.or_else(on_trial).or_else(|| snapshot.aside.get(&*name).copied()),
        Err(denied) => return deny(&denied),
    };
    let Some(digest) = digest else {
        return deny(&ChangeDenied::Impossible("no version is on trial, or was rolled back from".to_owned()));
    };
    let catalog = Arc::clone(&operations.catalog);
    let details = json!({"digest": digest.hex(), "trial": trial::shown(&rule)});
    let asked = AdapterAction { operations, caller, action: "trial".to_owned(), name: name.clone(), details };
    asked.carry_out(move || catalog.try_again_by(&name, digest, rule)).await
}

/// Parses a whole digest, or finds the only version of this adapter whose digest starts with the text.
pub(super) fn find(operations: &Operations, name: &str, text: &str) -> Result<Digest, ChangeDenied> {
    let digits = text.strip_prefix("sha256:").unwrap_or(text);
    if let Ok(digest) = format!("sha256:{digits}").parse() {
        return Ok(digest);
    }
    let snapshot = operations.catalog.snapshot();
    let known = snapshot.versions(name).map(|adapter| adapter.digest);
    let refused = snapshot.refused.get(name).and_then(|refusal| refusal.digest);
    let mut matching: Vec<Digest> = known.chain(refused).filter(|digest| digest.hex().starts_with(digits)).collect();
    matching.sort();
    matching.dedup();
    match matching.as_slice() {
        [one] if digits.len() >= DIGITS => Ok(*one),
        _ => Err(ChangeDenied::Impossible(format!(
            "`digest` names no version of `{name}`: give the 64 digits, or at least {DIGITS} of one that is kept"
        ))),
    }
}

/// Removes control characters and limits the length.
fn cleaned(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}
