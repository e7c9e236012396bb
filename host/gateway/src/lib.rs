//! The way of a request: endpoints, authentication, admission, routing, attempts, accounting.
//!
//! | module | does |
//! |---|---|
//! | [`gateway`] | the steps of a request in order |
//! | [`checks`] | asks providers now and then whether they are well |
//! | [`explain`] | what would be sent for a request, without sending it |
//! | [`models`] | lists of models |
//! | [`serving`] | what requests are served from, derived from configuration and adapters |
//! | [`attempt`] | carries out a plan: relay or translate |
//! | [`route`] | from a model's name to targets |
//! | [`account`] | usage, time and outcome, recorded exactly once |
//! | [`admit`] | may this be served now |
//! | [`identify`] | who is asking |
//! | [`dialect`] | what a request says in its format, and limits in the client's words |
//! | [`accept`] | what a target's provider takes as it is |
//! | [`health`] | which targets and keys are well |
//! | [`facts`] | prices and abilities of models, from the bundled file |
//! | [`observe`] | metrics, traces and the log |
//! | [`limit`] | how much may be had in a minute, and at once |
//! | [`gate`] | how many at the same time, and whose turn it is |
//! | [`recall`] | what a client's format has no place for, kept until its next turn |
//! | [`origin`] | who made what a client carries into its next request |

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
