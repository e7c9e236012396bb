//! Rate limits: buckets of requests, tokens and streams, for clients, models, providers and addresses.
//!
//! Tokens are reserved by estimate before a request continues, and settled by its usage afterwards, so that
//! concurrent requests cannot exceed a limit together. A [`LimitStore`] keeps the levels: here, in memory.

mod bucket;
mod in_use;
mod memory;
mod shared;

use std::fmt::Debug;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::Extensions;

pub use bucket::Rate;
pub use in_use::InUse;
pub use memory::Memory;
pub use shared::BucketReport;
pub(crate) use shared::Shared;

use weir_config::Limits;
use weir_server::Peer;

/// The kind of owner of a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// A client of the configuration.
    Client,
    /// A key of the store.
    Key,
    /// A team of keys.
    Team,
    /// An organisation of teams.
    Organisation,
    /// A model, by its alias.
    Model,
    /// Requests to one provider.
    Provider,
    /// An address, or an IPv6 network.
    Address,
}

impl Scope {
    /// The scope's name in metrics and messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Key => "key",
            Self::Team => "team",
            Self::Organisation => "organisation",
            Self::Model => "model",
            Self::Provider => "provider",
            Self::Address => "address",
        }
    }
}

/// The limited resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Resource {
    /// Requests per minute.
    Requests,
    /// Input and output tokens per minute.
    Tokens,
    /// Input tokens per minute.
    Input,
    /// Output tokens per minute.
    Output,
    /// Concurrent streams.
    Streams,
}

impl Resource {
    /// The resource's name in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Tokens => "tokens",
            Self::Input => "input_tokens",
            Self::Output => "output_tokens",
            Self::Streams => "streams",
        }
    }

    /// The resource's name in messages.
    fn unit(self) -> &'static str {
        match self {
            Self::Requests => "requests a minute",
            Self::Tokens => "tokens a minute",
            Self::Input => "input tokens a minute",
            Self::Output => "output tokens a minute",
            Self::Streams => "streams at the same time",
        }
    }
}

/// The key of a bucket.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key {
    /// The kind of owner.
    pub scope: Scope,
    /// The owner's name or id, or an address.
    pub name: Arc<str>,
    /// The limited resource.
    pub resource: Resource,
}

/// An amount to take from a bucket.
#[derive(Debug, Clone, PartialEq)]
pub struct Take {
    /// The bucket.
    pub key: Key,
    /// The bucket's size and fill rate.
    pub rate: Rate,
    /// How much to take, in the bucket's unit.
    pub amount: f64,
}

/// The level of a bucket.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Level {
    /// The amount left; negative if more was used than reserved.
    pub remaining: f64,
    /// Time until the bucket is full.
    pub full_in: Duration,
}

/// A bucket does not hold the amount to take.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Short {
    /// The index of the take that failed.
    pub at: usize,
    /// Time until the bucket holds the amount, if nothing else is taken.
    pub wait: Duration,
}

/// A store of buckets.
pub trait LimitStore: Debug + Send + Sync {
    /// Takes all amounts, or none of them. Returns the level of each bucket afterwards.
    fn reserve<'a>(
        &'a self,
        takes: &'a [Take],
        now: Instant,
    ) -> Pin<Box<dyn Future<Output = Result<Vec<Level>, Short>> + Send + 'a>>;

    /// Returns an amount to a bucket, or takes more if it is negative, whatever is left. Does not wait.
    fn settle(&self, key: &Key, rate: Rate, amount: f64, now: Instant);

    /// The buckets of which something is used. There may be many: nothing on a request's path asks for them.
    fn in_use(&self, now: Instant) -> Vec<InUse>;
}

/// The expected use of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Estimate {
    /// Input tokens.
    pub input: u64,
    /// Output tokens.
    pub output: u64,
    /// Whether the request asks for a stream.
    pub stream: bool,
}

impl Estimate {
    /// The estimate of a request of which nothing is known.
    pub const NONE: Self = Self { input: 0, output: 0, stream: false };
}

/// The amounts that a request takes under the limits of one scope. No amount exceeds the size of its bucket, since
/// such a request could never be served.
pub fn takes(scope: Scope, name: &Arc<str>, limits: &Limits, estimate: Estimate) -> Vec<Take> {
    let Estimate { input, output, stream } = estimate;
    let of = |resource, limit: Option<u64>, amount: u64| {
        let limit = limit.filter(|_| amount > 0)?;
        let rate = if resource == Resource::Streams { Rate::at_once(limit) } else { Rate::a_minute(limit) };
        let key = Key { scope, name: Arc::clone(name), resource };
        Some(Take { key, rate, amount: (amount.min(limit)) as f64 })
    };
    let all = [
        of(Resource::Requests, limits.requests, 1),
        of(Resource::Streams, limits.streams, u64::from(stream)),
        of(Resource::Tokens, limits.tokens, input.saturating_add(output)),
        of(Resource::Input, limits.input_tokens, input),
        of(Resource::Output, limits.output_tokens, output),
    ];
    let mut takes = Vec::with_capacity(all.len());
    takes.extend(all.into_iter().flatten());
    takes
}

/// The address of a request's client as such a name; empty if it has none.
pub fn address_of(extensions: &Extensions) -> Arc<str> {
    extensions.get::<Peer>().map_or_else(|| Arc::from(""), |peer| address_name(peer.address))
}

/// An address as a bucket's name: an IPv6 address counts as its /64, of which a single host may use every address.
pub(crate) fn address_name(ip: IpAddr) -> Arc<str> {
    match ip.to_canonical() {
        IpAddr::V4(ip) => Arc::from(ip.to_string()),
        IpAddr::V6(ip) => {
            let [a, b, c, d, ..] = ip.segments();
            Arc::from(format!("{a:x}:{b:x}:{c:x}:{d:x}::/64"))
        }
    }
}

