//! The path of a request: endpoints, authentication, admission, routing, attempts, accounting.
//!
//! | module | does |
//! |---|---|
//! | [`gateway`] | the steps of a request in order |
//! | [`checks`] | checks the health of providers at intervals |
//! | [`explain`] | dry runs: the upstream request, or the routing, without sending |
//! | [`models`] | lists of models |
//! | [`serving`] | what requests are served from, derived from configuration and adapters |
//! | [`attempt`] | carries out a plan: relay or translate |
//! | [`route`] | plans the targets of a model |
//! | [`account`] | usage, time and outcome, recorded exactly once |
//! | [`admit`] | admission: rights, rate limits, concurrency limits |
//! | [`identify`] | identifies the caller |
//! | [`dialect`] | peeks at requests, and renders rate limits in a format's spelling |
//! | [`accept`] | the requests that a target's provider accepts unchanged |
//! | [`health`] | the health of targets and keys |
//! | [`facts`] | prices and abilities of models, from the bundled file |
//! | [`observe`] | metrics, traces and the log |
//! | [`limit`] | rate limits and stream limits |
//! | [`gate`] | concurrency limits with queues |
//! | [`recall`] | signed reasoning that a client's format cannot carry, kept until its next turn |
//! | [`origin`] | the issuers of opaque values and objects that requests carry |

pub mod accept;
pub mod account;
pub mod admit;
pub mod attempt;
pub mod checks;
pub mod dialect;
pub mod explain;
pub mod facts;
pub mod gate;
pub mod gateway;
pub mod health;
pub mod identify;
pub mod limit;
pub mod models;
pub mod observe;
pub mod origin;
pub mod recall;
pub mod route;
pub mod serving;
