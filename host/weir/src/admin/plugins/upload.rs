//! `PUT /admin/v1/adapters/{name}`: puts a component into the adapters' folder, once it has passed all checks.

use std::path::{Path as File, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::body;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde_json::json;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::trial::{self, AskedTrial};
use super::{actions, done, seconds};
use crate::admin::identity::AdminCaller;
use crate::admin::record::AdminAction;
use crate::admin::{Operations, Parameters, Problem, to_its_end};
use weir_adapters::atomic_file::{self, Readers};
use weir_adapters::catalog::ChangeDenied;
use weir_adapters::watch::{Rehearsal, signature_beside};
use weir_fixtures::proof::{self, Bounds};
use weir_sandbox::{Adapter, Digest};
use weir_types::headers::ADAPTER_SIGNATURE;

/// The longest name of an adapter, in bytes.
const MAX_NAME_LEN: usize = 64;
/// How long an answer waits until the folder was looked at.
const LOOKED_AT: Duration = Duration::from_secs(30);

/// Puts components into the adapters' folder, one at a time: each is held in memory as a whole.
#[derive(Debug, Clone)]
pub struct Uploads {
    rehearsal: Rehearsal,
    turn: Arc<Semaphore>,
}

impl Uploads {
    /// Uploads into the folder of these checks.
    pub fn new(rehearsal: Rehearsal) -> Self {
        Self { rehearsal, turn: Arc::new(Semaphore::new(1)) }
    }

    /// Takes the turn. What is begun with it keeps it to its end, even if its client leaves.
    fn begin(&self) -> Result<OwnedSemaphorePermit, Problem> {
        let message = "another file is being uploaded: try again in a moment";
        Arc::clone(&self.turn).try_acquire_owned().map_err(|_| Problem::new(StatusCode::CONFLICT, "busy", message))
    }
}

/// Whether a request uploads a component, whose size is bounded by the sandbox's limits in place of the usual bound.
pub(in crate::admin) fn is_upload(method: &Method, path: &str) -> bool {
    let path = path.strip_prefix("/admin").unwrap_or(path);
    path.starts_with("/v1/adapters/")
        && (*method == Method::PUT || *method == Method::POST && path.ends_with("/shadow"))
}

/// A version that does not serve, to be compared with the one that does: the component of a request, checked as an
/// upload is, or a version that is kept.
pub(in crate::admin) async fn candidate(
    operations: &Operations,
    name: &str,
    digest: Option<&str>,
    request: Request,
) -> Result<Arc<Adapter>, Problem> {
    if let Some(text) = digest {
        let denied = |denied: ChangeDenied| match denied {
            ChangeDenied::Unknown(_) => Problem::of_status(StatusCode::NOT_FOUND, denied.to_string()),
            ChangeDenied::Impossible(_) => Problem::of_status(StatusCode::CONFLICT, denied.to_string()),
        };
        let digest = actions::find(operations, name, text).map_err(denied)?;
        let kept = operations.catalog.snapshot().version(name, digest).cloned();
        return kept.ok_or_else(|| denied(ChangeDenied::Impossible("this version is not kept".to_owned())));
    }
    if !is_file_name(name) {
        return Err(bad_name());
    }
    let turn = operations.uploads.begin()?;
    let signature = signature(request.headers())?;
    let bytes = read(operations, request).await?;
    let (rehearsal, name) = (operations.uploads.rehearsal.clone(), name.to_owned());
    let checked = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        check(&rehearsal, &name, &bytes, signature.as_deref())
    });
    checked.await.map_err(|_| Problem::internal())?
}

fn bad_name() -> Problem {
    let message = "an adapter's name has 1 to 64 letters, digits, `-` and `_`, and begins with a letter or digit";
    Problem::bad("bad_name", message)
}

