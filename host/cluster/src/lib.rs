//! The server through which nodes share limits and budgets: Valkey, or Redis from version 5 on.
//!
//! Each pool ([`weir_lease::Pool`]) is one hash there, and one script takes the reports of nodes about their shares. A
//! round is one pipeline of such calls, so that many pools cost one journey. All state is the node's sums, so that a round
//! whose answer is lost is simply followed by the next one.
//!
//! Nothing here decides what a node does while the server is away, and nothing is repeated by itself: the caller's next
//! round is the next try, and opens a connection where there is none.

mod address;
mod server;

pub use address::{Address, AddressError};
pub use server::{PoolRequest, PoolServer, Round, ServerError};

#[cfg(test)]
mod tests;
