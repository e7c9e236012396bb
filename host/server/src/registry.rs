//! The open connections of a listener: limits in total and for each address, and eviction when a slot is needed.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use tokio::time::Instant;

use super::activity::{Activity, Order};
use super::address_key::AddressKey;
use super::proxies::TrustedProxies;
use super::upgrade::Upgrade;

/// One eviction frees this fraction (1/64) of the slots, because finding the idlest connections means scanning all.
const BATCH_SHARE: usize = 64;

/// Limits on the number of connections.
#[derive(Debug, Clone)]
pub(super) struct Capacity {
    /// In total.
    pub(super) connections: usize,
    /// In addition, for the operations endpoints only.
    pub(super) reserve: usize,
    /// From one address; by default half of all, and unlimited from loopback and from `proxies`.
    pub(super) per_address: Option<usize>,
    pub(super) proxies: TrustedProxies,
}

impl Capacity {
    fn of_address(&self, address: IpAddr) -> usize {
        match self.per_address {
            Some(most) => most,
            None if address.to_canonical().is_loopback() || self.proxies.has(address) => usize::MAX,
            None => (self.connections / 2).max(1),
        }
    }
}

/// Why a connection is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The total is reached, and no connection can be evicted.
    Full,
    /// The limit of the address is reached, and none of its connections can be evicted.
    Address,
}

/// The open connections.
#[derive(Debug)]
pub(super) struct Registry {
    capacity: Capacity,
    epoch: Instant,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    next: u64,
    connections: HashMap<u64, Arc<Activity>>,
    addresses: HashMap<AddressKey, usize>,
    /// How many of them occupy a slot of the reserve.
    reserved: usize,
}

impl Registry {
    pub(super) fn new(capacity: Capacity) -> Self {
        Self { capacity, epoch: Instant::now(), open: Mutex::default() }
    }

    /// Finds a slot for a new connection, if necessary by evicting the idlest ones.
    pub(super) fn enter(self: &Arc<Self>, address: IpAddr) -> Result<Place, Refusal> {
        let key = AddressKey::of(address);
        let mut open = self.lock();
        let known = open.addresses.get(&key).copied().unwrap_or(0);
        if known >= self.capacity.of_address(address) && open.evict(1, |one| one.address == key) == 0 {
            return Err(Refusal::Address);
        }
        let is_reserved = !self.make_room(&mut open);
        if is_reserved && open.reserved >= self.capacity.reserve && open.evict(1, Activity::is_reserved) == 0 {
            return Err(Refusal::Full);
        }
        let activity = Arc::new(Activity::new(key, self.epoch, is_reserved));
        let id = open.next;
        open.next += 1;
        open.connections.insert(id, Arc::clone(&activity));
        *open.addresses.entry(key).or_default() += 1;
        open.reserved += usize::from(is_reserved);
        Ok(Place { registry: Arc::clone(self), id, activity, upgrade: OnceLock::new() })
    }

    /// Whether an ordinary slot is free, if necessary after an eviction.
    fn make_room(&self, open: &mut Open) -> bool {
        let batch = (self.capacity.connections / BATCH_SHARE).max(1);
        open.connections.len() - open.reserved < self.capacity.connections
            || open.evict(batch, |one| !one.is_reserved()) > 0
    }

    /// Evicts connections to free descriptors when the system has none left.
    pub(super) fn relieve(&self) {
        let batch = (self.capacity.connections / BATCH_SHARE).max(1);
        self.lock().evict(batch, |_| true);
    }

