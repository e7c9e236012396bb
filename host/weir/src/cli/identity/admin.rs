//! The admin endpoints of keys, teams, budgets and prices of a running Weir.

use http::Method;
use serde_json::Value;

use crate::cli::failure::{CommandError, Failure};
use crate::cli::running::{CallError, Running};
use weir_upstream::AdminClient;

/// A text is no name of anything: a path with it would lead elsewhere.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a valid name")]
pub(super) struct NoName(String);

impl CommandError for NoName {
    const IS_OF_USAGE: bool = true;
}

/// The path of something with a name, in which a slash is no step.
pub(super) fn named(list: &str, name: &str) -> Result<String, NoName> {
    if name.is_empty() || name.bytes().all(|byte| byte == b'.') {
        return Err(NoName(name.to_owned()));
    }
    Ok(format!("/{list}/{}", name.replace('%', "%25").replace('/', "%2F")))
}

/// The endpoints below `/admin/v1`.
#[derive(Debug)]
pub(in crate::cli) struct Endpoints(AdminClient);

impl Endpoints {
    /// The endpoints of this Weir.
    pub(in crate::cli) fn of(running: &Running) -> Result<Self, Failure> {
        running.client().map(Self)
    }

    /// The answer to a request.
    pub(super) fn send(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Value, CallError> {
        Ok(self.0.send(method, &format!("/admin/v1{path}"), query, body)?)
    }

    /// Changes the document at a path, unless it was changed since it was read as `before`.
    pub(super) fn change(&self, path: &str, before: &Value, fields: &Value) -> Result<Value, CallError> {
        let etag = format!("\"{}\"", before["revision"]);
        Ok(self.0.change(&format!("/admin/v1{path}"), &etag, fields)?)
    }

    /// All entries of a list, page by page.
    pub(in crate::cli) fn list(&self, path: &str, filter: &[(&str, &str)]) -> Result<Vec<Value>, CallError> {
        let (mut all, mut cursor) = (Vec::new(), None::<String>);
        loop {
            let mut query = vec![("limit", "1000")];
            query.extend(filter);
            query.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
            let mut page = self.send(Method::GET, path, &query, None)?;
            if let Value::Array(items) = page["items"].take() {
                all.extend(items);
            }
            match page["next_cursor"].as_str() {
                Some(next) => cursor = Some(next.to_owned()),
                None => return Ok(all),
            }
        }
    }
}
