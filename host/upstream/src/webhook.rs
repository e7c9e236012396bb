//! Calls of a service that the operator names: signed posts of JSON, answered within limits.

use std::fmt;
use std::fmt::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{Method, StatusCode};
use reqwest::{Client, Url};
use ring::hmac;

use weir_config::Outbound;
use weir_types::headers;

use super::http_client::{
    BodyError, HttpClientError, NotPublic, PublicClient, builder_through, check_user, read_body, reason,
};
use super::outbound::OutboundProxy;

/// Posts JSON to one url.
#[derive(Clone)]
pub struct WebhookClient {
    client: Reach,
    url: Url,
    key: Option<hmac::Key>,
}

/// Which addresses a url may lead to.
#[derive(Debug, Clone)]
enum Reach {
    Any(Client),
    Public(PublicClient),
}

/// Why a webhook cannot be called at all.
#[derive(Debug, thiserror::Error)]
pub enum WebhookSetupError {
    /// The url is not valid.
    #[error("the url is wrong: {0}")]
    Url(String),
    /// The url is not public.
    #[error("{0} allowed; `private = true` allows addresses of this machine and of private networks")]
    NotPublic(#[from] NotPublic),
    /// There is no client.
    #[error(transparent)]
    Client(#[from] HttpClientError),
}

/// Why a call has no answer.
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    /// The url leads to an address that is not public.
    #[error("its address is refused: {0} allowed")]
    NotPublic(#[from] NotPublic),
    /// Nothing answers in time.
    #[error("{}", reason(.0))]
    Unreachable(#[from] reqwest::Error),
    /// The answer is no success.
    #[error("the answer has status {0}")]
    Status(StatusCode),
    /// The answer cannot be read.
    #[error(transparent)]
    Body(#[from] BodyError),
}

impl WebhookClient {
    /// A client for a url, which is signed for with `secret`. Only with `private` may the url lead to this machine or a
    /// private network, and use plain HTTP. It is called as providers are, through a proxy where there is one.
    ///
    /// # Errors
    ///
    /// The url cannot be called.
    pub fn new(
        url: &str,
        secret: Option<&str>,
        private: bool,
        outbound: Option<&Outbound>,
    ) -> Result<Self, WebhookSetupError> {
        let url: Url = url.parse().map_err(|error| WebhookSetupError::Url(format!("{error}")))?;
        check_user(&url)?;
        let proxy = OutboundProxy::of(outbound).map_err(HttpClientError::from)?;
        let client = if private {
            Reach::Any(builder_through(proxy.as_ref())?.build().map_err(HttpClientError::from)?)
        } else {
            let client = PublicClient::new(proxy.as_ref())?;
            let _checked = client.request(Method::POST, url.clone())?;
            Reach::Public(client)
        };
        let key = secret.map(|secret| hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()));
        Ok(Self { client, url, key })
    }

    /// Posts a body, and returns that of the answer, of at most `most` bytes.
    ///
    /// # Errors
    ///
    /// There is no successful answer within `timeout`.
    pub async fn post(&self, body: Vec<u8>, timeout: Duration, most: usize) -> Result<Bytes, WebhookError> {
        let mut request = match &self.client {
            Reach::Any(client) => client.post(self.url.clone()),
            Reach::Public(client) => client.request(Method::POST, self.url.clone())?,
        };
        if let Some(key) = &self.key {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
            request = request.header(&headers::SIGNATURE, signature(key, now, &body));
        }
        let json = "application/json";
        let request = request.timeout(timeout).header(CONTENT_TYPE, json).header(ACCEPT, json).body(body);
        let response = request.send().await?;
        if response.status() != StatusCode::OK {
            return Err(WebhookError::Status(response.status()));
        }
        Ok(read_body(response, most).await?)
    }
}

impl fmt::Debug for WebhookClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookClient").field("is_signed", &self.key.is_some()).finish_non_exhaustive()
    }
}

/// The value of the header: the time in seconds, and the HMAC of `TIME.BODY` in hexadecimal digits.
fn signature(key: &hmac::Key, now: u64, body: &[u8]) -> String {
    let mut context = hmac::Context::with_key(key);
    context.update(format!("{now}.").as_bytes());
    context.update(body);
    let mut text = format!("t={now},v1=");
    for byte in context.sign().as_ref() {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_must_be_public_unless_it_may_be_private() {
        for url in
            ["http://example.com/", "https://127.0.0.1/", "https://10.0.0.1/x", "https://internal/", "https://[::1]/"]
        {
            assert!(
                matches!(WebhookClient::new(url, None, false, None), Err(WebhookSetupError::NotPublic(_))),
                "{url}"
            );
            assert!(WebhookClient::new(url, None, true, None).is_ok(), "{url}");
        }
        assert!(WebhookClient::new("https://guard.example.com/judge", None, false, None).is_ok());
        assert!(WebhookClient::new("https://me:word@guard.example.com/", None, true, None).is_err());
        assert!(WebhookClient::new("nonsense", None, true, None).is_err());
    }

    #[test]
    fn a_signature_covers_the_time_and_the_body() {
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"key");
        let one = signature(&key, 1, b"{}");
        // printf '1.{}' | openssl dgst -sha256 -hmac key
        assert_eq!(one, "t=1,v1=1ba6b8171186efc613e8bcc0cbdab2748f24984d7c5a84faa2637afa0e40d224");
        assert_ne!(one, signature(&key, 2, b"{}"));
        assert_ne!(one, signature(&key, 1, b"[]"));
    }
}