    /// Gives all connections an order.
    pub(super) fn instruct_all(&self, order: Order) {
        self.lock().connections.values().for_each(|one| one.instruct(order));
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    /// Evicts up to `most` of the matching connections, idlest first, and returns how many. Their slots are free at
    /// once.
    fn evict(&mut self, most: usize, of: impl Fn(&Activity) -> bool) -> usize {
        let candidates = self.connections.iter().filter(|(_, one)| of(one));
        let mut ranked: Vec<_> = candidates.filter_map(|(id, one)| Some((one.rank()?, *id))).collect();
        if ranked.len() > most {
            ranked.select_nth_unstable(most);
            ranked.truncate(most);
        }
        for (_, id) in &ranked {
            if let Some(one) = self.remove(*id) {
                one.instruct(Order::Evict);
            }
        }
        ranked.len()
    }

    fn remove(&mut self, id: u64) -> Option<Arc<Activity>> {
        let activity = self.connections.remove(&id)?;
        self.reserved -= usize::from(activity.is_reserved());
        if let Some(count) = self.addresses.get_mut(&activity.address) {
            *count -= 1;
            if *count == 0 {
                self.addresses.remove(&activity.address);
            }
        }
        Some(activity)
    }
}

/// A connection's slot, released on drop.
#[derive(Debug)]
pub(super) struct Place {
    registry: Arc<Registry>,
    id: u64,
    pub(super) activity: Arc<Activity>,
    /// What goes on with the connection, if a request asked for that.
    pub(super) upgrade: OnceLock<Upgrade>,
}

impl Place {
    /// Whether the connection has an ordinary slot, or moves to one now.
    pub(super) fn is_ordinary(&self) -> bool {
        if !self.activity.is_reserved() {
            return true;
        }
        let mut open = self.registry.lock();
        // An evicted connection has no slot to exchange.
        if !open.connections.contains_key(&self.id) || !self.registry.make_room(&mut open) {
            return false;
        }
        open.reserved -= 1;
        self.activity.promote();
        true
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.registry.lock().remove(self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn registry(connections: usize, reserve: usize, per_address: Option<usize>) -> Arc<Registry> {
        Arc::new(Registry::new(Capacity { connections, reserve, per_address, proxies: TrustedProxies::default() }))
    }

    fn busy(place: &Place) -> super::super::activity::Exchange {
        place.activity.begin(http::Version::HTTP_11)
    }

    #[test]
    fn at_the_limit_the_idlest_goes_and_its_place_is_free_at_once() {
        let registry = registry(2, 0, None);
        let (first, second) = (registry.enter(HERE).unwrap(), registry.enter(HERE).unwrap());
        drop(busy(&first));
        let third = registry.enter(HERE).unwrap();
        assert_eq!((first.activity.order(), second.activity.order()), (Order::None, Order::Evict));
        drop(second);
        assert_eq!(registry.lock().connections.len(), 2, "its place is given back once");
        drop((first, third));
        assert!(registry.lock().connections.is_empty() && registry.lock().addresses.is_empty());
    }

    #[test]
    fn when_all_are_busy_the_reserve_is_used_and_then_nothing_is_left() {
        let registry = registry(1, 1, None);
        let first = registry.enter(HERE).unwrap();
        let exchange = busy(&first);
        let second = registry.enter(HERE).unwrap();
        assert!(second.activity.is_reserved() && !second.is_ordinary());
        let answering = busy(&second);
        assert_eq!(registry.enter(HERE).map(drop), Err(Refusal::Full));
        drop(answering);
        let third = registry.enter(HERE).unwrap();
        assert_eq!(second.activity.order(), Order::Evict, "the reserve is freed in the same way");
        drop((second, exchange, first));
        assert!(third.is_ordinary(), "an ordinary place has become free");
        assert_eq!(registry.lock().reserved, 0);
    }

    #[test]
    fn an_address_has_its_share_and_gives_up_its_own_idle_ones_first() {
        let registry = registry(8, 0, Some(2));
        let other = registry.enter([192, 0, 2, 9].into()).unwrap();
        let (first, second) = (registry.enter(HERE).unwrap(), registry.enter(HERE).unwrap());
        let (one, _two) = (busy(&first), busy(&second));
        assert_eq!(registry.enter(HERE).map(drop), Err(Refusal::Address));
        drop(one);
        let _third = registry.enter(HERE).unwrap();
        assert_eq!((first.activity.order(), other.activity.order()), (Order::Evict, Order::None));
    }

    #[test]
    fn a_network_of_ipv6_is_one_address() {
        let key = |text: &str| AddressKey::of(text.parse().unwrap());
        assert_eq!(key("2001:db8::1"), key("2001:db8::ffff:1"));
        assert_ne!(key("2001:db8::1"), key("2001:db8:0:1::1"));
        assert_eq!(key("::ffff:192.0.2.1"), key("192.0.2.1"));
        let proxies = TrustedProxies::new(&["198.51.100.0/24".parse().unwrap()]);
        let capacity = Capacity { connections: 10, reserve: 0, per_address: None, proxies };
        let most = |text: &str| capacity.of_address(text.parse().unwrap());
        assert_eq!(most("192.0.2.1"), 5);
        assert_eq!([most("::1"), most("::ffff:127.0.0.1"), most("198.51.100.7")], [usize::MAX; 3]);
    }
}
