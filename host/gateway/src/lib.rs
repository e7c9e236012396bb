//! The path of a request: endpoints, authentication, admission, routing, attempts, accounting.
//!
//! | module | does |
//! |---|---|
//! | [`gateway`] | the steps of a request in order |
//! | [`probes`] | checks the health of providers at intervals |
//! | [`bookings`] | reads stored answers that no client has read, to book them |
//! | [`dry_run`] | dry runs: the upstream request, or the routing, without sending |
//! | [`model_list`] | lists of models |
//! | [`serving`] | what requests are served from, derived from configuration and adapters |
//! | [`attempt`] | carries out a plan: relay or translate |
//! | [`realtime`] | sessions over WebSockets |
//! | [`route`] | plans the targets of a model |
//! | [`accounting`] | usage, time and outcome, recorded exactly once |
//! | [`admission`] | admission: rights, rate limits, concurrency limits |
//! | [`answer_cache`] | answers that are kept for equal requests |
//! | [`auth`] | identifies the caller |
//! | [`guard`] | components that judge requests |
//! | [`dialect`] | peeks at requests, and renders rate limits in a format's spelling |
//! | [`accept`] | the requests that a target's provider accepts unchanged |
//! | [`health`] | the health of targets and keys |
//! | [`passthrough`] | requests to a provider's own endpoints |
//! | [`pricing`] | what an attempt costs |
//! | [`model_catalog`] | prices and abilities of models, from the bundled file |
//! | [`observe`] | metrics, traces and the log |
//! | [`rate_limit`] | rate limits and stream limits |
//! | [`sharing`] | how this node stands to others that share its limits and budgets |
//! | [`admission::concurrency`] | concurrency limits with queues |
//! | [`earlier_items`] | items of answers that clients name later, kept as they were written |
//! | [`reasoning_cache`] | signed reasoning that a client's format cannot carry, kept until its next turn |
//! | [`provenance`] | the issuers of opaque values and objects that requests carry |
//! | `method`, `json_size` | methods as servers read them; the length of a value as JSON |

pub mod accept;
pub mod accounting;
pub mod admission;
pub mod answer_cache;
pub mod attempt;
pub mod auth;
pub mod bookings;
pub mod dialect;
pub mod dry_run;
pub mod earlier_items;
pub mod gateway;
pub mod guard;
pub mod health;
mod json_size;
mod method;
pub mod model_catalog;
pub mod model_list;
pub mod observe;
pub mod passthrough;
pub mod pricing;
pub mod probes;
pub mod provenance;
pub mod rate_limit;
mod realtime;
pub mod reasoning_cache;
pub mod route;
pub mod serving;
pub mod sharing;