/// The state of a limit, for the client's headers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LimitStatus {
    /// The limited resource.
    pub resource: Resource,
    /// How much is allowed.
    pub limit: u64,
    /// The amount left.
    pub remaining: u64,
    /// Time until the whole limit is available again.
    pub reset: Duration,
}

/// The amounts reserved for a request. If it is dropped unsettled, tokens are returned unless a provider is working
/// on the request.
#[derive(Debug)]
pub struct Reservation {
    store: Arc<dyn LimitStore>,
    takes: Vec<Take>,
    levels: Vec<Level>,
    is_out: bool,
}

/// A limit that is used up.
#[derive(Debug, Clone, PartialEq)]
pub struct Exhausted {
    /// The limit's bucket.
    pub key: Key,
    /// How much is allowed.
    pub limit: u64,
    /// Time until the request could be admitted.
    pub wait: Duration,
}

impl Exhausted {
    /// The error message for the client.
    pub fn message(&self) -> String {
        let Key { scope, name, resource } = &self.key;
        let whose = match scope {
            Scope::Address => "this address".to_owned(),
            scope => format!("the {} `{name}`", scope.as_str()),
        };
        format!("the limit of {} {} for {whose} is used up", self.limit, resource.unit())
    }

    /// The state of the limit, for the client's headers.
    pub fn status(&self) -> LimitStatus {
        LimitStatus { resource: self.key.resource, limit: self.limit, remaining: 0, reset: self.wait }
    }
}

impl Reservation {
    /// Reserves all amounts, or none of them.
    pub async fn make(store: &Arc<dyn LimitStore>, takes: Vec<Take>, now: Instant) -> Result<Self, Exhausted> {
        let reserved = if takes.is_empty() { Ok(Vec::new()) } else { store.reserve(&takes, now).await };
        match reserved {
            Ok(levels) => Ok(Self { store: Arc::clone(store), takes, levels, is_out: false }),
            Err(short) => {
                let take = takes.get(short.at).or(takes.first());
                let (key, limit) = take.map_or_else(
                    || (Key { scope: Scope::Client, name: Arc::from(""), resource: Resource::Requests }, 0),
                    |take| (take.key.clone(), take.rate.limit()),
                );
                Err(Exhausted { key, limit, wait: short.wait })
            }
        }
    }

    /// Takes all amounts, whatever is left: a provider works on the request already.
    pub(crate) fn owed(store: &Arc<dyn LimitStore>, takes: Vec<Take>, now: Instant) -> Self {
        for take in &takes {
            store.settle(&take.key, take.rate, -take.amount, now);
        }
        Self { store: Arc::clone(store), takes, levels: Vec::new(), is_out: true }
    }

    /// Settles by the used input and output tokens. `None` keeps the estimate.
    pub fn used(&mut self, tokens: Option<(u64, u64)>, now: Instant) {
        for take in std::mem::take(&mut self.takes) {
            let used = tokens.map(|(input, output)| match take.key.resource {
                Resource::Input => input as f64,
                Resource::Output => output as f64,
                Resource::Tokens => input.saturating_add(output) as f64,
                Resource::Requests | Resource::Streams => take.amount,
            });
            let back = match take.key.resource {
                Resource::Streams => take.amount,
                _ => take.amount - used.unwrap_or(take.amount),
            };
            self.give(&take, back, now);
        }
    }

    /// Takes input tokens that were not foreseen, whatever is left.
    pub(crate) fn raise(&self, input: u64, now: Instant) {
        let counts = |take: &&Take| matches!(take.key.resource, Resource::Input | Resource::Tokens);
        self.takes.iter().filter(counts).for_each(|take| self.give(take, -(input as f64), now));
    }

    /// Returns all amounts, as if the request had never been made.
    pub(crate) fn void(mut self) {
        let now = Instant::now();
        for take in std::mem::take(&mut self.takes) {
            self.give(&take, take.amount, now);
        }
    }

    /// Sets whether a provider is working on the request, so that dropping the reservation keeps its tokens.
    pub(crate) fn set_out(&mut self, is_out: bool) {
        self.is_out = is_out;
    }

    /// Whether a token limit applies.
    pub fn counts_tokens(&self) -> bool {
        self.takes.iter().any(|take| matches!(take.key.resource, Resource::Tokens | Resource::Input | Resource::Output))
    }

    /// The state of this scope's limits after the reservation.
    pub fn limits(&self, scope: Scope) -> Vec<LimitStatus> {
        let of_scope = self.takes.iter().zip(&self.levels).filter(|(take, _)| take.key.scope == scope);
        let limits = of_scope.map(|(take, level)| LimitStatus {
            resource: take.key.resource,
            limit: take.rate.limit(),
            remaining: level.remaining.max(0.0) as u64,
            reset: level.full_in,
        });
        limits.collect()
    }

    fn give(&self, take: &Take, amount: f64, now: Instant) {
        if amount != 0.0 {
            self.store.settle(&take.key, take.rate, amount, now);
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let now = Instant::now();
        for take in std::mem::take(&mut self.takes) {
            // The request itself stays counted.
            let stays = match take.key.resource {
                Resource::Requests => true,
                Resource::Streams => false,
                Resource::Tokens | Resource::Input | Resource::Output => self.is_out,
            };
            if !stays {
                self.give(&take, take.amount, now);
            }
        }
    }
}

#[cfg(test)]
mod tests;
