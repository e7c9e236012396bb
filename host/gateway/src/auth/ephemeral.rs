//! Ephemeral keys: seals and reads them, with the operator's sealing key or with one of this process.

use std::net::IpAddr;

use jiff::Timestamp;

use super::{Caller, CallerDenied, StoredKeys, presented};
use weir_config::Config;
use weir_identity::ephemeral::{EphemeralKey, EphemeralKeys, PREFIX, SEALING_KEY_BYTES};
use weir_translate::dialect::endpoints::{Endpoint, Head};

/// The sealing key of this process, where the operator sets none; `None` if there are no random numbers.
#[derive(Debug)]
pub(crate) struct OwnSeal(Option<EphemeralKeys>);

impl OwnSeal {
    pub(crate) fn new() -> Self {
        let mut key = [0; SEALING_KEY_BYTES];
        Self(getrandom::fill(&mut key).ok().and_then(|()| EphemeralKeys::new(&key)))
    }

    /// Seals an ephemeral key; `None` if that cannot be done here.
    pub(crate) fn seal(&self, config: &Config, key: &EphemeralKey) -> Option<weir_config::Secret> {
        match &config.realtime.sealing_key {
            Some(text) => EphemeralKeys::from_text(text)?.seal(key).ok(),
            None => self.0.as_ref()?.seal(key).ok(),
        }
    }

    /// The ephemeral key of a handshake and the caller that it stands for; `None` if it shows none.
    ///
    /// # Errors
    ///
    /// It is not valid, or the key that it stands for no longer is.
    pub(crate) fn caller(
        &self,
        config: &Config,
        stored: &StoredKeys,
        endpoint: &Endpoint,
        head: &Head<'_>,
        address: Option<IpAddr>,
    ) -> Option<Result<(Caller, EphemeralKey), CallerDenied>> {
        let keys = presented(config, endpoint, head);
        let text = keys.into_iter().find(|key| key.starts_with(PREFIX))?;
        let now = Timestamp::now();
        let opened = match (&config.realtime.sealing_key, &self.0) {
            (Some(shared), _) => EphemeralKeys::from_text(shared).map(|keys| keys.open(&text, now)),
            (None, own) => own.as_ref().map(|keys| keys.open(&text, now)),
        };
        Some(match opened? {
            Ok(key) => Caller::of_hash(config, stored, &key.stands_for, address).map(|caller| (caller, key)),
            Err(error) => Err(CallerDenied::Ephemeral(error)),
        })
    }
}
