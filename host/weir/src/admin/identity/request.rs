//! A request to these endpoints, and who makes it.

use axum::body::{Bytes, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, Method, Uri};
use serde_json::Value;

use crate::admin::body;
use crate::admin::{Parameters, Problem};
use weir_identity::change::{Actor, Precondition};
use weir_identity::document::{Access, Grant, TeamId};

/// The deepest nesting of a body. What it sets stands deeper in lists and audit entries, and readers of JSON stop
/// somewhere: `serde_json`, and so the commands, at 128.
const DEEPEST: usize = 64;

/// Who uses the admin endpoints, and what they may do there.
#[derive(Debug, Clone)]
pub(in crate::admin) struct AdminCaller {
    /// Who, for the audit log.
    pub(in crate::admin) actor: Actor,
    /// What they may do.
    pub(in crate::admin) grants: Vec<Grant>,
    /// Whether they showed no token, since they are on this machine.
    pub(in crate::admin) is_local: bool,
}

impl AdminCaller {
    /// A caller who may read or change everything.
    pub(in crate::admin) fn of_all(kind: &str, id: &str, access: Access) -> Self {
        let actor = Actor { kind: kind.to_owned(), id: id.to_owned() };
        Self { actor, grants: vec![Grant { access, team: None }], is_local: false }
    }

    /// Whether the caller may do something with what belongs to a team, or to none.
    pub(in crate::admin) fn may(&self, access: Access, team: Option<&TeamId>) -> bool {
        Grant::allow(&self.grants, access, team)
    }
}

/// A whole request.
#[derive(Debug)]
pub(super) struct AdminRequest {
    pub(super) caller: AdminCaller,
    pub(super) method: Method,
    pub(super) uri: Uri,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl AdminRequest {
    /// Takes a request that was let in.
    pub(super) async fn read(request: Request) -> Result<Self, Problem> {
        let (head, body) = request.into_parts();
        let caller = head.extensions.get::<AdminCaller>().cloned().ok_or_else(Problem::forbidden)?;
        let body = to_bytes(body, body::MAX_BODY_BYTES)
            .await
            .map_err(|_| Problem::bad("bad_request", "the body broke off"))?;
        Ok(Self { caller, method: head.method, uri: head.uri, headers: head.headers, body })
    }

    /// The body as JSON; an empty object if there is none.
    pub(super) fn json(&self) -> Result<Value, Problem> {
        if self.body.iter().all(u8::is_ascii_whitespace) {
            return Ok(Value::Object(serde_json::Map::new()));
        }
        let parsed: Result<Value, _> = serde_json::from_slice(&self.body);
        let value = parsed.map_err(|error| Problem::bad("bad_json", &format!("the body is not JSON: {error}")))?;
        if !value.is_object() {
            return Err(Problem::bad("bad_json", "the body must be a JSON object"));
        }
        if is_deeper(&value, DEEPEST) {
            return Err(Problem::bad("bad_json", &format!("the body nests deeper than {DEEPEST} levels")));
        }
        Ok(value)
    }

    /// The parameters of the url.
    pub(super) fn parameters(&self, known: &[&str]) -> Result<Parameters, Problem> {
        Parameters::parse(self.uri.query(), known)
    }

    /// The condition in `if-match`.
    pub(super) fn precondition(&self) -> Result<Precondition, Problem> {
        // Several lines of one name are one list.
        let header = |name: &str| {
            let lines: Vec<&str> =
                self.headers.get_all(name).iter().map(|value| value.to_str().unwrap_or("?")).collect();
            (!lines.is_empty()).then(|| lines.join(","))
        };
        let parsed = Precondition::parse(header("if-match").as_deref(), header("if-none-match").as_deref());
        parsed.map_err(|error| Problem::bad("bad_precondition", &error.to_string()))
    }

    /// The request's `idempotency-key`.
    pub(super) fn idempotency_key(&self) -> Option<String> {
        let value = self.headers.get("idempotency-key")?;
        Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
    }
}

/// Whether a value nests deeper than so many levels.
fn is_deeper(value: &Value, levels: usize) -> bool {
    let is_inner = |value: &Value| is_deeper(value, levels - 1);
    match value {
        Value::Array(items) => levels == 0 || items.iter().any(is_inner),
        Value::Object(members) => levels == 0 || members.values().any(is_inner),
        _ => false,
    }
}
