//! Whether a running Weir serves a component: its operations side is asked.

use std::time::{Duration, Instant};

use serde_json::Value;

use weir_config::Secret;
use weir_sandbox::Digest;
use weir_upstream::{AdminClient, AdminError};

/// How long Weir may take to notice, compile and prove a file.
const TIMEOUT: Duration = Duration::from_secs(30);
const INTERVAL: Duration = Duration::from_millis(300);
/// Where the adapters are listed.
const PLUGINS: &str = "/admin/plugins";

/// Why a running Weir is not known to serve a component.
#[derive(Debug, thiserror::Error)]
pub enum RunningError {
    /// The address is not valid, or no secret may be sent there.
    #[error("{admin}: {source}")]
    Address {
        /// The address.
        admin: String,
        /// What is wrong with it.
        source: AdminError,
    },
    /// The call for the list of adapters fails.
    #[error("{admin}: {}", explained(source))]
    List {
        /// The address.
        admin: String,
        /// The failure.
        source: AdminError,
    },
    /// It does not see the file in time.
    #[error("{admin} has not noticed the file within {} s", TIMEOUT.as_secs())]
    Unnoticed {
        /// The address.
        admin: String,
    },
    /// It sees the file, and does not serve it.
    #[error("Weir does not serve it ({status}): {reason}")]
    Refused {
        /// The status in the list of adapters.
        status: String,
        /// The reason there.
        reason: String,
    },
    /// The list says nothing of its status.
    #[error("Weir does not list it")]
    Unlisted,
    /// The operator has taken it out of service before.
    #[error("Weir was rolled back from these very bytes")]
    RolledBack,
}

/// Waits until the Weir at an address (`http://127.0.0.1:9090`) has noticed these bytes, and returns their status, or
/// the reason why they do not serve.
pub fn await_digest(admin: &str, token: Option<&Secret>, name: &str, digest: Digest) -> Result<String, RunningError> {
    let end = Instant::now() + TIMEOUT;
    let client =
        AdminClient::new(admin, token).map_err(|source| RunningError::Address { admin: admin.to_owned(), source })?;
    loop {
        let plugins = client.get(PLUGINS).map_err(|source| RunningError::List { admin: admin.to_owned(), source })?;
        if let Some(service) = service(&plugins, name, &digest.hex()) {
            return service;
        }
        if Instant::now() > end {
            return Err(RunningError::Unnoticed { admin: admin.to_owned() });
        }
        std::thread::sleep(INTERVAL);
    }
}

/// The status of these bytes under a name, which may be listed twice: the serving adapter, and the last refusal.
fn service(plugins: &Value, name: &str, digest: &str) -> Option<Result<String, RunningError>> {
    let mut named = plugins["plugins"].as_array()?.iter().filter(|one| one["name"] == name);
    named.find_map(|one| service_of(one, digest))
}

fn service_of(one: &Value, digest: &str) -> Option<Result<String, RunningError>> {
    let reason = one["reason"].as_str().unwrap_or("no reason is given");
    if one["digest"] == digest {
        return Some(match one["status"].as_str() {
            Some("serving") => Ok("Weir serves it".to_owned()),
            Some(status) => Err(RunningError::Refused { status: status.to_owned(), reason: reason.to_owned() }),
            None => Err(RunningError::Unlisted),
        });
    }
    if one["canary"]["digest"] == digest {
        let wanted = &one["canary"]["wanted"];
        return Some(Ok(format!("Weir tries it beside the former one, for {wanted} exchanges")));
    }
    (one["rolled_back_from"] == digest).then(|| Err(RunningError::RolledBack))
}

/// An error, and what helps against the one that is usual.
fn explained(error: &AdminError) -> String {
    match error {
        error if error.is_denied() => {
            let how = "give its `admin.token` by --admin-token or WEIR_ADMIN_TOKEN";
            format!("{PLUGINS} is not open to all users: {how}")
        }
        AdminError::Status { .. } | AdminError::Json(_) => format!("{PLUGINS}: {error}"),
        error => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use serde_json::json;

    use super::*;

    #[test]
    fn the_token_is_sent_and_its_lack_is_explained() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let admin = format!("http://{}", listener.local_addr().unwrap());
        let answers = std::thread::spawn(move || {
            for _ in 0..2 {
                let (mut stream, _) = listener.accept().unwrap();
                let mut bytes = [0; 4096];
                let len = stream.read(&mut bytes).unwrap();
                let knows = String::from_utf8_lossy(&bytes[..len]).contains("authorization: Bearer the-token\r\n");
                let answer = if knows { "HTTP/1.0 200 OK\r\n\r\n{}" } else { "HTTP/1.0 401 No\r\n\r\n{}" };
                stream.write_all(answer.as_bytes()).unwrap();
            }
        });
        let get = |token| AdminClient::new(&admin, token).unwrap().get(PLUGINS);
        let without = explained(&get(None).unwrap_err());
        assert!(without.contains("--admin-token"), "{without}");
        assert_eq!(get(Some(&Secret::new("the-token"))).unwrap(), json!({}));
        answers.join().unwrap();
    }

    #[test]
    fn the_status_of_the_bytes_is_reported() {
        let plugins = json!({"plugins": [
            {"name": "zeta", "digest": "1", "status": "serving", "reason": null, "versions": [{"digest": "0"}],
             "canary": {"digest": "2", "wanted": 200}, "rolled_back_from": "3"},
            {"name": "zeta", "digest": "4", "status": "refused", "reason": "it traps"},
            {"name": "eta", "digest": "5", "status": "quarantined", "reason": null},
        ]});
        let service = |digest| service(&plugins, "zeta", digest);
        assert_eq!(service("1").unwrap().unwrap(), "Weir serves it");
        assert_eq!(service("2").unwrap().unwrap(), "Weir tries it beside the former one, for 200 exchanges");
        assert!(matches!(service("3"), Some(Err(RunningError::RolledBack))));
        assert_eq!(service("4").unwrap().unwrap_err().to_string(), "Weir does not serve it (refused): it traps");
        assert!(service("5").is_none(), "another's bytes");
        assert!(service("0").is_none(), "what served before is not there yet");
    }
}
