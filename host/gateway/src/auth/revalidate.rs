//! Checks a caller again, for what lasts longer than a request: whether its key is still valid, and which rights it has
//! now.

use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;

use super::{Caller, CallerDenied, StoredKeys};
use weir_config::{Config, KeyHash};

impl Caller {
    /// The caller whose key has this hash.
    ///
    /// # Errors
    ///
    /// No key has this hash, or the key is not valid.
    pub(super) fn of_hash(
        config: &Config,
        stored: &StoredKeys,
        hash: &KeyHash,
        address: Option<IpAddr>,
    ) -> Result<Self, CallerDenied> {
        if let Some(client) = config.clients.find_by_hash(hash) {
            let (tenant, client) = (Arc::clone(&client.name), Some(Arc::clone(client)));
            return Ok(Self { tenant, client, stored: None, shown: Some(*hash), address });
        }
        Ok(Self::stored(stored.of_hash(hash)?, Some(*hash), address))
    }

    /// The caller as it stands now, and until when what it has shown is valid, if nothing changes.
    ///
    /// # Errors
    ///
    /// What it has shown is no longer valid, or is needed by now and was not shown.
    pub(crate) fn revalidate(
        &self,
        config: &Config,
        stored: &StoredKeys,
    ) -> Result<(Self, Option<Timestamp>), CallerDenied> {
        if let Some(own) = &self.client {
            let now = self.shown.as_ref().and_then(|shown| config.clients.find_by_hash(shown));
            let client = now.filter(|client| client.name == own.name).ok_or(CallerDenied::WrongKey)?;
            return Ok((Self { client: Some(Arc::clone(client)), ..self.clone() }, None));
        }
        if let Some(own) = &self.stored {
            let (caller, until) = stored.revalidate(own, self.shown.as_ref())?;
            return Ok((Self::stored(caller, self.shown, self.address), until));
        }
        let is_open = config.server.anonymous || config.clients.is_empty() && !stored.is_keyed();
        if is_open { Ok((self.clone(), None)) } else { Err(CallerDenied::NoKey) }
    }
}
