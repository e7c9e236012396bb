//! The provider's discovery document and keys, kept for a while.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::{LARGEST, LoginError, failed};
use weir_config::AdminLogin;
use weir_identity::jwt::KeySet;
use weir_identity::oidc::{Discovery, discovery_address};
use weir_upstream::DocumentClient;

/// How long they are used.
const FRESH: Duration = Duration::from_mins(10);
/// The shortest time between two fetches because a signature does not fit, which any browser's answer could cause.
const LEAST: Duration = Duration::from_mins(1);

/// The documents of one provider.
#[derive(Debug)]
pub(super) struct Known {
    issuer: String,
    since: Instant,
    pub(super) discovery: Discovery,
    pub(super) keys: KeySet,
}

/// What was fetched last.
#[derive(Debug, Default)]
pub(super) struct Documents(Mutex<Option<Arc<Known>>>);

impl Documents {
    /// The documents of this login's provider.
    pub(super) async fn get(&self, client: &DocumentClient, login: &AdminLogin) -> Result<Arc<Known>, LoginError> {
        let is_fresh = |known: &&Arc<Known>| known.issuer == login.issuer && known.since.elapsed() < FRESH;
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).as_ref().filter(is_fresh).cloned();
        match known {
            Some(known) => Ok(known),
            None => self.fetch(client, login).await,
        }
    }

    /// Newer documents than these, unless they are new.
    pub(super) async fn newer(
        &self,
        client: &DocumentClient,
        login: &AdminLogin,
        known: &Arc<Known>,
    ) -> Result<Arc<Known>, LoginError> {
        if known.since.elapsed() < LEAST { Ok(Arc::clone(known)) } else { self.fetch(client, login).await }
    }

    async fn fetch(&self, client: &DocumentClient, login: &AdminLogin) -> Result<Arc<Known>, LoginError> {
        let since = Instant::now();
        let text = client.get(&discovery_address(&login.issuer), LARGEST).await.map_err(|error| failed(&error))?;
        let discovery = Discovery::parse(&text, &login.issuer, login.allow_http);
        let discovery = discovery.map_err(|error| LoginError::Provider(error.to_string()))?;
        let keys = client.get(&discovery.jwks_uri, LARGEST).await.map_err(|error| failed(&error))?;
        let keys = KeySet::parse(&keys).map_err(|error| LoginError::Provider(error.to_string()))?;
        let known = Arc::new(Known { issuer: login.issuer.clone(), since, discovery, keys });
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&known));
        Ok(known)
    }
}
