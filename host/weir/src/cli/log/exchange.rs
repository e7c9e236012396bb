//! The content of a logged request, as the running Weir has it.

use serde::{Deserialize, Serialize};

use super::super::failure::{CommandError, Failure};
use super::super::running::{CallError, Running};
use weir_upstream::replay::format::{RequestPart, ResponsePart};

/// The content of a request.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::cli) struct KeptExchange {
    /// Weir's own id of the request.
    pub(in crate::cli) id: String,
    /// How it ended.
    pub(in crate::cli) outcome: String,
    /// The provider that answered.
    pub(in crate::cli) provider: String,
    /// The adapter of its format.
    pub(in crate::cli) adapter: String,
    /// What the client sent and got.
    pub(in crate::cli) client: KeptSide,
    /// What the provider was sent and answered.
    pub(in crate::cli) upstream: KeptSide,
}

/// One side of an exchange, in the parts of a recording.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::cli) struct KeptSide {
    /// None where contents are not logged.
    pub(in crate::cli) request: Option<RequestPart>,
    /// The answer, as far as it came.
    pub(in crate::cli) response: Option<ResponsePart>,
}

/// Asks for the content of one request.
pub(in crate::cli) fn exchange(running: &Running, id: &str) -> Result<KeptExchange, Failure> {
    super::plain(id)?;
    let mut text = Vec::new();
    // Not as a JSON value: the order of members and the spelling of numbers are part of an answer.
    let path = format!("/admin/v1/requests/{id}/exchange");
    let streamed = running.client()?.stream(&path, &[], |piece| {
        text.extend_from_slice(piece);
        Ok(())
    });
    streamed.map_err(CallError)?;
    Ok(serde_json::from_slice(&text).map_err(NoExchange)?)
}

/// The answer is no exchange.
#[derive(Debug, thiserror::Error)]
#[error("the program that answers there is not Weir: {0}")]
struct NoExchange(#[source] serde_json::Error);

impl CommandError for NoExchange {}
