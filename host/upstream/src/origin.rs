//! Addresses of requests: the operator's `url`, and paths joined to it that cannot leave it.

mod path;

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use http::uri::{Authority, Parts, PathAndQuery, Scheme};
use http::{HeaderValue, Uri};

pub use path::{PathError, encode_segment};

use self::path::{check, push_path, push_query, relative};
use super::replay::{Replay, ReplayError};

/// Why a url or a path is refused. Shows neither path nor query, which may hold a client's text.
#[derive(Debug, thiserror::Error)]
pub enum OriginError {
    /// The configured url is not `http://`, `https://` or `replay:`.
    #[error("the url {0:?} must begin with http://, https:// or replay:")]
    Scheme(String),
    /// The configured url cannot be parsed.
    #[error("the url {0:?} is not valid: {1}")]
    Url(String, #[source] UrlError),
    /// The folder of recordings cannot be used.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// A path that tries to leave the configured url.
    #[error("a path for {origin} is refused: {reason}")]
    Path {
        /// The base that the path was joined to.
        origin: Arc<str>,
        /// The problem with the path.
        reason: PathError,
    },
    /// A follow-up to an origin that the operator has not approved.
    #[error("{0:?} is not among the provider's `allow_origins`")]
    NotAllowed(String),
}

/// Why a url is not that of a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// What follows `#` is for browsers: no request carries it.
    #[error("a fragment has no meaning here")]
    Fragment,
    /// It is no url.
    #[error("it cannot be parsed")]
    Syntax,
    /// It names no host.
    #[error("a host is missing")]
    NoHost,
    /// A user's name would be sent where the operator does not expect it.
    #[error("it holds a user name; credentials go into `api_key`")]
    UserName,
    /// Its path is refused as one that is joined to it.
    #[error(transparent)]
    Path(#[from] PathError),
}

/// Another origin to which a provider's follow-up requests may go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowedOrigin {
    /// `https://host` or `https://host:port`.
    pub origin: String,
    /// Whether the provider's credential may go there too.
    pub credential: bool,
}

/// How many addresses a base remembers: about as many as a format has endpoints of one path.
const USUAL: usize = 8;

/// A provider's configured url, ready for paths to be joined to it. A clone shares it.
#[derive(Clone, Debug)]
pub struct Base(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    origin: Arc<str>,
    target: Target,
    /// Approved origins, each with whether the credential may go there.
    allowed: Vec<(Site, bool)>,
    /// Addresses of paths that many requests have.
    usual: [OnceLock<(Box<str>, Address)>; USUAL],
}

#[derive(Debug)]
enum Target {
    Network(Site),
    Replay(Arc<Replay>),
}

/// An origin and the prefix of every path.
#[derive(Debug)]
struct Site {
    scheme: Scheme,
    authority: Authority,
    /// Begins and ends with `/`.
    prefix: Box<str>,
    /// The url's own query without `?`, added to every request.
    query: Box<str>,
    http2: bool,
    host: Option<HeaderValue>,
}

/// The destination of one request. Only a [`Base`] creates it.
#[derive(Clone, Debug)]
pub struct Address {
    origin: Arc<str>,
    place: Place,
}

#[derive(Clone, Debug)]
pub(super) enum Place {
    Network {
        uri: Uri,
        /// Whether the provider's credential may go there.
        trusted: bool,
        /// Whether to speak HTTP/2 without negotiation.
        http2: bool,
        /// The `host` header, if HTTP/1.1 is certain to be used; otherwise the HTTP client makes one.
        host: Option<HeaderValue>,
    },
    Replay {
        replay: Arc<Replay>,
        /// Relative, with the query.
        path: Box<str>,
    },
}

impl Address {
    /// Scheme, host and port, or `replay:DIR`, for messages.
    pub fn origin(&self) -> &Arc<str> {
        &self.origin
    }

    /// The path and query. A recording's are relative to the API's base.
    pub fn path_and_query(&self) -> &str {
        match &self.place {
            Place::Network { uri, .. } => uri.path_and_query().map_or("/", PathAndQuery::as_str),
            Place::Replay { path, .. } => path,
        }
    }

    pub(super) fn place(&self) -> &Place {
        &self.place
    }
}

impl Place {
    /// The place with this encoded query behind its own.
    fn with_query(self, query: &str) -> Option<Self> {
        let joined = |path: &str| format!("{path}{}{query}", if path.contains('?') { '&' } else { '?' });
        match self {
            Self::Network { uri, trusted, http2, host } => {
                let mut parts = uri.into_parts();
                let path = joined(parts.path_and_query.as_ref().map_or("/", PathAndQuery::as_str));
                parts.path_and_query = Some(PathAndQuery::from_maybe_shared(Bytes::from(path)).ok()?);
                Some(Self::Network { uri: Uri::from_parts(parts).ok()?, trusted, http2, host })
            }
            Self::Replay { replay, path } => Some(Self::Replay { replay, path: joined(&path).into() }),
        }
    }
}

