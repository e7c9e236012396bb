//! The provider's discovery document and keys, kept for a while.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::{LoginError, MAX_ANSWER_BYTES};
use weir_config::AdminLogin;
use weir_identity::jwt::{KeySet, KeySetError};
use weir_identity::oidc::{Discovery, DiscoveryError, discovery_address};
use weir_upstream::{DocumentClient, DocumentError};

/// How long they are used.
const FRESH: Duration = Duration::from_mins(10);
/// The shortest time between two fetches because a signature does not fit, which any browser's answer could cause.
const MIN_FETCH_INTERVAL: Duration = Duration::from_mins(1);
/// How long a provider that could not be used is left alone.
const REST: Duration = Duration::from_secs(5);

/// The documents of one provider.
#[derive(Debug)]
pub(super) struct ProviderDocuments {
    issuer: String,
    since: Instant,
    pub(super) discovery: Discovery,
    pub(super) keys: KeySet,
}

/// What was fetched last. It is fetched once for all logins that wait for it.
#[derive(Debug, Default)]
pub(super) struct Documents {
    last: Mutex<Last>,
    fetching: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Last {
    known: Option<Arc<ProviderDocuments>>,
    failed: Option<Failed>,
}

/// Why an issuer's documents cannot be fetched.
#[derive(Debug, thiserror::Error)]
enum NoDocuments {
    /// They do not come.
    #[error(transparent)]
    Fetch(#[from] DocumentError),
    /// The first describes no provider, or another one.
    #[error(transparent)]
    Discovery(#[from] DiscoveryError),
    /// The second has no keys.
    #[error(transparent)]
    Keys(#[from] KeySetError),
}

/// When an issuer's documents could last not be fetched, and why.
#[derive(Debug)]
struct Failed {
    issuer: String,
    since: Instant,
    reason: String,
}

impl Documents {
    /// The documents of this login's provider.
    pub(super) async fn get(
        &self,
        client: &DocumentClient,
        login: &AdminLogin,
    ) -> Result<Arc<ProviderDocuments>, LoginError> {
        if let Some(known) = self.fresh(login) {
            return Ok(known);
        }
        let _turn = self.fetching.lock().await;
        match self.fresh(login) {
            Some(known) => Ok(known),
            None => self.fetch(client, login).await,
        }
    }

    /// Newer documents than these, unless they are new.
    pub(super) async fn newer(
        &self,
        client: &DocumentClient,
        login: &AdminLogin,
        known: &Arc<ProviderDocuments>,
    ) -> Result<Arc<ProviderDocuments>, LoginError> {
        if known.since.elapsed() < MIN_FETCH_INTERVAL {
            return Ok(Arc::clone(known));
        }
        let _turn = self.fetching.lock().await;
        match self.fresh(login).filter(|now| now.since > known.since) {
            Some(newer) => Ok(newer),
            None => self.fetch(client, login).await,
        }
    }

    fn fresh(&self, login: &AdminLogin) -> Option<Arc<ProviderDocuments>> {
        let is_fresh = |known: &&Arc<ProviderDocuments>| known.issuer == login.issuer && known.since.elapsed() < FRESH;
        self.last().known.as_ref().filter(is_fresh).cloned()
    }

    /// Fetches the documents, unless that has just failed. One at a time.
    async fn fetch(&self, client: &DocumentClient, login: &AdminLogin) -> Result<Arc<ProviderDocuments>, LoginError> {
        let is_recent = |failed: &&Failed| failed.issuer == login.issuer && failed.since.elapsed() < REST;
        if let Some(failed) = self.last().failed.as_ref().filter(is_recent) {
            return Err(LoginError::Provider(failed.reason.clone()));
        }
        let fetched = fetched(client, login).await;
        let mut last = self.last();
        match fetched {
            Ok(known) => {
                let known = Arc::new(known);
                *last = Last { known: Some(Arc::clone(&known)), failed: None };
                Ok(known)
            }
            Err(error) => {
                let reason = error.to_string();
                let (issuer, since) = (login.issuer.clone(), Instant::now());
                last.failed = Some(Failed { issuer, since, reason: reason.clone() });
                Err(LoginError::Provider(reason))
            }
        }
    }

    fn last(&self) -> MutexGuard<'_, Last> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn fetched(client: &DocumentClient, login: &AdminLogin) -> Result<ProviderDocuments, NoDocuments> {
    let since = Instant::now();
    let text = client.get(&discovery_address(&login.issuer), MAX_ANSWER_BYTES).await?;
    let discovery = Discovery::parse(&text, &login.issuer, login.allow_http)?;
    let keys = KeySet::parse(&client.get(&discovery.jwks_uri, MAX_ANSWER_BYTES).await?)?;
    Ok(ProviderDocuments { issuer: login.issuer.clone(), since, discovery, keys })
}
