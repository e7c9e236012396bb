//! How much may be had in a minute, and at once: buckets of requests, tokens and streams, for clients, models, providers
//! and addresses.
//!
//! Tokens are reserved by estimate before a request goes on and settled by what it used, so that many requests at once
//! cannot overshoot together. Where the levels are kept is a [`Store`]'s matter: in memory here.

mod bucket;
mod memory;

use std::fmt::Debug;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use bucket::Rate;
pub use memory::Memory;

use weir_config::Limits;

/// Whose limit it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// A client's.
    Client,
    /// A model's, by its alias.
    Model,
    /// A provider's.
    Provider,
    /// An address's.
    Address,
}

impl Scope {
    /// As it stands in metrics and messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Model => "model",
            Self::Provider => "provider",
            Self::Address => "address",
        }
    }
}

/// What is limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Resource {
    /// Requests a minute.
    Requests,
    /// Tokens a minute, input and output together.
    Tokens,
    /// Input tokens a minute.
    Input,
    /// Output tokens a minute.
    Output,
    /// Streams at the same time.
    Streams,
}

impl Resource {
    /// As it stands in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Tokens => "tokens",
            Self::Input => "input_tokens",
            Self::Output => "output_tokens",
            Self::Streams => "streams",
        }
    }

    /// For messages.
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

/// Names a bucket.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key {
    /// Whose.
    pub scope: Scope,
    /// Its name: a client's, a model's, a provider's, an address.
    pub name: Arc<str>,
    /// Of what.
    pub resource: Resource,
}

/// An amount that is to be taken out of a bucket.
#[derive(Debug, Clone, PartialEq)]
pub struct Take {
    /// Which bucket.
    pub key: Key,
    /// How large it is and how fast it fills.
    pub rate: Rate,
    /// How much.
    pub amount: f64,
}

/// How a bucket stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Level {
    /// What is left; below nothing where more was used than had been reserved.
    pub remaining: f64,
    /// Until it is full again.
    pub full_in: Duration,
}

/// A bucket does not hold what was asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Short {
    /// Which of the takes.
    pub at: usize,
    /// Until it will hold it, as things stand.
    pub wait: Duration,
}

/// Where levels are kept.
pub trait Store: Debug + Send + Sync {
    /// Takes all amounts, or none of them. Answers how each bucket stands afterwards.
    fn reserve<'a>(
        &'a self,
        takes: &'a [Take],
        now: Instant,
    ) -> Pin<Box<dyn Future<Output = Result<Vec<Level>, Short>> + Send + 'a>>;

    /// Gives an amount back to a bucket, or takes a further one (below nothing) whatever is left. Does not wait.
    fn settle(&self, key: &Key, rate: Rate, amount: f64, now: Instant);
}

/// What a request is expected to use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Estimate {
    /// Input tokens.
    pub input: u64,
    /// Output tokens.
    pub output: u64,
    /// Whether it asks for a stream.
    pub stream: bool,
}

impl Estimate {
    /// Of a request of which nothing is known.
    pub const NONE: Self = Self { input: 0, output: 0, stream: false };
}

/// What the limits of one scope take for such a request. A single request never takes more than a bucket holds: it
/// could never be served.
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
    all.into_iter().flatten().collect()
}

/// An address as it is limited: a whole /64 of version 6, of which anybody has as many addresses as they like.
pub fn address_name(ip: IpAddr) -> Arc<str> {
    match ip.to_canonical() {
        IpAddr::V4(ip) => Arc::from(ip.to_string()),
        IpAddr::V6(ip) => {
            let [a, b, c, d, ..] = ip.segments();
            Arc::from(format!("{a:x}:{b:x}:{c:x}:{d:x}::/64"))
        }
    }
}

/// A limit as the client is told of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Told {
    /// What is limited.
    pub resource: Resource,
    /// The limit.
    pub limit: u64,
    /// What is left.
    pub remaining: u64,
    /// Until all of it is there again.
    pub reset: Duration,
}

/// What was reserved for a request. What is not settled when it is dropped goes back as if nothing had been used, unless
/// the request is with a provider.
#[derive(Debug)]
pub struct Reservation {
    store: Arc<dyn Store>,
    takes: Vec<Take>,
    levels: Vec<Level>,
    is_out: bool,
}

/// A limit is used up.
#[derive(Debug, Clone, PartialEq)]
pub struct Exhausted {
    /// Which one.
    pub key: Key,
    /// The limit.
    pub limit: u64,
    /// When to try again.
    pub wait: Duration,
}

impl Exhausted {
    /// For the client.
    pub fn message(&self) -> String {
        let Key { scope, name, resource } = &self.key;
        let whose = match scope {
            Scope::Address => "this address".to_owned(),
            scope => format!("the {} `{name}`", scope.as_str()),
        };
        format!("the limit of {} {} for {whose} is used up", self.limit, resource.unit())
    }

    /// As the client is told of it.
    pub fn told(&self) -> Told {
        Told { resource: self.key.resource, limit: self.limit, remaining: 0, reset: self.wait }
    }
}

impl Reservation {
    /// Reserves all of it or nothing.
    pub async fn make(store: &Arc<dyn Store>, takes: Vec<Take>, now: Instant) -> Result<Self, Exhausted> {
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

    /// Settles by what was used: input and output tokens. Where neither is known, the estimate stands.
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

    /// Gives everything back, as if there had been no request.
    pub fn void(mut self) {
        let now = Instant::now();
        for take in std::mem::take(&mut self.takes) {
            self.give(&take, take.amount, now);
        }
    }

    /// Whether the request is with a provider, so that the reservation stays if nothing more is heard of it.
    pub fn is_out(&mut self, is_out: bool) {
        self.is_out = is_out;
    }

    /// Whether tokens are limited.
    pub fn counts_tokens(&self) -> bool {
        self.takes.iter().any(|take| matches!(take.key.resource, Resource::Tokens | Resource::Input | Resource::Output))
    }

    /// How this scope's limits stand after the reservation.
    pub fn told(&self, scope: Scope) -> Vec<Told> {
        let of_scope = self.takes.iter().zip(&self.levels).filter(|(take, _)| take.key.scope == scope);
        let told = of_scope.map(|(take, level)| Told {
            resource: take.key.resource,
            limit: take.rate.limit(),
            remaining: level.remaining.max(0.0) as u64,
            reset: level.full_in,
        });
        told.collect()
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
            // The request was made all the same.
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
