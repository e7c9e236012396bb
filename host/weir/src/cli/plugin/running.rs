//! `weir plugin list --running`: prints a running Weir's report about its adapters.

use serde_json::Value;

use crate::cli::failure::Failure;
use crate::cli::running::{self, CallError};
use weir_config::Config;

/// Queries the Weir that this configuration belongs to.
pub(super) fn run(config: &Config, json: bool) -> Result<String, Failure> {
    let body = running::of(config)?.get("/admin/plugins").map_err(CallError)?;
    if json {
        return Ok(crate::cli::pretty(&body)?);
    }
    let head = row(["NAME", "VERSION", "DIGEST", "STATE", "CAUSE"]);
    Ok(std::iter::once(head).chain(list(&body["plugins"]).flat_map(lines)).collect::<Vec<_>>().join("\n"))
}

fn row([name, version, digest, state, why]: [&str; 5]) -> String {
    format!("{name:16} {version:8} {digest:14} {state:12} {why}").trim_end().to_owned()
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
        row([name, version, digest, state, why])
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
            "cause": "found in the plugins folder", "proved": false,
            "impurity": "not proved pure: may read a clock",
            "left_out": ["POST /v1/x is left out: `eta` serves it"],
            "canary": {"version": "3", "digest": "aaaaaaaaaaaaaaaa", "exchanges": 4, "wanted": 200, "failed": 0},
            "versions": [{"version": "1", "digest": "bbbbbbbbbbbbbbbb", "status": "retired"}],
        });
        let expected = [
            "zeta             2        0123456789ab   serving      unproved; found in the plugins folder",
            "                 not proved pure: may read a clock",
            "                 POST /v1/x is left out: `eta` serves it",
            "zeta             3        aaaaaaaaaaaa   candidate    4 of 200 exchanges, 0 failed",
            "zeta             1        bbbbbbbbbbbb   retired",
        ];
        assert_eq!(lines(&adapter), expected);
        let head = row(["NAME", "VERSION", "DIGEST", "STATE", "CAUSE"]);
        assert_eq!((head.find("DIGEST"), head.find("STATE")), (expected[0].find("0123"), expected[0].find("serving")));
    }
}
