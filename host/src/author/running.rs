//! Whether a running Weir serves a component: its operations side is asked, in plain HTTP.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::plugin::Digest;

/// How long Weir may take to notice a file, prove it and compile it.
const PATIENCE: Duration = Duration::from_secs(30);
const INTERVAL: Duration = Duration::from_millis(300);
/// How long one answer may take, and how large it may be.
const ANSWER: Duration = Duration::from_secs(5);
const LARGEST: u64 = 16 << 20;

/// Waits until the Weir at an address (`http://127.0.0.1:9090`) has taken note of these bytes; what it says of them.
pub fn await_digest(admin: &str, name: &str, digest: Digest) -> Result<String, String> {
    let end = Instant::now() + PATIENCE;
    loop {
        let plugins = get(admin, "/admin/plugins")?;
        if let Some(said) = said(&plugins, name, &digest.to_string()) {
            return Ok(said);
        }
        if Instant::now() > end {
            return Err(format!("{admin} has not taken note of it in {} s", PATIENCE.as_secs()));
        }
        std::thread::sleep(INTERVAL);
    }
}

/// What is said of a component: why it is refused, or that it serves.
fn said(plugins: &Value, name: &str, digest: &str) -> Option<String> {
    let all = plugins["plugins"].as_array()?;
    let ours = all.iter().filter(|one| one["name"] == name).find(|one| mentions(one, digest))?;
    let reason = ["refused", "reason", "error"].iter().find_map(|key| ours[key].as_str());
    Some(match reason {
        Some(reason) => format!("Weir refuses it: {reason}"),
        None => "Weir serves it".to_owned(),
    })
}

fn mentions(value: &Value, digest: &str) -> bool {
    match value {
        Value::String(text) => text == digest,
        Value::Array(all) => all.iter().any(|one| mentions(one, digest)),
        Value::Object(all) => all.values().any(|one| mentions(one, digest)),
        _ => false,
    }
}

fn get(admin: &str, path: &str) -> Result<Value, String> {
    let wrong = |why: String| format!("{admin}: {why}");
    let rest = admin.strip_prefix("http://").ok_or_else(|| wrong("only http:// is spoken here".into()))?;
    let authority = rest.split('/').next().unwrap_or(rest);
    let address = if authority.contains(':') { authority.to_owned() } else { format!("{authority}:80") };
    let asked = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(&address)?;
        stream.set_read_timeout(Some(ANSWER))?;
        // In version 1.0 the end of the connection is the end of the answer.
        write!(stream, "GET {path} HTTP/1.0\r\nhost: {authority}\r\nconnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.take(LARGEST).read_to_string(&mut answer)?;
        Ok(answer)
    };
    let answer = asked().map_err(|error| wrong(error.to_string()))?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    if head.split(' ').nth(1) != Some("200") {
        return Err(wrong(format!("{path} answered {:?}", head.lines().next().unwrap_or_default())));
    }
    serde_json::from_str(body).map_err(|error| wrong(format!("{path} answered no JSON: {error}")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_weir_says_of_the_bytes_is_told() {
        let plugins = json!({"plugins": [
            {"name": "zeta", "digest": "sha256:1"},
            {"name": "eta", "digest": "sha256:2", "refused": "it traps"},
        ]});
        assert_eq!(said(&plugins, "zeta", "sha256:1").unwrap(), "Weir serves it");
        assert_eq!(said(&plugins, "eta", "sha256:2").unwrap(), "Weir refuses it: it traps");
        assert_eq!(said(&plugins, "zeta", "sha256:2"), None);
    }
}
