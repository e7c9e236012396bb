//! Asks a running Weir: the commands' calls to its admin endpoints.

use std::fmt;
use std::io;
use std::time::Duration;

use http::{Method, StatusCode, header};
use reqwest::{Client, RequestBuilder, Response, Url};
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};

use super::http_client::{BodyError, HttpClientError, builder, read_body, reason};
use weir_config::secret::Secret;

/// How long one answer may take.
const TIMEOUT: Duration = Duration::from_secs(5);
/// How long an answer may take that is read as it comes.
const ENDLESS: Duration = Duration::from_hours(24 * 366);
/// How large it may be, in bytes.
const MAX_ANSWER_BYTES: usize = 16 << 20;

/// A client of one Weir's admin endpoints. It blocks, and so belongs in commands and not on a runtime's threads.
pub struct AdminClient {
    runtime: Runtime,
    client: Client,
    url: Url,
    token: Option<Secret>,
}

/// Why there is no answer, or none that is of use.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// The address is not one of an HTTP server.
    #[error("the address must begin with http:// or https:// and name a host")]
    Address,
    /// The client cannot be made.
    #[error(transparent)]
    Client(#[from] HttpClientError),
    /// There is no runtime to wait on.
    #[error("there is no runtime: {0}")]
    Runtime(#[from] io::Error),
    /// Nothing answers.
    #[error("{}", reason(.0))]
    Unreachable(#[from] reqwest::Error),
    /// What takes the answer's pieces failed.
    #[error("the answer cannot be written: {0}")]
    Taken(#[source] io::Error),
    /// The answer cannot be read.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// The answer is a refusal.
    #[error("it answered {status}{}{}", if message.is_some() { ": " } else { "" }, message.as_deref().unwrap_or_default())]
    Status {
        /// The HTTP status of the refusal.
        status: StatusCode,
        /// Its code, where it gives one as Weir does.
        code: Option<String>,
        /// Its reason, likewise.
        message: Option<String>,
    },
    /// The answer is no object of JSON, so that it is none of Weir's.
    #[error("it answered no object of JSON: {0}")]
    Json(#[from] serde_json::Error),
}

impl AdminError {
    /// Whether the admin token is missing or wrong.
    pub fn is_denied(&self) -> bool {
        matches!(self, Self::Status { status, .. } if matches!(status.as_u16(), 401 | 403))
    }
}

impl AdminClient {
    /// A client of the Weir at an address, `http://127.0.0.1:9090`. A path in it counts for nothing.
    pub fn new(address: &str, token: Option<&Secret>) -> Result<Self, AdminError> {
        let url = Url::parse(address).map_err(|_| AdminError::Address)?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(AdminError::Address);
        }
        let client = builder()?.timeout(TIMEOUT).pool_max_idle_per_host(0).build().map_err(HttpClientError::from)?;
        let runtime = Builder::new_current_thread().enable_all().build()?;
        Ok(Self { runtime, client, url, token: token.cloned() })
    }

    /// The JSON at a path.
    pub fn get(&self, path: &str) -> Result<Value, AdminError> {
        self.search(path, &[])
    }

    /// The JSON at a path, with these parameters.
    pub fn search(&self, path: &str, parameters: &[(&str, &str)]) -> Result<Value, AdminError> {
        self.send(Method::GET, path, parameters, None)
    }

    /// The JSON that a request is answered with; null if the answer has no body.
    pub fn send(
        &self,
        method: Method,
        path: &str,
        parameters: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Value, AdminError> {
        self.send_for_status(method, path, parameters, body).map(|(_, answer)| answer)
    }

    /// Sends as [`AdminClient::send`] does, and also returns the status: created, or there already.
    pub fn send_for_status(
        &self,
        method: Method,
        path: &str,
        parameters: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<(StatusCode, Value), AdminError> {
        self.answer(self.request(method, path, parameters), body)
    }

    /// Changes what stands at a path, unless it has another ETag by now.
    pub fn change(&self, path: &str, etag: &str, body: &Value) -> Result<Value, AdminError> {
        let request = self.request(Method::PATCH, path, &[]).header(header::IF_MATCH, etag);
        self.answer(request, Some(body)).map(|(_, answer)| answer)
    }

    fn answer(&self, mut request: RequestBuilder, body: Option<&Value>) -> Result<(StatusCode, Value), AdminError> {
        if let Some(body) = body {
            request = request.header(header::CONTENT_TYPE, "application/json").body(body.to_string());
        }
        self.runtime.block_on(async {
            let response = checked(request.send().await?).await?;
            let status = response.status();
            if status == StatusCode::NO_CONTENT {
                return Ok((status, Value::Null));
            }
            // Callers look members up, and a value of another kind has none.
            let members = serde_json::from_slice(&read_body(response, MAX_ANSWER_BYTES).await?)?;
            Ok((status, Value::Object(members)))
        })
    }

    /// Gives the answer at a path piece by piece to `take`, however long it is, until `take` fails.
    pub fn stream(
        &self,
        path: &str,
        parameters: &[(&str, &str)],
        mut take: impl FnMut(&[u8]) -> io::Result<()>,
    ) -> Result<(), AdminError> {
        let request = self.request(Method::GET, path, parameters).timeout(ENDLESS);
        self.runtime.block_on(async {
            let mut response = checked(request.send().await?).await?;
            while let Some(piece) = response.chunk().await? {
                take(&piece).map_err(AdminError::Taken)?;
            }
            Ok(())
        })
    }

    fn request(&self, method: Method, path: &str, parameters: &[(&str, &str)]) -> RequestBuilder {
        let mut url = self.url.clone();
        url.set_path(path);
        url.set_query(None);
        if !parameters.is_empty() {
            url.query_pairs_mut().extend_pairs(parameters);
        }
        let request = self.client.request(method, url);
        match &self.token {
            Some(token) => request.bearer_auth(token.expose()),
            None => request,
        }
    }
}

/// The answer, unless it is a refusal.
async fn checked(response: Response) -> Result<Response, AdminError> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let body: Value = serde_json::from_slice(&read_body(response, MAX_ANSWER_BYTES).await?).unwrap_or_default();
    let text = |name: &str| body["error"][name].as_str().map(str::to_owned);
    Err(AdminError::Status { status, code: text("code"), message: text("message") })
}

impl fmt::Debug for AdminClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdminClient").field("url", &self.url.as_str()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn an_address_is_an_http_url() {
        for address in ["127.0.0.1:9090", "ftp://a", "/admin", ""] {
            assert!(matches!(AdminClient::new(address, None), Err(AdminError::Address)), "{address}");
        }
    }

    #[test]
    fn a_refusal_is_reported_with_its_reason_and_the_token_in_no_text() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}/elsewhere?x", listener.local_addr().unwrap());
        let answering = std::thread::spawn(move || {
            for answer in [
                "403 No\r\n\r\n{\"error\":{\"message\":\"no token\"}}",
                "500 No\r\n\r\n<>",
                "200 OK\r\n\r\n<>",
                "200 OK\r\n\r\n[{}]",
            ] {
                let (mut stream, _) = listener.accept().unwrap();
                let mut bytes = [0; 4096];
                let len = stream.read(&mut bytes).unwrap();
                assert!(bytes[..len].starts_with(b"GET /admin/x HTTP/1.1\r\n"));
                stream.write_all(format!("HTTP/1.1 {answer}").as_bytes()).unwrap();
            }
        });
        let client = AdminClient::new(&address, Some(&Secret::new("s3cret"))).unwrap();
        let get = || client.get("/admin/x").unwrap_err();
        assert_eq!(get().to_string(), "it answered 403 Forbidden: no token");
        assert_eq!(get().to_string(), "it answered 500 Internal Server Error");
        let error = get();
        assert!(matches!(error, AdminError::Json(_)));
        assert!(get().to_string().starts_with("it answered no object of JSON: "));
        assert!(!format!("{client:?} {error:?}").contains("s3cret"));
        answering.join().unwrap();
    }
}
