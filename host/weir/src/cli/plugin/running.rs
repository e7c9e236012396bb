//! `weir plugin list --running`: prints a running Weir's report about its adapters.

use std::net::{SocketAddr, ToSocketAddrs as _};

use serde_json::Value;

use weir_config::Config;
use weir_upstream::{AdminClient, AdminError};

/// Queries the Weir that this configuration belongs to.
pub(super) fn run(config: &Config, json: bool) -> Result<String, String> {
    let address = address(config)?;
    let client = AdminClient::new(&format!("http://{address}"), config.admin.token.as_ref());
    let answer = client.and_then(|client| client.get("/admin/plugins"));
    let body = answer.map_err(|error| match error {
        AdminError::Json(_) => format!("error: what answers at {address} is no Weir"),
        AdminError::Status { message, .. } => {
            format!("error: {address} refuses: {}", message.as_deref().unwrap_or("it does not say why"))
        }
        error => format!("error: no Weir answers at {address}: {error}"),
    })?;
    if json {
        return serde_json::to_string_pretty(&body).map_err(|error| format!("error: {error}"));
    }
    Ok(list(&body["plugins"]).flat_map(lines).collect::<Vec<_>>().join("\n"))
}

/// The address of its operations endpoints; an unspecified address is replaced by loopback.
pub(in crate::cli) fn address(config: &Config) -> Result<SocketAddr, String> {
    let served = || {
        let named = (config.server.host.as_str(), config.server.port).to_socket_addrs();
        let none = || format!("error: {} has no address", config.server.host);
        named.ok().and_then(|mut all| all.next()).ok_or_else(none)
    };
    let mut address = config.admin.listen.map_or_else(served, Ok)?;
    if address.ip().is_unspecified() {
        address.set_ip(if address.is_ipv4() { [127, 0, 0, 1].into() } else { std::net::Ipv6Addr::LOCALHOST.into() });
    }
    Ok(address)
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// The lines of an adapter: itself, the version on trial, and the versions that are kept.
fn lines(adapter: &Value) -> Vec<String> {
    let name = text(&adapter["name"]);
    let line = |one: &Value, state: &str, why: &str| {
        let (version, digest) = (text(&one["version"]), text(&one["digest"]));
        let digest = digest.get(..12).unwrap_or(digest);
        format!("{name:16} {version:8} {digest:14} {state:12} {why}").trim_end().to_owned()
    };
    let why = [&adapter["reason"], &adapter["cause"]].into_iter().find_map(Value::as_str).unwrap_or_default();
    let unproved = if adapter["proved"] == false { "unproved; " } else { "" };
    let mut lines = vec![line(adapter, text(&adapter["status"]), &format!("{unproved}{why}"))];
    lines.extend(adapter["impurity"].as_str().map(|impurity| format!("{:16} {impurity}", "")));
    lines.extend(list(&adapter["left_out"]).filter_map(Value::as_str).map(|claim| format!("{:16} {claim}", "")));
    let canary = &adapter["canary"];
    if canary.is_object() {
        let (served, wanted, failed) = (&canary["exchanges"], &canary["wanted"], &canary["failed"]);
        lines.push(line(canary, "candidate", &format!("{served} of {wanted} exchanges, {failed} failed")));
    }
    lines.extend(list(&adapter["versions"]).map(|former| line(former, text(&former["status"]), "")));
    lines
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_version_has_its_line() {
        let adapter = serde_json::json!({
            "name": "zeta", "version": "2", "digest": "0123456789abcdef", "status": "serving", "reason": null,
            "cause": "its file came", "proved": false,
            "impurity": "not proved pure: may read a clock",
            "left_out": ["POST /v1/x is left out: `eta` serves it"],
            "canary": {"version": "3", "digest": "aaaaaaaaaaaaaaaa", "exchanges": 4, "wanted": 200, "failed": 0},
            "versions": [{"version": "1", "digest": "bbbbbbbbbbbbbbbb", "status": "retired"}],
        });
        let expected = [
            "zeta             2        0123456789ab   serving      unproved; its file came",
            "                 not proved pure: may read a clock",
            "                 POST /v1/x is left out: `eta` serves it",
            "zeta             3        aaaaaaaaaaaa   candidate    4 of 200 exchanges, 0 failed",
            "zeta             1        bbbbbbbbbbbb   retired",
        ];
        assert_eq!(lines(&adapter), expected);
    }
}
