//! Finds the running Weir that a command asks: the one of the configuration, or the one at `--url`.

use std::net::{Ipv6Addr, SocketAddr, ToSocketAddrs as _};
use std::path::PathBuf;

use clap::Args;

use weir_config::Config;
use weir_upstream::{AdminClient, AdminError};

/// Which Weir is asked.
#[derive(Debug, Args)]
pub(super) struct Running {
    /// The address of its admin endpoints, such as `https://weir.internal:9090`. By default that of the configuration.
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// The configuration, for the address and the admin token.
    #[arg(short, long, value_name = "FILE", env = "WEIR_CONFIG")]
    config: Option<PathBuf>,
}

impl Running {
    /// A client of its admin endpoints.
    pub(super) fn client(&self) -> Result<AdminClient, String> {
        let config = super::load(self.config.as_deref()).map_err(|problems| problems.render(false))?;
        let url = self.url.clone().map_or_else(|| address(&config), Ok)?;
        AdminClient::new(&url, config.admin.token.as_ref()).map_err(|error| error.to_string())
    }
}

/// The address of the operations endpoints; an unspecified address is replaced by loopback.
fn address(config: &Config) -> Result<String, String> {
    if let Some(address) = config.admin.listen {
        return Ok(format!("http://{}", reachable(address)));
    }
    let server = &config.server;
    if server.tls.is_some() {
        // By its name, which the certificate has.
        return Ok(format!("https://{}:{}", server.host, server.port));
    }
    let named = (server.host.as_str(), server.port).to_socket_addrs().ok().and_then(|mut all| all.next());
    let address = named.ok_or_else(|| format!("{} has no address", server.host))?;
    Ok(format!("http://{}", reachable(address)))
}

fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(if address.is_ipv4() { [127, 0, 0, 1].into() } else { Ipv6Addr::LOCALHOST.into() });
    }
    address
}

/// What a failed call means for the caller of a command.
pub(super) fn explained(error: &AdminError) -> String {
    match error {
        AdminError::Json(_) => "what answers there is no Weir".to_owned(),
        AdminError::Status { message: Some(message), .. } => format!("Weir refuses: {message}"),
        AdminError::Unreachable(_) => format!("no Weir answers: {error}"),
        error => error.to_string(),
    }
}
