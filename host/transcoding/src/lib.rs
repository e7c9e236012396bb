//! gRPC-JSON transcoding: calls of gRPC methods whose messages are JSON on this side.
//!
//! A [`Method`] is compiled from the descriptors in an adapter's manifest. It converts JSON to the method's messages
//! and back by the mapping that Protocol Buffers define. [`MessageReader`] finds the messages in an answer's bytes, and
//! [`Status`] reads how a call ended. All of it is pure; no message is larger than a bound, in bytes and in values.

mod message_reader;
mod method;
mod prefix;
mod size;
mod status;
mod timeout;

pub use message_reader::MessageReader;
pub use method::{MessageError, Method, MethodError};
pub use prefix::{PREFIX_BYTES, PrefixError, prefix_of, read_prefix};
pub use status::Status;
pub use timeout::timeout;

/// The most bytes of one message of an answer: what clients of gRPC take by default.
pub const MESSAGE_BYTES: usize = 4 << 20;