/// Checks the component as a file of the folder is checked, puts it there in one step, and answers when it serves or is
/// on trial.
pub(super) async fn put(
    State(operations): State<Operations>,
    Extension(caller): Extension<AdminCaller>,
    Path(name): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    let parameters = Parameters::parse(request.uri().query(), &trial::PARAMETERS)?;
    let rule = AskedTrial::of(&parameters)?.map(|asked| asked.rule()).transpose()?;
    if !is_file_name(&name) {
        return Err(bad_name());
    }
    let Some(trigger) = operations.trigger.clone() else {
        return Err(Problem::of_status(StatusCode::CONFLICT, "the plugins folder is not followed; the log says why"));
    };
    let turn = operations.uploads.begin()?;
    let signature = signature(request.headers())?;
    let bytes = read(&operations, request).await?;
    let digest = Digest::of(&bytes);
    let (rehearsal, catalog) = (operations.uploads.rehearsal.clone(), Arc::clone(&operations.catalog));
    let (named, size, recorded) = (name.clone(), bytes.len(), operations.clone());
    let put = async move {
        let placed = tokio::task::spawn_blocking(move || {
            check(&rehearsal, &named, &bytes, signature.as_deref())?;
            if let Some(rule) = rule {
                catalog.try_first(digest, rule);
            }
            catalog.take_back(&named, digest);
            place(&rehearsal, &named, &bytes, signature.as_deref()).map(|()| named)
        });
        let named = placed.await.map_err(|_| Problem::internal())??;
        trigger.fire();
        let details = json!({"digest": digest.hex(), "bytes": size, "trial": rule.as_ref().map(trial::shown)});
        AdminAction { action: "upload", kind: "adapter", name: &named, details }.record(&recorded, &caller).await;
        Ok::<_, Problem>(turn)
    };
    let _turn = to_its_end(put).await??;
    settled(&operations, &name, digest).await
}

/// Whether a name can be that of a file in the folder, and of nothing else.
fn is_file_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    name.len() <= MAX_NAME_LEN
        && bytes.next().is_some_and(|first| first.is_ascii_alphanumeric())
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// The text of the signature file. Its lines are separated by commas in the header.
fn signature(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get(&ADAPTER_SIGNATURE) else { return Ok(None) };
    let text = value.to_str().map_err(|_| Problem::bad("bad_signature", "the signature is not text"))?;
    let lines: Vec<&str> = text.split(',').map(str::trim).collect();
    Ok(Some(lines.join("\n") + "\n"))
}

async fn read(operations: &Operations, request: Request) -> Result<Vec<u8>, Problem> {
    let most = operations.uploads.rehearsal.largest();
    let body_timeout = operations.reload.current().config.server.body_timeout;
    let bytes = match tokio::time::timeout(body_timeout, body::to_bytes(request.into_body(), most)).await {
        Ok(Ok(bytes)) => bytes,
        Ok(Err(_)) => {
            let message = format!("the body broke off or is larger than {} MiB", most >> 20);
            return Err(Problem::of_status(StatusCode::PAYLOAD_TOO_LARGE, message));
        }
        Err(_) => {
            let message = "the body did not arrive within `server.body_timeout`";
            return Err(Problem::of_status(StatusCode::REQUEST_TIMEOUT, message));
        }
    };
    if bytes.is_empty() {
        return Err(Problem::bad("bad_request", "send the component (a .wasm file) as the body"));
    }
    Ok(bytes.into())
}

/// Checks the component before it is in the folder. Without fixtures beside its place, those that the component itself
/// holds prove it; a hidden copy of its own, which the folder's scans do not see, shows meanwhile that it is being
/// checked.
fn check(rehearsal: &Rehearsal, name: &str, bytes: &[u8], signature: Option<&str>) -> Result<Arc<Adapter>, Problem> {
    let place = rehearsal.dir().join(format!("{name}.wasm"));
    for path in [&place, &place.with_extension("wasm.sig")] {
        // A link leads to a file that something else takes care of, such as a `ConfigMap`.
        if std::fs::symlink_metadata(path).is_ok_and(|about| !about.is_file()) {
            let message = format!("{} is not a plain file, so it is not replaced", path.display());
            return Err(Problem::of_status(StatusCode::CONFLICT, message));
        }
    }
    let beside = proof::beside(&place, || Ok(Vec::new()), Bounds::GATE).map_err(|error| refused(&error.to_string()))?;
    let kept = signature_beside(&place);
    let signature = signature.or(kept.as_deref());
    let checked = if beside.is_empty() {
        let copy = HiddenCopy::put(rehearsal.dir(), name, bytes)?;
        rehearsal.check(name, bytes, signature, &copy.0)
    } else {
        rehearsal.check(name, bytes, signature, &place)
    };
    checked.map_err(|reason| refused(&reason.to_string()))
}

