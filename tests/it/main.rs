//! What the gateway promises, over real sockets, against providers that do what they are told.
//!
//! Each module is a promise; names that begin with `cNN` are cases that other gateways have got wrong.

mod cancel;
mod errors;
mod fidelity;
mod hostile;
mod http2;
mod limits;
mod operations;
mod relay;
mod secrets;
mod streams;
mod swap;
mod tongue;
mod translate;
mod usage;
mod zeta;
