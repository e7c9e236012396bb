//! `weir plugin list --running`: prints a running Weir's report about its adapters.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use serde_json::Value;

use weir_config::Config;

/// Timeout of its answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Maximum size of its answer, in bytes.
const ANSWER: u64 = 8 << 20;

/// Queries the Weir that this configuration belongs to.
pub(super) fn run(config: &Config, json: bool) -> Result<String, String> {
    let address = address(config)?;
    let answer = ask(config, address).map_err(|error| format!("error: no Weir answers at {address}: {error}"))?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or("error: what answers is no Weir")?;
    let body: Value = serde_json::from_str(body).map_err(|_| format!("error: what answers at {address} is no Weir"))?;
    if !head.starts_with("HTTP/1.1 200") {
        let message = body["error"]["message"].as_str().unwrap_or("it does not say why");
        return Err(format!("error: {address} refuses: {message}"));
    }
    if json {
        return serde_json::to_string_pretty(&body).map_err(|error| format!("error: {error}"));
    }
    Ok(list(&body["plugins"]).flat_map(lines).collect::<Vec<_>>().join("\n"))
}

/// The address of its operations endpoints; an unspecified address is replaced by loopback.
fn address(config: &Config) -> Result<SocketAddr, String> {
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

fn ask(config: &Config, address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let token = config.admin.token.as_ref();
    let token = token.map(|token| format!("authorization: Bearer {}\r\n", token.expose())).unwrap_or_default();
    write!(stream, "GET /admin/plugins HTTP/1.1\r\nhost: {address}\r\n{token}connection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.take(ANSWER).read_to_string(&mut answer)?;
    Ok(answer)
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
            "left_out": ["POST /v1/x is left out: `eta` serves it"],
            "canary": {"version": "3", "digest": "aaaaaaaaaaaaaaaa", "exchanges": 4, "wanted": 200, "failed": 0},
            "versions": [{"version": "1", "digest": "bbbbbbbbbbbbbbbb", "status": "retired"}],
        });
        let expected = [
            "zeta             2        0123456789ab   serving      unproved; its file came",
            "                 POST /v1/x is left out: `eta` serves it",
            "zeta             3        aaaaaaaaaaaa   candidate    4 of 200 exchanges, 0 failed",
            "zeta             1        bbbbbbbbbbbb   retired",
        ];
        assert_eq!(lines(&adapter), expected);
    }
}
