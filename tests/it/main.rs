//! What the gateway promises, over real sockets, against providers that do what they are told.
//!
//! Each module is a promise; names that begin with `cNN` are cases that other gateways have got wrong.

mod relay;