impl Base {
    /// Parses a configured url: an API's base (`https://host/v1/`; a missing final slash is added), or `replay:DIR`,
    /// whose recordings are read here (`replay:DIR?pace_ms=20` sets their pace). `http2` is for plain `http://` servers
    /// that support nothing else; with TLS it is negotiated.
    pub fn open(url: &str, allowed: &[AllowedOrigin], http2: bool) -> Result<Self, OriginError> {
        let (origin, target) = if let Some(place) = url.strip_prefix("replay:") {
            (url.to_owned(), Target::Replay(Arc::new(Replay::at(place)?)))
        } else {
            let site = Site::parse(url, http2)?;
            (site.origin(), Target::Network(site))
        };
        let allowed = allowed.iter().map(|one| Ok((Site::parse(&one.origin, false)?, one.credential)));
        let allowed = allowed.collect::<Result<Vec<_>, OriginError>>()?;
        Ok(Self(Arc::new(Inner { origin: origin.into(), target, allowed, usual: Default::default() })))
    }

    /// Scheme, host and port, or `replay:DIR`, for messages.
    pub fn origin(&self) -> &Arc<str> {
        &self.0.origin
    }

    /// Joins a relative path and query parameters (in the contract's form: the path encoded, the parameters not). An
    /// empty path means the url itself.
    pub fn join<'q>(
        &self,
        path: &str,
        query: impl IntoIterator<Item = (&'q str, &'q str)>,
    ) -> Result<Address, OriginError> {
        let place = match &self.0.target {
            Target::Network(site) => {
                let uri = site.join(path, query).map_err(|reason| self.refused(reason))?;
                Place::Network { uri, trusted: true, http2: site.http2, host: site.host.clone() }
            }
            Target::Replay(replay) => {
                let path = relative(path, query).map_err(|reason| self.refused(reason))?;
                Place::Replay { replay: replay.clone(), path: path.into() }
            }
        };
        Ok(Address { origin: self.0.origin.clone(), place })
    }

    /// Joins a path without parameters that many requests have. The first few such paths are joined once and kept.
    pub fn join_usual(&self, path: &str) -> Result<Address, OriginError> {
        for place in &self.0.usual {
            match place.get() {
                Some((known, address)) if **known == *path => return Ok(address.clone()),
                Some(_) => {}
                None => {
                    let address = self.join(path, [])?;
                    // If another request was first, the next one finds its path.
                    let _first = place.set((path.into(), address.clone()));
                    return Ok(address);
                }
            }
        }
        self.join(path, [])
    }

    /// Joins a path to the url's origin, whatever the url's own path is.
    pub fn join_at_origin<'q>(
        &self,
        path: &str,
        query: impl IntoIterator<Item = (&'q str, &'q str)>,
    ) -> Result<Address, OriginError> {
        let Target::Network(site) = &self.0.target else { return self.join(path, query) };
        let uri = site.join_below("/", path, query).map_err(|reason| self.refused(reason))?;
        let place = Place::Network { uri, trusted: true, http2: site.http2, host: site.host.clone() };
        Ok(Address { origin: self.0.origin.clone(), place })
    }

    /// Joins a relative path, and a query that is already encoded.
    pub fn join_encoded(&self, path: &str, query: &str) -> Result<Address, OriginError> {
        let mut address = self.join(path, [])?;
        if !query.is_empty() {
            address.place = address.place.with_query(query).ok_or_else(|| self.refused(PathError::InvalidQuery))?;
        }
        Ok(address)
    }

    /// The address of a follow-up at another origin (`https://host`): one that the operator approved, or the base's
    /// own. An approved origin gets the credential only if the operator allows it. A recording answers for every
    /// origin.
    pub fn follow<'q>(
        &self,
        origin: &str,
        path: &str,
        query: impl IntoIterator<Item = (&'q str, &'q str)>,
    ) -> Result<Address, OriginError> {
        let Target::Network(own) = &self.0.target else { return self.join(path, query) };
        let asked = Site::parse(origin, false)?;
        let allowed = self.0.allowed.iter().find(|(site, _)| site.is_same_origin(&asked));
        let trusted = match allowed {
            Some((_, credential)) => *credential,
            None if own.is_same_origin(&asked) => true,
            None => return Err(OriginError::NotAllowed(asked.origin())),
        };
        let uri = asked.join(path, query).map_err(|reason| self.refused(reason))?;
        let place = Place::Network { uri, trusted, http2: false, host: asked.host.clone() };
        Ok(Address { origin: asked.origin().into(), place })
    }

    /// Whether the credential may go to a url: one of the base's own origin, or of an approved origin that may receive
    /// it.
    pub fn may_have_credential(&self, url: &str) -> bool {
        let (Target::Network(own), Ok(asked)) = (&self.0.target, Site::parse(url, false)) else { return false };
        let allowed = self.0.allowed.iter().find(|(site, _)| site.is_same_origin(&asked));
        allowed.map_or_else(|| own.is_same_origin(&asked), |(_, credential)| *credential)
    }

    /// The path of a url below the base's own, as it is written there; `None` for one elsewhere, or one with a query.
    pub fn path_below<'u>(&self, url: &'u str) -> Option<&'u str> {
        let (Target::Network(own), Ok(asked)) = (&self.0.target, Site::parse(url, false)) else { return None };
        let (_, rest) = url.split_once("://")?;
        let path = rest.get(rest.find('/')?..)?.strip_prefix(&*own.prefix)?;
        (own.is_same_origin(&asked) && !url.contains('?')).then_some(path)
    }

    fn refused(&self, reason: PathError) -> OriginError {
        OriginError::Path { origin: self.0.origin.clone(), reason }
    }
}

