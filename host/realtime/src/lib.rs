//! WebSocket sessions (RFC 6455), as far as they are no input or output: bytes in, messages out.
//!
//! | module | does |
//! |---|---|
//! | [`handshake`] | the heads that begin a session, on both sides |
//! | [`frame`] | heads of frames, read strictly and written, and masks |
//! | [`message`] | messages from frames: small ones whole, larger ones in pieces while they arrive |
//! | [`first`] | the model that a first message names, which later ones may not |
//! | [`requests`] | which of the client's messages ask for a response |
//! | [`named`] | the models and objects that they name |
//! | [`conversation`] | how many tokens the next response reads |
//! | [`close`] | codes and reasons with which sessions end |
//! | [`tap`] | what a manifest says of a session's messages: requests, responses, usage |
//!
//! Extensions are never negotiated, so that the bytes of a message are its content.

pub mod close;
pub mod conversation;
pub mod first;
pub mod frame;
pub mod handshake;
pub mod message;
pub mod named;
pub mod requests;
pub mod tap;

pub use close::Close;
pub use frame::{FrameError, Opcode, Side};
pub use message::{Event, Kind, MessageReader};
pub use tap::{Beginning, CompiledSessionTap, SessionTapError};
