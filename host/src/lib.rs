//! Weir: a gateway for large language models whose wire formats are sandboxed WebAssembly components.
//!
//! The modules stand in the order in which a request meets them; each uses those below it and never reaches back.
//!
//! | module | does |
//! |---|---|
//! | [`cli`] | the commands: serve, check, plugin |
//! | [`author`] | what authors of adapters need: new projects, building, building again |
//! | [`app`] | puts the parts together, runs them, drains them |
//! | [`operations`] | health, readiness, metrics, what the admin may see |
//! | [`proof`] | proves adapters by recorded exchanges |
//! | [`record`] | a proxy that writes down what passes through it |
//! | [`reload`] | takes configurations into service while requests are served |
//! | [`checks`] | asks providers now and then whether they are well |
//! | [`gateway`] | the way of a request, as a story |
//! | [`import`] | configurations of other gateways as one of ours |
//! | [`listen`] | sockets and HTTP on the client's side |
//! | [`explain`] | what would be sent for a request, without sending it |
//! | [`models`] | lists of models |
//! | [`serving`] | what requests are served from, derived from configuration and adapters |
//! | [`attempt`] | carries out a plan: relay or translate |
//! | [`route`] | from a model's name to targets |
//! | [`account`] | usage, time and outcome, recorded exactly once |
//! | [`admit`] | may this be served now |
//! | [`identify`] | who is asking |
//! | [`dialect`] | what clients may speak, as data: faces, readings, errors |
//! | [`accept`] | what a target's provider takes as it is |
//! | [`health`] | which targets and keys are well |
//! | [`fixture`] | recordings as files: cleaned, imported, checked |
//! | [`upstream`] | sends requests to providers: connections, timers, credentials, recordings |
//! | [`facts`] | prices and abilities of models, from the bundled file |
//! | [`plugin`] | adapters: loading, checking, swapping, instances |
//! | [`buffer`] | how many bytes may be held for requests at the same time |
//! | [`observe`] | metrics, traces and the log |
//! | [`limit`] | how much may be had in a minute, and at once |
//! | [`gate`] | how many at the same time, and whose turn it is |
//! | [`config`] | the file and the environment, checked, as what the program needs |
//! | [`tap`] | reads usage from answers that pass by |
//! | [`peek`] | sees a few members of a JSON body without parsing it, and splices them |
//! | [`form`] | sees a few fields of a multipart body without copying it |
//! | [`frame`] | cuts streams into frames and back |
//! | [`referee`] | makes every stream a well-formed story |
//! | [`recall`] | what a client's format has no place for, kept until its next turn |
//! | [`origin`] | who made what a client carries into its next request |
//! | [`estimate`] | tokens, roughly |
//! | [`blob`] | keeps large base64 out of the sandbox |
//! | [`surrogate`] | mends lone surrogates |
//! | [`query`] | queries of urls |
//! | [`exchange`] | what is known of a request from its first moment |
//! | [`headers`] | the names of Weir's own headers |
//! | [`fault`] | failures, and who is to blame |
//! | [`contract`] | the generated types of `wit/` |

pub mod accept;
pub mod account;
pub mod admit;
pub mod app;
pub mod attempt;
pub mod author;
pub mod blob;
pub mod buffer;
pub mod checks;
pub mod cli;
pub mod config;
pub mod contract;
pub mod dialect;
pub mod estimate;
pub mod exchange;
pub mod explain;
pub mod facts;
pub mod fault;
pub mod fixture;
pub mod form;
pub mod frame;
pub mod gate;
pub mod gateway;
pub mod headers;
pub mod health;
pub mod identify;
pub mod import;
pub mod limit;
pub mod listen;
pub mod models;
pub mod observe;
pub mod operations;
pub mod origin;
pub mod peek;
pub mod plugin;
pub mod proof;
pub mod query;
pub mod recall;
pub mod record;
pub mod referee;
pub mod reload;
pub mod route;
pub mod serving;
pub mod surrogate;
pub mod tap;
pub mod upstream;

#[cfg(test)]
mod pages;
#[cfg(test)]
mod seeds;
