//! What the gateway promises, over real sockets, against providers that do what they are told.
//!
//! Each module is a promise; names that begin with `cNN` are cases that other gateways have got wrong.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "what fails here fails a test")]
#![allow(clippy::float_cmp, reason = "metrics are counts")]
#![allow(clippy::print_stdout, reason = "what is skipped is said")]

mod authors;
mod cancel;
mod credentials;
mod errors;
mod explain;
mod fidelity;
mod hostile;
mod http2;
mod limits;
mod media;
mod multipart;
mod operations;
mod passthrough;
mod recall;
mod relay;
mod secrets;
mod streams;
mod swap;
mod tongue;
mod translate;
mod usage;
mod versions;
mod zeta;
