//! The running Weir that a command talks to.

use std::path::PathBuf;

use clap::Args;
use http::Method;
use serde_json::Value;

use crate::cli::plugin::running;
use weir_config::Secret;
use weir_upstream::{AdminClient, AdminError};

/// Where the running Weir is, and the token for it.
#[derive(Debug, Args)]
pub(super) struct Admin {
    /// The configuration of the running Weir, which names its address and its `admin.token`.
    #[arg(short, long, value_name = "FILE", env = "WEIR_CONFIG")]
    config: Option<PathBuf>,
    /// The address of its admin side, such as `http://127.0.0.1:9090`, in place of the configuration's.
    #[arg(long = "admin", value_name = "URL")]
    address: Option<String>,
    /// The token, in place of the configuration's. Other users of the machine see what stands on a command line, so
    /// better set `WEIR_ADMIN_TOKEN`.
    #[arg(long = "admin-token", value_name = "TOKEN", env = "WEIR_ADMIN_TOKEN", hide_env_values = true)]
    token: Option<String>,
}

/// A connection to the running Weir.
#[derive(Debug)]
pub(super) struct Running {
    address: String,
    client: AdminClient,
}

impl Admin {
    /// Prepares to talk to it.
    pub(super) fn open(&self) -> Result<Running, String> {
        let token = self.token.as_deref().map(Secret::new);
        let (address, token) = if let Some(address) = &self.address {
            (address.clone(), token)
        } else {
            let config = crate::cli::load(self.config.as_deref()).map_err(|problems| problems.render(false))?;
            (format!("http://{}", running::address(&config)?), token.or(config.admin.token))
        };
        let client =
            AdminClient::new(&address, token.as_ref()).map_err(|error| format!("error: {address}: {error}"))?;
        Ok(Running { address, client })
    }
}

impl Running {
    /// The answer to a request.
    pub(super) fn send(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Value, String> {
        let answer = self.client.send(method, &format!("/admin/v1{path}"), query, body);
        answer.map_err(|error| match error {
            AdminError::Status { status, message } => {
                let message = message.unwrap_or_else(|| format!("it answered {status}"));
                let is_denied = matches!(status.as_u16(), 401 | 403);
                let help = if is_denied { "\n  help: give its `admin.token` by WEIR_ADMIN_TOKEN" } else { "" };
                format!("error: {message}{help}")
            }
            AdminError::Json(_) => format!("error: what answers at {} is no Weir", self.address),
            error => format!("error: no Weir answers at {}: {error}", self.address),
        })
    }

    /// All entries of a list, page by page.
    pub(super) fn list(&self, path: &str, filter: &[(&str, &str)]) -> Result<Vec<Value>, String> {
        let (mut all, mut cursor) = (Vec::new(), None::<String>);
        loop {
            let mut query = vec![("limit", "1000")];
            query.extend(filter);
            query.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
            let mut page = self.send(Method::GET, path, &query, None)?;
            if let Value::Array(items) = page["items"].take() {
                all.extend(items);
            }
            match page["next_cursor"].as_str() {
                Some(next) => cursor = Some(next.to_owned()),
                None => return Ok(all),
            }
        }
    }
}
