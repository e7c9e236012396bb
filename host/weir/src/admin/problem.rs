//! Errors below `/admin`: `{"error": {"code", "message"}}`. Codes do not change.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::keys::RegistryError;
use weir_identity::Kind;
use weir_identity::change::ChangeError;
use weir_store::StoreError;

/// Why a request is refused.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(super) struct Problem {
    status: StatusCode,
    code: &'static str,
    message: String,
}

impl Problem {
    pub(super) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into() }
    }

    /// A problem with the code that its status usually has.
    pub(super) fn of_status(status: StatusCode, message: impl Into<String>) -> Self {
        Self::new(status, usual_code(status), message)
    }

    /// A request that is malformed.
    pub(super) fn bad(code: &'static str, message: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    /// A parameter of the url that is unknown, or has a wrong value.
    pub(super) fn parameter(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_parameter", message)
    }

    pub(super) fn forbidden() -> Self {
        ChangeError::Forbidden.into()
    }

    pub(super) fn not_found(kind: Kind) -> Self {
        ChangeError::NotFound(kind).into()
    }

    pub(super) fn no_store() -> Self {
        let message = "this is kept in the store, and there is none: set `[store] url`";
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
        if matches!(error, StoreError::Cursor) {
            return Self::bad("bad_cursor", "`cursor` must be the `next_cursor` of a page");
        }
        tracing::warn!(%error, "the admin side cannot use the store");
        let message = if matches!(error, StoreError::Unreadable(_)) {
            "the store holds what this version of Weir cannot read, perhaps since a newer one wrote it; the log says what"
        } else {
            "the store cannot be used at present; the log says why"
        };
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

fn usual_code(status: StatusCode) -> &'static str {
    match status {
        StatusCode::UNAUTHORIZED => "unauthorized",
        StatusCode::FORBIDDEN => "forbidden",
        StatusCode::NOT_FOUND => "not_found",
        StatusCode::METHOD_NOT_ALLOWED => "method_not_allowed",
        StatusCode::REQUEST_TIMEOUT => "request_timeout",
        StatusCode::CONFLICT => "conflict",
        StatusCode::PAYLOAD_TOO_LARGE => "too_large",
        StatusCode::SERVICE_UNAVAILABLE => "unavailable",
        status if status.is_client_error() => "bad_request",
        _ => "internal",
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = json!({"error": {"code": self.code, "message": self.message}});
        let mut response = (self.status, Json(body)).into_response();
        if self.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if matches!(self.code, "store_unavailable" | "busy" | "in_progress") {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}
