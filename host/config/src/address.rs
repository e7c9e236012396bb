//! A provider's address: an http(s) base, or a folder of recordings.

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http::Uri;
use http::uri::{Authority, Scheme};

/// Suffixes of host names that are valid within a private network only.
const LOCAL_DOMAINS: [&str; 5] = [".localhost", ".local", ".internal", ".lan", ".test"];

/// Where requests to a provider go.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Address {
    /// The API's base with its version path: `https://api.example.com/v1/`.
    Http(BaseUrl),
    /// A folder with recorded exchanges (`replay:DIR`).
    Replay {
        /// The folder of the recordings.
        folder: PathBuf,
        /// The pause between the pieces of all streams (`?pace_ms=20`), whatever the recordings have.
        pace: Option<Duration>,
    },
}

/// Why a url is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Neither http, https nor replay.
    #[error("a url starts with https://, http:// or replay:")]
    Scheme,
    /// Not a url at all.
    #[error("not a valid url: {0}")]
    Syntax(String),
    /// The url has user info; credentials belong in `api_key`.
    #[error("a url holds no user name or password")]
    UserInfo,
    /// The url has a query or fragment; the adapter adds what it needs.
    #[error("a url holds no query (`?`) and no fragment (`#`)")]
    Query,
    /// `replay:` without a folder.
    #[error("`replay:` needs a folder behind it")]
    Folder,
    /// The folder is followed by something other than a pace.
    #[error("only `?pace_ms=NUMBER` may stand behind the folder of a `replay:` url")]
    Pace,
    /// The origin has a path.
    #[error("an origin is a scheme, a host and perhaps a port, without a path")]
    Path,
}

impl Address {
    /// Parses a url; a relative folder of recordings is resolved against `folder`.
    pub fn parse(text: &str, folder: &Path) -> Result<Self, AddressError> {
        let Some(recordings) = text.strip_prefix("replay:") else { return BaseUrl::parse(text).map(Self::Http) };
        let (recordings, query) =
            recordings.split_once('?').map_or((recordings, None), |(dir, query)| (dir, Some(query)));
        if recordings.trim().is_empty() {
            return Err(AddressError::Folder);
        }
        let pace = query.map(|query| {
            let milliseconds = query.strip_prefix("pace_ms=").and_then(|number| number.parse::<u32>().ok());
            milliseconds.map(|number| Duration::from_millis(number.into())).ok_or(AddressError::Pace)
        });
        Ok(Self::Replay { folder: folder.join(recordings), pace: pace.transpose()? })
    }
}

/// The url as it was written, with the whole path of a folder: [`Address::parse`] accepts it again.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http(base) => base.fmt(f),
            Self::Replay { folder, pace: None } => write!(f, "replay:{}", folder.display()),
            Self::Replay { folder, pace: Some(pace) } => {
                write!(f, "replay:{}?pace_ms={}", folder.display(), pace.as_millis())
            }
        }
    }
}

/// Scheme, host and port, in one spelling: lower case, without the scheme's usual port.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Origin(String);

impl Origin {
    /// Parses `https://host[:port]`, with or without a slash at the end.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let base = BaseUrl::parse(text)?;
        if base.path() != "/" {
            return Err(AddressError::Path);
        }
        Ok(base.origin())
    }

    /// `https://host[:port]`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An http or https url without user info, query and fragment, whose path ends in a slash.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct BaseUrl {
    scheme: Scheme,
    authority: Authority,
    path: String,
}

