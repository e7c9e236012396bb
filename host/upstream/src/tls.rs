//! TLS as every connection of Weir's begins it: rustls, on one set of roots.

use std::sync::{Arc, OnceLock};

use hyper_rustls::ConfigBuilderExt;
use rustls::ClientConfig;
use rustls::crypto::ring;

/// Read once: it takes longer than all the rest of a start.
static CONFIG: OnceLock<ClientConfig> = OnceLock::new();

/// The configuration of a TLS client, without ALPN. Clones share the roots and the sessions.
///
/// The roots are the system's, so that a private authority works as the administrator expects; Mozilla's where there
/// are none, as in an empty container.
pub fn config() -> Result<ClientConfig, rustls::Error> {
    if let Some(config) = CONFIG.get() {
        return Ok(config.clone());
    }
    let config = read()?;
    Ok(CONFIG.get_or_init(|| config).clone())
}

fn read() -> Result<ClientConfig, rustls::Error> {
    let builder = || {
        ClientConfig::builder_with_provider(Arc::new(ring::default_provider())).with_safe_default_protocol_versions()
    };
    match builder()?.with_native_roots() {
        Ok(config) => Ok(config.with_no_client_auth()),
        Err(error) => {
            tracing::warn!(%error, "no system certificates; using the built-in ones");
            Ok(builder()?.with_webpki_roots().with_no_client_auth())
        }
    }
}
