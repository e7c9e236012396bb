//! Errors of these endpoints: `{"error": {"code", "message"}}`. Codes do not change.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::keys::RegistryError;
use weir_identity::Kind;
use weir_identity::change::ChangeError;
use weir_store::StoreError;

/// Why a request is refused.
#[derive(Debug)]
pub(in crate::admin) struct Problem {
    status: StatusCode,
    code: &'static str,
    message: String,
}

impl Problem {
    pub(in crate::admin) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into() }
    }

    /// A request that is malformed.
    pub(super) fn bad(code: &'static str, message: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    pub(super) fn forbidden() -> Self {
        ChangeError::Forbidden.into()
    }

    pub(super) fn not_found(kind: Kind) -> Self {
        ChangeError::NotFound(kind).into()
    }

    pub(super) fn method() -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "this method is not served here")
    }

    pub(super) fn no_store() -> Self {
        let message = "keys are kept in the store, and there is none: set `[store] url`";
        Self::new(StatusCode::NOT_IMPLEMENTED, "no_store", message)
    }

    /// A failure of Weir itself.
    pub(super) fn internal() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the request could not be carried out")
    }
}

impl From<ChangeError> for Problem {
    fn from(error: ChangeError) -> Self {
        let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self::new(status, error.code(), error.to_string())
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        tracing::warn!(%error, "the admin side cannot use the store");
        let message = "the store cannot be used at present; the log says why";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "store_unavailable", message)
    }
}

impl From<RegistryError> for Problem {
    fn from(error: RegistryError) -> Self {
        match error {
            RegistryError::Change(error) => error.into(),
            RegistryError::Store(error) => error.into(),
            RegistryError::Busy => Self::new(StatusCode::CONFLICT, "busy", error.to_string()),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = json!({"error": {"code": self.code, "message": self.message}});
        let mut response = (self.status, Json(body)).into_response();
        if matches!(self.code, "store_unavailable" | "busy" | "in_progress") {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}