/// A copy of a component beside the adapters, until it has been checked. Other nodes may use the same folder.
struct HiddenCopy(PathBuf);

impl HiddenCopy {
    fn put(folder: &File, name: &str, bytes: &[u8]) -> Result<Self, Problem> {
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(|_| Problem::internal())?;
        let copy = Self(folder.join(format!(".{name}.{:016x}.upload.wasm", u64::from_ne_bytes(random))));
        match atomic_file::put(&copy.0, bytes, Readers::Owner) {
            Ok(()) => Ok(copy),
            Err(error) => Err(not_written(&copy.0, &error)),
        }
    }
}

impl Drop for HiddenCopy {
    fn drop(&mut self) {
        let _removed = std::fs::remove_file(&self.0);
    }
}

/// Puts the component in its place, its signature first.
fn place(rehearsal: &Rehearsal, name: &str, bytes: &[u8], signature: Option<&str>) -> Result<(), Problem> {
    let place = rehearsal.dir().join(format!("{name}.wasm"));
    let put = |path: &File, bytes: &[u8]| {
        atomic_file::put(path, bytes, Readers::All).map_err(|error| not_written(path, &error))
    };
    if let Some(signature) = signature {
        put(&place.with_extension("wasm.sig"), signature.as_bytes())?;
    }
    put(&place, bytes)
}

fn refused(reason: &str) -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "adapter_refused", format!("it would be refused: {reason}"))
}

fn not_written(path: &File, error: &std::io::Error) -> Problem {
    let message = format!("{} cannot be written: {error}", path.display());
    Problem::new(StatusCode::CONFLICT, "not_written", message)
}

/// Waits until the folder was looked at, and answers with the adapter.
async fn settled(operations: &Operations, name: &str, digest: Digest) -> Result<Response, Problem> {
    let outcome = async {
        loop {
            let now = operations.catalog.snapshot();
            let is_it = |other: Digest| other == digest;
            if now.adapters.get(name).is_some_and(|adapter| is_it(adapter.digest))
                || now.trials.get(name).is_some_and(|trial| is_it(trial.adapter.digest))
            {
                return Ok(());
            }
            if let Some(refusal) = now.refused.get(name).filter(|refusal| refusal.digest == Some(digest)) {
                return Err(refused(&refusal.reason));
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    match tokio::time::timeout(LOOKED_AT, outcome).await {
        Ok(Ok(())) => Ok(done(operations, name).await),
        Ok(Err(problem)) => Err(problem),
        Err(_) => {
            let now = seconds(std::time::SystemTime::now());
            let body = json!({"name": name, "digest": digest.hex(), "status": "not loaded yet", "since": now});
            Ok((StatusCode::ACCEPTED, axum::Json(body)).into_response())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_that_of_a_file_in_the_folder() {
        for name in ["zeta", "a", "a-b_c", "0x", &"a".repeat(64)] {
            assert!(is_file_name(name), "{name}");
        }
        for name in ["", ".", "..", ".hidden", "../etc", "a/b", "a\\b", "a.wasm", "a\0", "-a", "ä", &"a".repeat(65)] {
            assert!(!is_file_name(name), "{name:?}");
        }
    }

    #[test]
    fn only_uploads_are_let_in_beyond_the_usual_size() {
        assert!(is_upload(&Method::PUT, "/v1/adapters/zeta") && is_upload(&Method::PUT, "/admin/v1/adapters/zeta"));
        assert!(!is_upload(&Method::POST, "/v1/adapters/zeta") && !is_upload(&Method::PUT, "/v1/adapters"));
        assert!(!is_upload(&Method::PUT, "/v1/keys/adapters"));
    }

    #[test]
    fn a_signature_of_several_lines_fits_a_header() {
        let mut headers = HeaderMap::new();
        assert_eq!(signature(&headers).unwrap(), None);
        headers.insert(&ADAPTER_SIGNATURE, "ed25519:AA==, ed25519:BB==".parse().unwrap());
        assert_eq!(signature(&headers).unwrap().as_deref(), Some("ed25519:AA==\ned25519:BB==\n"));
    }
}
