//! Weir: a gateway for large language models whose wire formats are sandboxed WebAssembly components.
//!
//! The modules stand in the order in which a request meets them; each uses those below it and never reaches back.
//!
//! | module | does |
//! |---|---|
//! | [`config`] | the file and the environment, checked, as what the program needs |
//! | [`upstream`] | sends requests to providers: connections, timers, credentials, recordings |
//! | [`plugin`] | adapters: loading, checking, swapping, instances |
//! | [`tap`] | reads usage from answers while their bytes go through untouched |
//! | [`peek`] | sees a few members of a JSON body without parsing it, and splices them |
//! | [`frame`] | cuts streams into frames and back |
//! | [`contract`] | the generated types of `wit/` |

pub mod config;
pub mod contract;
pub mod frame;
pub mod peek;
pub mod plugin;
#[cfg(test)]
mod seeds;
pub mod tap;
pub mod upstream;
