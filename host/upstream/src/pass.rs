//! Forwards a client's own request to one origin, including its credential. Only for the recording proxy; the gateway
//! never forwards its clients' credentials.

use std::error::Error;

use bytes::Bytes;
use http::uri::{Parts, PathAndQuery};
use http::{Request, Response, Uri};
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Incoming;
use hyper_util::client::legacy::{self, Client};
use hyper_util::rt::TokioExecutor;

use super::client::Settings;
use super::dial::Dialer;
use super::headers;

/// The body of a forwarded request.
pub type PassBody = UnsyncBoxBody<Bytes, hyper::Error>;

/// A client for one origin.
#[derive(Clone)]
pub struct Passage {
    client: Client<Dialer, PassBody>,
    base: Uri,
}

impl Passage {
    /// Creates a client for an `http://` or `https://` url. The url's path is prepended to every request's.
    pub fn to(url: &str) -> Result<Self, &'static str> {
        let base: Uri = url.parse().map_err(|_| "it cannot be parsed")?;
        if !matches!(base.scheme_str(), Some("http" | "https")) || base.host().is_none() {
            return Err("it must begin with http:// or https:// and name a host");
        }
        if base.query().is_some() || base.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            return Err("it may hold neither a query nor a user name");
        }
        let settings = Settings::default();
        let mut builder = Client::builder(TokioExecutor::new());
        builder.pool_idle_timeout(settings.pool_idle).http1_max_buf_size(settings.read_buffer);
        Ok(Self { client: builder.build(Dialer::new(&settings)), base })
    }

    /// The path and query at the provider for those that a client requests.
    pub fn path_and_query(&self, asked: &Uri) -> String {
        let asked = asked.path_and_query().map_or("/", PathAndQuery::as_str);
        format!("{}{asked}", self.base.path().trim_end_matches('/'))
    }

    /// Forwards a request. Its headers are kept, except those of the connection.
    pub async fn send(&self, mut request: Request<PassBody>) -> Result<Response<Incoming>, String> {
        *request.uri_mut() = self.target(request.uri()).ok_or("the path is not valid")?;
        *request.version_mut() = http::Version::HTTP_11;
        headers::hop(request.headers_mut());
        let mut response = self.client.request(request).await.map_err(|error| reason(&error))?;
        headers::hop(response.headers_mut());
        Ok(response)
    }

    fn target(&self, asked: &Uri) -> Option<Uri> {
        let mut parts = Parts::default();
        parts.scheme = self.base.scheme().cloned();
        parts.authority = self.base.authority().cloned();
        parts.path_and_query = Some(self.path_and_query(asked).parse().ok()?);
        Uri::from_parts(parts).ok()
    }
}

/// The error with all its causes, because the client's own error says little.
fn reason(error: &legacy::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

impl std::fmt::Debug for Passage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Passage").field("base", &self.base).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_origin_is_the_operators_whatever_the_client_requests() {
        let way = Passage::to("https://api.test/base/").unwrap();
        for (asked, wanted) in [
            ("/v1/talk?a=b", "https://api.test/base/v1/talk?a=b"),
            ("http://evil.test/v1", "https://api.test/base/v1"),
            ("//evil.test/v1", "https://api.test/base//evil.test/v1"),
        ] {
            assert_eq!(way.target(&asked.parse().unwrap()).unwrap().to_string(), wanted);
        }
    }

    #[test]
    fn a_url_without_an_origin_is_refused() {
        for url in ["ftp://a", "/path", "api.test", "https://key@api.test", "https://api.test?key=1", ""] {
            assert!(Passage::to(url).is_err(), "{url}");
        }
    }
}
