//! The server through which nodes share limits and budgets, and kept answers: Valkey, or Redis from version 5 on.
//!
//! | module | does |
//! |---|---|
//! | `address` | where a server is, and how to log in |
//! | `connection` | connections whose server may send only so much |
//! | `error` | what may go wrong |
//! | `server` | rounds of reports about shares of limits and budgets |
//! | `values` | values by name, over one connection |
//! | `answers` | kept answers, sealed, with the state of their server |
//!
//! Each pool ([`weir_lease::Pool`]) is one hash there, and one script takes the reports of nodes about their shares. A
//! round is one pipeline of such calls, so that many pools cost one round trip. All state is the node's sums, so that a
//! round whose answer is lost is simply followed by the next one.
//!
//! Nothing here decides what a node does while the server is away, and nothing is repeated by itself: the caller's next
//! round is the next try, and opens a connection where there is none.

mod address;
mod answers;
mod connection;
mod error;
mod server;
mod values;

pub use address::{Address, AddressError};
pub use answers::{AnswerServer, AnswerServerSettings};
pub use error::ServerError;
pub use server::{PoolRequest, PoolServer, RoundAnswers};
pub use weir_cache::Seal;

#[cfg(test)]
mod tests;