impl Site {
    fn parse(url: &str, http2: bool) -> Result<Self, OriginError> {
        let bad = |reason| OriginError::Url(without_userinfo(url), reason);
        if !(url.starts_with("http://") || url.starts_with("https://")) {
            return Err(OriginError::Scheme(without_userinfo(url)));
        }
        if url.contains('#') {
            return Err(bad(UrlError::Fragment));
        }
        let parts = url.parse::<Uri>().map_err(|_| bad(UrlError::Syntax))?.into_parts();
        let (Some(scheme), Some(authority)) = (parts.scheme, parts.authority) else {
            return Err(bad(UrlError::NoHost));
        };
        if authority.as_str().contains('@') {
            return Err(bad(UrlError::UserName));
        }
        let path = parts.path_and_query.as_ref().map_or("/", PathAndQuery::path).trim_end_matches('/');
        check(path.trim_start_matches('/')).map_err(|error| bad(error.into()))?;
        let query = parts.path_and_query.as_ref().and_then(PathAndQuery::query).unwrap_or_default();
        let is_http1 = scheme == Scheme::HTTP && !http2;
        let host = authority.as_str().strip_suffix(":80").unwrap_or(authority.as_str());
        let host = HeaderValue::from_str(host).ok().filter(|_| is_http1);
        Ok(Self { scheme, authority, prefix: format!("{path}/").into(), query: query.into(), http2, host })
    }

    fn origin(&self) -> String {
        format!("{}://{}", self.scheme, self.authority)
    }

    fn is_same_origin(&self, other: &Self) -> bool {
        let port =
            |site: &Self| site.authority.port_u16().unwrap_or(if site.scheme == Scheme::HTTPS { 443 } else { 80 });
        self.scheme == other.scheme
            && self.authority.host().eq_ignore_ascii_case(other.authority.host())
            && port(self) == port(other)
    }

    /// The url with `path` appended. Scheme and host are never parsed again, so no path can change them.
    fn join<'q>(&self, path: &str, query: impl IntoIterator<Item = (&'q str, &'q str)>) -> Result<Uri, PathError> {
        let prefix =
            if path.is_empty() && self.prefix.len() > 1 { self.prefix.trim_end_matches('/') } else { &self.prefix };
        self.join_below(prefix, path, query)
    }

    fn join_below<'q>(
        &self,
        prefix: &str,
        path: &str,
        query: impl IntoIterator<Item = (&'q str, &'q str)>,
    ) -> Result<Uri, PathError> {
        let mut text = String::with_capacity(prefix.len() + path.len() + self.query.len() + 1);
        text.push_str(prefix);
        push_path(&mut text, path)?;
        if !self.query.is_empty() {
            text.push('?');
            text.push_str(&self.query);
        }
        push_query(&mut text, query);
        let mut parts = Parts::default();
        parts.scheme = Some(self.scheme.clone());
        parts.authority = Some(self.authority.clone());
        let text = Bytes::from(text);
        parts.path_and_query = Some(PathAndQuery::from_maybe_shared(text).map_err(|_| PathError::Invalid)?);
        Uri::from_parts(parts).map_err(|_| PathError::Invalid)
    }
}

/// The url for a message, with a user name and password masked.
fn without_userinfo(url: &str) -> String {
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, rest))) => format!("{scheme}://[secret]@{rest}"),
        _ => url.to_owned(),
    }
}

#[cfg(test)]
mod tests;
