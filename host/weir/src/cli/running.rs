//! Finds the running Weir that a command asks: the one of the configuration, or the one at `--admin`.

use std::net::{Ipv4Addr, SocketAddr, ToSocketAddrs as _};
use std::path::PathBuf;

use clap::Args;

use super::failure::{CommandError, Failure};
use weir_config::{Config, Secret};
use weir_upstream::{AdminClient, AdminError};

/// Which Weir is asked.
#[derive(Debug, Args)]
pub(super) struct Running {
    /// The address of the admin endpoints, such as `https://weir.internal:9090`. By default the one in the
    /// configuration.
    #[arg(long = "admin", value_name = "URL")]
    url: Option<String>,
    /// The configuration, for the address and the admin token.
    #[arg(short, long, value_name = "FILE", env = "WEIR_CONFIG")]
    config: Option<PathBuf>,
    /// The admin token, in place of the one in the configuration. Other users of the machine can read command lines:
    /// set `WEIR_ADMIN_TOKEN` instead.
    #[arg(long = "admin-token", value_name = "TOKEN", env = "WEIR_ADMIN_TOKEN", hide_env_values = true)]
    token: Option<String>,
}

impl Running {
    /// A client of its admin endpoints.
    pub(super) fn client(&self) -> Result<AdminClient, Failure> {
        let token = self.token.as_deref().map(Secret::new);
        if let (Some(url), Some(token)) = (&self.url, &token) {
            return Ok(open(url, Some(token))?);
        }
        let config = super::load_without_secrets(self.config.as_deref())?;
        let url = self.url.clone().map_or_else(|| address(&config), Ok)?;
        Ok(open(&url, token.as_ref().or(config.admin.token.as_ref()))?)
    }
}

/// Why no running Weir can be asked.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoClient {
    /// The address is not valid, or no secret may be sent there.
    #[error("{url}: {source}")]
    Address {
        /// The address.
        url: String,
        /// What is wrong with it.
        source: AdminError,
    },
    /// The host of the configuration is not known to this machine.
    #[error("{0} has no address")]
    Host(String),
}

impl CommandError for NoClient {
    fn is_of_usage(&self) -> bool {
        matches!(self, Self::Address { source: AdminError::Address, .. })
    }
}

/// A call of a running Weir that failed, in words for the one who gave the command.
#[derive(Debug, thiserror::Error)]
#[error("{}", explained(.0))]
pub(super) struct CallError(#[from] pub(super) AdminError);

impl CommandError for CallError {
    /// Weir refuses what the command was given, before it begins. Other refusals with status 422 are about what is
    /// there, such as a team to belong to.
    fn is_of_usage(&self) -> bool {
        let AdminError::Status { status, code, .. } = &self.0 else { return false };
        match status.as_u16() {
            400 => true,
            422 => code.as_deref() == Some("invalid"),
            _ => false,
        }
    }
}

/// A client of the admin endpoints of the Weir that this configuration belongs to.
pub(super) fn of(config: &Config) -> Result<AdminClient, NoClient> {
    open(&address(config)?, config.admin.token.as_ref())
}

fn open(url: &str, token: Option<&Secret>) -> Result<AdminClient, NoClient> {
    AdminClient::new(url, token).map_err(|source| NoClient::Address { url: url.to_owned(), source })
}

/// The address of the operations endpoints; an unspecified address is replaced by loopback.
fn address(config: &Config) -> Result<String, NoClient> {
    if let Some(address) = config.admin.listen {
        return Ok(format!("http://{}", reachable(address)));
    }
    let server = &config.server;
    if server.tls.is_some() {
        // By its name, which the certificate has.
        return Ok(format!("https://{}:{}", server.host, server.port));
    }
    let named = (server.host.as_str(), server.port).to_socket_addrs().ok().and_then(|mut all| all.next());
    let address = named.ok_or_else(|| NoClient::Host(server.host.clone()))?;
    Ok(format!("http://{}", reachable(address)))
}

fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        // `::` listens on both families, and a container often has no loopback address of IPv6.
        address.set_ip(Ipv4Addr::LOCALHOST.into());
    }
    address
}

/// What a failed call means for the caller of a command.
fn explained(error: &AdminError) -> String {
    match error {
        AdminError::Json(_) => {
            "the program that answers there is not Weir: see --admin, or `admin.listen` of the configuration".to_owned()
        }
        AdminError::Status { message: Some(message), .. } => {
            let help = if error.is_denied() { "\n  help: give its `admin.token` by WEIR_ADMIN_TOKEN" } else { "" };
            format!("{message}{help}")
        }
        AdminError::Unreachable(cause) => {
            let at = cause.url().map(|url| format!(" at {}", url.origin().ascii_serialization())).unwrap_or_default();
            let help = "is it running, and is this its address? --admin or the configuration names another";
            format!("no Weir answers{at}: {error}\n  help: {help}")
        }
        error => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;

    #[test]
    fn what_the_command_line_has_wrong_is_told_apart_from_what_cannot_be_done() {
        let of = |url: &str| open(url, None).unwrap_err().is_of_usage();
        assert!(of("127.0.0.1:9090") && of("ftp://weir.internal"));
        assert!(!NoClient::Host("nowhere.internal".to_owned()).is_of_usage());
        let answered = |status, code: &str| {
            CallError(AdminError::Status { status, code: Some(code.to_owned()), message: None }).is_of_usage()
        };
        assert!(answered(StatusCode::BAD_REQUEST, "bad_parameter"));
        assert!(answered(StatusCode::UNPROCESSABLE_ENTITY, "invalid"));
        assert!(!answered(StatusCode::UNPROCESSABLE_ENTITY, "owner_not_found"));
        assert!(!answered(StatusCode::NOT_FOUND, "not_found") && !answered(StatusCode::CONFLICT, "invalid"));
    }
}