impl BaseUrl {
    /// Parses a url; adds a slash at the end if there is none.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let (scheme, rest) = text.split_once("://").ok_or(AddressError::Scheme)?;
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "http" => Scheme::HTTP,
            "https" => Scheme::HTTPS,
            _ => return Err(AddressError::Scheme),
        };
        if rest.contains(['?', '#']) {
            return Err(AddressError::Query);
        }
        if rest.split('/').next().is_some_and(|authority| authority.contains('@')) {
            return Err(AddressError::UserInfo);
        }
        // `{` and `}` would be accepted in a path, but an unfilled placeholder is a mistake.
        if rest.contains(['{', '}']) {
            return Err(AddressError::Syntax("placeholders are filled in an adapter's own suggestion only".to_owned()));
        }
        let uri: Uri = format!("{scheme}://{rest}").parse().map_err(|error| syntax(&error))?;
        let authority = uri.authority().cloned().ok_or_else(|| AddressError::Syntax("no host".to_owned()))?;
        if authority.host().is_empty() || authority.port_u16() == Some(0) || bad_port(&authority) {
            return Err(AddressError::Syntax("no host, or not a port".to_owned()));
        }
        let path = uri.path().trim_end_matches('/');
        Ok(Self { scheme, authority, path: format!("{path}/") })
    }

    /// Whether the host is this machine or on its network: loopback, a private address, a name without dots (as
    /// containers have), or one under a domain that no public server has.
    pub fn is_local(&self) -> bool {
        let host = self.authority.host().trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
        match host.parse::<IpAddr>() {
            Ok(IpAddr::V4(ip)) => ip.is_loopback() || ip.is_private() || ip.is_link_local() || ip.is_unspecified(),
            Ok(IpAddr::V6(ip)) => {
                ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local() || ip.is_unspecified()
            }
            Err(_) => !host.contains('.') || LOCAL_DOMAINS.iter().any(|domain| host.ends_with(domain)),
        }
    }

    /// The scheme: http or https.
    pub fn scheme(&self) -> &Scheme {
        &self.scheme
    }

    /// Host and port as they were written.
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// The path, with a slash at both ends: `/` or `/v1/`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The origin to which a credential may be sent.
    pub fn origin(&self) -> Origin {
        let host = self.authority.host().to_ascii_lowercase();
        let usual = if self.scheme == Scheme::HTTPS { 443 } else { 80 };
        match self.authority.port_u16() {
            Some(port) if port != usual => Origin(format!("{}://{host}:{port}", self.scheme)),
            _ => Origin(format!("{}://{host}", self.scheme)),
        }
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme, self.authority, self.path)
    }
}

fn syntax(error: &http::uri::InvalidUri) -> AddressError {
    AddressError::Syntax(error.to_string())
}

/// Whether a port is given that is not a number up to 65535 (`http` accepts `:` and `:99999`).
fn bad_port(authority: &Authority) -> bool {
    let after_host = authority.as_str().get(authority.host().len()..).unwrap_or_default();
    after_host.starts_with(':') && authority.port_u16().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(text: &str) -> String {
        BaseUrl::parse(text).map_or_else(|error| error.to_string(), |base| base.to_string())
    }

    #[test]
    fn a_base_ends_in_one_slash() {
        assert_eq!(base("https://api.example.com/v1"), "https://api.example.com/v1/");
        assert_eq!(base("https://api.example.com/v1/"), "https://api.example.com/v1/");
        assert_eq!(base("HTTP://[::1]:8080"), "http://[::1]:8080/");
    }

    #[test]
    fn what_is_no_base_is_refused() {
        for text in ["", "api.example.com/v1", "ftp://a/", "file:///etc", "https://", "https:///v1", "https://a b/"] {
            assert!(BaseUrl::parse(text).is_err(), "{text}");
        }
        for text in ["https://a:0/", "https://a:99999/", "https://a:/", "https://a/{region}/"] {
            assert!(BaseUrl::parse(text).is_err(), "{text}");
        }
        assert_eq!(BaseUrl::parse("https://me:pw@a/"), Err(AddressError::UserInfo));
        assert_eq!(BaseUrl::parse("https://a/?key=1"), Err(AddressError::Query));
        assert_eq!(BaseUrl::parse("https://a/#x"), Err(AddressError::Query));
    }

    #[test]
    fn origins_have_one_spelling() {
        let same = ["https://API.example.com", "https://api.example.com:443/", "https://api.example.com/"];
        for text in same {
            assert_eq!(Origin::parse(text).unwrap().as_str(), "https://api.example.com", "{text}");
        }
        assert_eq!(Origin::parse("http://a:81").unwrap().as_str(), "http://a:81");
        assert_eq!(Origin::parse("https://a/v1"), Err(AddressError::Path));
    }

    #[test]
    fn recordings_are_found_from_the_files_folder() {
        let folder = Path::new("/etc/weir");
        let parsed = |text: &str| Address::parse(text, folder).map(|address| address.to_string());
        assert_eq!(parsed("replay:rec/a").as_deref(), Ok("replay:/etc/weir/rec/a"));
        assert_eq!(parsed("replay:/abs").as_deref(), Ok("replay:/abs"));
        assert_eq!(parsed("replay:a?pace_ms=20").as_deref(), Ok("replay:/etc/weir/a?pace_ms=20"));
        assert_eq!(parsed("replay:"), Err(AddressError::Folder));
        for text in ["replay:a?pace=20", "replay:a?pace_ms=-1", "replay:a?"] {
            assert_eq!(parsed(text), Err(AddressError::Pace), "{text}");
        }
    }
}
