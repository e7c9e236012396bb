//! Clients of a gateway's configuration, each with a key made of its name.

use crate::Request;

/// The key of a client.
pub fn key(client: &str) -> String {
    format!("weir-{client}-0123456789abcdef")
}

/// The client's table of the configuration, with these lines besides.
pub fn client(name: &str, more: &str) -> String {
    format!("[[clients]]\nname = \"{name}\"\nkey = \"{}\"\n{more}\n", key(name))
}

/// A request with the client's key.
pub fn by(client: &str, request: Request) -> Request {
    request.bearer(&key(client))
}
