//! Endpoints that let a client deal with the provider past this gateway: they answer with a credential or a secret of
//! the provider's, change who has an account with the provider, or begin a session between the two. What is used so is
//! in no limit and no budget, so that they are not opened by a pattern.

use std::sync::LazyLock;

use http::Method;
use serde::Deserialize;

use super::path::plainest;
use crate::method::reads_as;
use weir_config::Alias;

/// The paths, each with the page that describes it.
const PATHS: &str = include_str!("../../data/direct_access.json");

/// A path in small letters, in which a star stands for any text; it may have a beginning of its own.
#[derive(Debug, Deserialize)]
struct DirectPath {
    path: String,
    /// Whether reading it is enough.
    #[serde(default)]
    is_read: bool,
}

struct Known {
    path: Alias,
    is_read: bool,
}

static KNOWN: LazyLock<Vec<Known>> = LazyLock::new(|| {
    let paths: Vec<DirectPath> = serde_json::from_str(PATHS).unwrap_or_default();
    let known = |one: DirectPath| Known { path: Alias::parse(&format!("*/{}", one.path)), is_read: one.is_read };
    paths.into_iter().map(known).collect()
});

/// Whether a request is one to such an endpoint. `path` is decoded.
pub(super) fn is_one(method: &Method, path: &str) -> bool {
    let only_reads_or_removes =
        reads_as(method.as_str(), &[Method::GET, Method::HEAD, Method::OPTIONS, Method::DELETE]);
    let path = plainest(path).to_ascii_lowercase();
    KNOWN.iter().any(|known| (known.is_read || !only_reads_or_removes) && known.path.matches(&path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_that_hand_out_credentials_are_known_in_every_spelling() {
        for path in [
            "realtime/client_secrets",
            "v1/Realtime/sessions/",
            "realtime;x=1/calls",
            "realtime",
            "v1alpha/auth_tokens",
            "authTokens",
            "organization/projects/p-1/service_accounts",
            "organization/projects/p-1/service_accounts/a-1/api_keys",
            "organizations/invites",
            "generate_auth_token",
            "keys",
            "api/v1/keys/sk-hash",
            "auth/keys/code",
            "accounts/a/users/u/apiKeys",
            "v1/scoped-jwt",
            "v1/auth/grant",
            "v1/single-use-token/realtime_scribe",
            "v1beta/webhooks",
            "v1beta/webhooks/w-1:rotateSigningSecret",
        ] {
            assert!(is_one(&Method::POST, path), "{path}");
            assert!(!is_one(&Method::GET, path), "{path}");
        }
        for path in
            ["chat/completions", "realtimes", "files", "monkeys/x", "monkeys", "models/realtime:generateContent"]
        {
            assert!(!is_one(&Method::POST, path), "{path}");
        }
        for path in ["webhooks/default/secret", "v3/token"] {
            assert!(is_one(&Method::GET, path), "{path}");
        }
        assert!(!is_one(&Method::GET, "webhooks/w-1"));
    }
}
