//! Fetches small documents whose urls the operator wrote, or documents at such urls named: the keys of token issuers.

use std::time::Duration;

use http::StatusCode;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use reqwest::{Client, RequestBuilder};
use weir_config::{Outbound, Secret};

use super::http_client::{BodyError, HttpClientError, builder_through, read_body, reason};
use super::outbound::OutboundProxy;

/// How long one document may take: a token's request waits for it.
const TIMEOUT: Duration = Duration::from_secs(5);

/// A client for documents. Clones share their connections.
#[derive(Debug, Clone)]
pub struct DocumentClient(Client);

/// Why there is no document.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// Nothing answers.
    #[error("{}", reason(.0))]
    Unreachable(#[from] reqwest::Error),
    /// The answer is not one with a document.
    #[error("the answer has status {0}")]
    Status(StatusCode),
    /// The document cannot be read.
    #[error(transparent)]
    Body(#[from] BodyError),
}

impl DocumentClient {
    /// A client that gives up after five seconds.
    pub fn new(outbound: Option<&Outbound>) -> Result<Self, HttpClientError> {
        let proxy = OutboundProxy::of(outbound)?;
        Ok(Self(builder_through(proxy.as_ref())?.timeout(TIMEOUT).build()?))
    }

    /// The document at a url, of at most so many bytes. Redirects are not followed.
    pub async fn get(&self, url: &str, most: usize) -> Result<Vec<u8>, DocumentError> {
        document(self.0.get(url), most).await
    }

    /// The answer to a form (`application/x-www-form-urlencoded`), of at most so many bytes. The form and the header
    /// `authorization` may hold secrets.
    pub async fn post_form(
        &self,
        url: &str,
        form: &Secret,
        authorization: Option<&Secret>,
        most: usize,
    ) -> Result<Vec<u8>, DocumentError> {
        let request = self.0.post(url).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        let request = request.body(form.expose().to_owned());
        let request = match authorization {
            Some(value) => request.header(AUTHORIZATION, value.expose()),
            None => request,
        };
        document(request, most).await
    }
}

async fn document(request: RequestBuilder, most: usize) -> Result<Vec<u8>, DocumentError> {
    let response = request.header(ACCEPT, "application/json").send().await?;
    if response.status() != StatusCode::OK {
        return Err(DocumentError::Status(response.status()));
    }
    Ok(read_body(response, most).await?.to_vec())
}
