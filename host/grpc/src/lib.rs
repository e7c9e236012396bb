//! gRPC for clients that use the unified model itself: `weir.v1.Inference`, whose messages are made from the contract,
//! and `grpc.health.v1`. Requests take the path of all others through [`weir_gateway`]; this crate reads and writes
//! messages.
//!
//! | module | does |
//! |---|---|
//! | [`service`] | recognises a call, and answers it |
//! | [`types`], [`messages`] | the messages of `weir.types.v1` with their conversions, and those of `weir.v1` |
//! | `inference` | the calls of `weir.v1.Inference` |
//! | `answer` | the messages and trailers of an answer |
//! | `framing` | messages in their frames |
//! | `status` | failures as `google.rpc.Status` |
//! | `timeout` | `grpc-timeout` |
//! | `health` | `grpc.health.v1` |
//! | `reflection` | `grpc.reflection.v1` |

mod answer;
mod check;
mod fields;
mod framing;
mod health;
mod inference;
pub mod messages;
mod reflection;
pub mod service;
mod status;
mod timeout;
pub mod types;
mod watchers;

pub use service::Service;
