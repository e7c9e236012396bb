//! Shares kept answers with other nodes, through the server of `[cache]`.

use std::sync::Arc;

use weir_cluster::{Address, AddressError, AnswerServer, AnswerServerSettings, Seal, ServerError};
use weir_config::CacheSettings;
use weir_gateway::gateway::Gateway;
use weir_upstream::HttpClientError;

/// Why kept answers cannot be shared as it is configured.
#[derive(Debug, thiserror::Error)]
pub enum ShareAnswersError {
    /// The address is not valid.
    #[error("`cache.url` {0}")]
    Address(#[from] AddressError),
    /// The login is wrong, or its user may not do what is needed.
    #[error(
        "`cache.url`: {0}; the user needs the commands mget, set, del, incr and pexpire, for semantic caches xadd and xrange, and all keys of the prefix"
    )]
    Server(ServerError),
    /// The server has only a part of the data.
    #[error("`cache.url`: {0}")]
    Cluster(ServerError),
    /// Encrypted connections cannot be set up.
    #[error("no TLS for `cache.url`: {0}")]
    Tls(#[from] HttpClientError),
}

/// Connects a gateway's kept answers with the server. One that is away now is tried again.
pub(crate) async fn share(settings: &CacheSettings, gateway: &Gateway) -> Result<(), ShareAnswersError> {
    let settings = AnswerServerSettings {
        address: Address::parse(settings.url.expose())?,
        tls: Arc::new(weir_upstream::tls_config().map_err(HttpClientError::from)?),
        prefix: settings.prefix.clone(),
        wait: settings.wait,
        seal: Seal::new(settings.secret.expose()),
    };
    let answers = gateway.answers();
    let registry = gateway.metrics().registry();
    let opened = AnswerServer::open(settings, answers.kept(), answers.all_questions(), registry).await;
    let server = opened.map_err(|error| match error {
        ServerError::Cluster => ShareAnswersError::Cluster(error),
        error => ShareAnswersError::Server(error),
    })?;
    answers.share(Arc::new(server));
    Ok(())
}
