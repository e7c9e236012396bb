//! Addresses of servers: `redis://USER:PASSWORD@HOST:PORT/DATABASE`, `rediss://` with TLS, and the same as `valkey://`.

use std::fmt;

use redis::{ConnectionAddr, IntoConnectionInfo, RedisConnectionInfo};

/// Schemes, what they are read as, and whether they stand for TLS.
const SCHEMES: [(&str, bool); 4] =
    [("redis://", false), ("valkey://", false), ("rediss://", true), ("valkeys://", true)];

/// Why a text is no address. It never shows the text, which may hold a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not an address such as redis://HOST:6379, or rediss://USER:PASSWORD@HOST:6379/0 with TLS")]
pub struct AddressError;

/// Where a server is, and how to log in.
#[derive(Clone)]
pub struct Address {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) has_tls: bool,
    pub(crate) login: RedisConnectionInfo,
}

/// Without the login.
impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl Address {
    /// Reads an address.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let scheme = SCHEMES.iter().find_map(|(scheme, tls)| Some((text.strip_prefix(scheme)?, *tls)));
        let (rest, has_tls) = scheme.ok_or(AddressError)?;
        let read = format!("redis://{rest}").into_connection_info().map_err(|_| AddressError)?;
        let ConnectionAddr::Tcp(host, port) = read.addr() else { return Err(AddressError) };
        Ok(Self { host: host.clone(), port: *port, has_tls, login: read.redis_settings().clone() })
    }
}
