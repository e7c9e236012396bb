//! Which headers an adapter may set on an answer, in code or in its manifest.

/// Headers that belong to one connection, or are computed for each message.
pub const OF_CONNECTION: [&str; 12] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Headers that describe the provider's server and would be wrong from the gateway.
pub const OF_SERVER: [&str; 7] =
    ["alt-svc", "public-key-pins", "server", "set-cookie", "strict-transport-security", "via", "www-authenticate"];

/// Whether an adapter may set a header of this name on an answer: not one of the connection, not one that describes
/// another server, and none of Weir's own `x-weir-` headers.
pub fn is_answerable(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    !OF_CONNECTION.contains(&&*name) && !OF_SERVER.contains(&&*name) && !name.starts_with("x-weir-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answers_headers_are_not_the_connections_nor_weirs() {
        for name in ["Content-Length", "transfer-encoding", "connection", "set-cookie", "server", "X-Weir-Provider"] {
            assert!(!is_answerable(name), "{name}");
        }
        assert!(is_answerable("content-type") && is_answerable("x-fine"));
    }
}
