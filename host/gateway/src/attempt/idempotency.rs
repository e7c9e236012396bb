//! Idempotency keys, by which a provider recognises a repeated request and returns its first answer. All clients share
//! the provider's account, so two clients that chose the same key would get each other's answers.

use std::sync::Arc;

use http::HeaderName;
use http::header::{HeaderMap, HeaderValue};

use weir_cache::{KeyWriter, Scope};

/// The headers with such keys.
const NAMES: [HeaderName; 2] =
    [HeaderName::from_static("idempotency-key"), HeaderName::from_static("x-idempotency-key")];

/// Makes the keys among these headers the tenant's own: hashes of the tenant and the key, the same on every node and
/// after a restart. Callers without a key are one tenant, whose keys stay as they are.
pub(crate) fn keep_apart(headers: &mut HeaderMap, tenant: &Arc<str>) {
    if tenant.is_empty() {
        return;
    }
    for name in NAMES {
        let Some(value) = headers.get(&name) else { continue };
        let mut writer = KeyWriter::new(&Scope::of(tenant), 0);
        writer.part(name.as_str(), value.as_bytes());
        // Hexadecimal digits are always a valid header value.
        match HeaderValue::try_from(writer.finish().to_string()) {
            Ok(own) => _ = headers.insert(name, own),
            Err(_) => _ = headers.remove(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_keys_of_two_tenants_differ_and_those_of_one_are_the_same() {
        let kept_apart = |tenant: &str, key: &'static str| {
            let mut headers = HeaderMap::new();
            headers.append("idempotency-key", HeaderValue::from_static(key));
            headers.append("x-other", HeaderValue::from_static(key));
            keep_apart(&mut headers, &Arc::from(tenant));
            assert_eq!(headers["x-other"], key);
            headers["idempotency-key"].to_str().unwrap().to_owned()
        };
        assert_eq!(kept_apart("one", "order-1"), kept_apart("one", "order-1"));
        assert_ne!(kept_apart("one", "order-1"), kept_apart("two", "order-1"));
        assert_ne!(kept_apart("one", "order-1"), kept_apart("one", "order-2"));
        assert_eq!(kept_apart("one", "order-1").len(), 64);
        assert_eq!(kept_apart("", "order-1"), "order-1");
    }
}
