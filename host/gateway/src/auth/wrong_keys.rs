//! Counts wrong keys and tokens by address, and answers with 429 after too many. A right key is served nevertheless,
//! so that one client's mistake does not block others behind its address.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::rate_limit;
use crate::rate_limit::{Key, LimitStore as _, Memory, Rate, Resource, Scope, Take};
use weir_types::contract::types::ErrorKind;
use weir_types::fault::{Fault, Side};

/// The number of wrong keys that an address may send per minute.
const A_MINUTE: u64 = 10;

/// The counts, bounded like those of limits.
#[derive(Debug, Default)]
pub struct WrongKeys(Memory);

impl WrongKeys {
    /// Counts a wrong key.
    ///
    /// # Errors
    ///
    /// The time until the address may try again, if it sent too many.
    pub async fn count(&self, address: Option<IpAddr>, now: Instant) -> Result<(), Duration> {
        let Some(key) = address.map(key_of) else { return Ok(()) };
        let taken = self.0.reserve(&[Take { key, rate: Rate::a_minute(A_MINUTE), amount: 1.0 }], now).await;
        taken.map(drop).map_err(|short| short.wait)
    }

    /// Takes back what was counted of an address before it was known whether the key is wrong.
    pub fn take_back(&self, address: Option<IpAddr>, now: Instant) {
        if let Some(address) = address {
            self.0.settle(&key_of(address), Rate::a_minute(A_MINUTE), 1.0, now);
        }
    }

    /// The fault for a wrong key: the given one, or the one for too many.
    pub async fn judge(&self, fault: Fault, address: Option<IpAddr>) -> Fault {
        match self.count(address, Instant::now()).await {
            Ok(()) => fault,
            Err(wait) => {
                let message = "too many wrong API keys from this address: use a right one, or try again later";
                let fault = Fault::new(Side::Client, ErrorKind::RateLimited, message);
                fault.with_status(429).with_code("too_many_wrong_keys").with_retry_after(wait)
            }
        }
    }
}

fn key_of(address: IpAddr) -> Key {
    Key { scope: Scope::Address, name: rate_limit::address_name(address), resource: Resource::Requests }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn wrong_keys_are_slowed_by_address_and_forgiven_in_time() {
        let (wrong, now) = (WrongKeys::default(), Instant::now());
        let (here, there): (IpAddr, IpAddr) = ([192, 0, 2, 1].into(), [192, 0, 2, 2].into());
        for _ in 0..A_MINUTE {
            assert_eq!(wrong.count(Some(here), now).await, Ok(()));
        }
        let wait = wrong.count(Some(here), now).await.unwrap_err();
        assert!(wait > Duration::from_secs(5) && wait <= Duration::from_secs(6), "{wait:?}");
        assert_eq!(wrong.count(Some(there), now).await, Ok(()));
        wrong.take_back(Some(here), now);
        assert_eq!(wrong.count(Some(here), now).await, Ok(()), "one was no wrong key");
        assert_eq!(wrong.count(Some(here), now + wait).await, Ok(()));
    }
}
