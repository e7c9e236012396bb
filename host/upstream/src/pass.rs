//! Forwards a client's own request to one origin, including its credential. Only for the recording proxy; the gateway
//! never forwards its clients' credentials.

use std::error::Error;

use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{Request, Response, Uri};
use http_body::Body;
use percent_encoding::percent_decode_str;
use reqwest::{Client, Url};

use super::headers;
use super::http_client::{HttpClientError, builder, reason};

/// The body of an answer that passes.
pub type PassBody = reqwest::Body;

/// How many unused connections are kept.
const POOL_IDLE: usize = 256;

/// Why there is no way to a provider.
#[derive(Debug, thiserror::Error)]
pub enum PassageError {
    /// The url is not the beginning of a provider's.
    #[error(transparent)]
    Url(#[from] BaseError),
    /// The client cannot be made.
    #[error(transparent)]
    Client(#[from] HttpClientError),
}

/// Why a url is not the beginning of a provider's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BaseError {
    /// It is no url.
    #[error("it cannot be parsed")]
    Syntax,
    /// It is not one of HTTP.
    #[error("it must begin with http:// or https:// and name a host")]
    Scheme,
    /// It has a query or a user name, which each request has itself.
    #[error("it may hold neither a query nor a user name")]
    Query,
}

/// Why a request does not get through.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// A url changes its path.
    #[error("the path cannot be sent as it is")]
    Path,
    /// The provider is not reached, or its answer does not begin.
    #[error("{}", reason(.0))]
    Exchange(#[from] reqwest::Error),
}

/// A client for one origin.
#[derive(Clone)]
pub struct Passage {
    client: Client,
    base: Url,
}

impl Passage {
    /// Creates a client for an `http://` or `https://` url. The url's path is prepended to every request's.
    pub fn to(url: &str) -> Result<Self, PassageError> {
        let base = base(url)?;
        Ok(Self { client: builder()?.pool_max_idle_per_host(POOL_IDLE).build().map_err(HttpClientError::from)?, base })
    }

    /// The path and query at the provider for those that a client requests.
    pub fn path_and_query(&self, asked: &Uri) -> String {
        let asked = asked.path_and_query().map_or("/", PathAndQuery::as_str);
        format!("{}{asked}", self.base.path().trim_end_matches('/'))
    }

    /// Sends a request on. Its headers go as they are, but for those of the connection; `accept: */*`, which means the
    /// same as none, is added where there is none.
    pub async fn send<B>(&self, request: Request<B>) -> Result<Response<PassBody>, SendError>
    where
        B: Body<Data = Bytes> + Send + Sync + 'static,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let (mut head, body) = request.into_parts();
        headers::hop(&mut head.headers);
        let url = self.target(&head.uri).ok_or(SendError::Path)?;
        let mut onward = reqwest::Request::new(head.method, url);
        *onward.headers_mut() = head.headers;
        *onward.body_mut() = Some(PassBody::wrap(body));
        let response = self.client.execute(onward).await?;
        let mut response = Response::from(response);
        headers::hop(response.headers_mut());
        Ok(response)
    }

    /// The url for a path. None for one with dot segments, which a url does not keep. It may encode some characters
    /// more.
    fn target(&self, asked: &Uri) -> Option<Url> {
        let wanted = self.path_and_query(asked);
        let (path, query) = wanted.split_once('?').map_or((wanted.as_str(), None), |(path, query)| (path, Some(query)));
        let mut url = self.base.clone();
        url.set_path(path);
        url.set_query(query);
        let is_kept = percent_decode_str(url.path()).eq(percent_decode_str(path));
        is_kept.then_some(url)
    }
}

fn base(url: &str) -> Result<Url, BaseError> {
    let base = Url::parse(url).map_err(|_| BaseError::Syntax)?;
    if !matches!(base.scheme(), "http" | "https") {
        return Err(BaseError::Scheme);
    }
    if base.query().is_some() || base.fragment().is_some() || url.contains('@') {
        return Err(BaseError::Query);
    }
    Ok(base)
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
    fn a_path_passes_as_it_is_or_not_at_all() {
        let way = Passage::to("https://api.test").unwrap();
        let target = |asked: &str| way.target(&asked.parse().unwrap()).map(|url| url.to_string());
        for asked in ["/v1/a%2Fb:talk?x=%20y&z", "/v1/?", "/", "//v1//x"] {
            assert_eq!(target(asked), Some(format!("https://api.test{asked}")));
        }
        assert_eq!(target("/v1/{x}?y='").as_deref(), Some("https://api.test/v1/%7Bx%7D?y=%27"));
        for asked in ["/v1/../x", "/v1/%2e%2E/x", "/v1/./x"] {
            assert_eq!(target(asked), None, "{asked}");
        }
    }

    #[test]
    fn a_url_without_an_origin_is_refused() {
        for url in ["ftp://a", "/path", "api.test", "https://key@api.test", "https://api.test?key=1", ""] {
            assert!(Passage::to(url).is_err(), "{url}");
        }
    }
}
