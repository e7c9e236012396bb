//! Sessions over WebSockets: messages pass both ways unchanged, and what the manifest says of them is read, so that
//! each response is admitted, reserved and billed like a request.
//!
//! | module | does |
//! |---|---|
//! | [`billing`] | admits responses, reserves what they may cost, opens their accounts |
//! | [`upstream_handshake`] | asks a target for a session |
//! | [`responses`] | the responses of a session: asked for, begun, ended |
//! | [`response`] | one of them, with what is read of it |
//! | [`wire`] | the two ends of a session's connections |
//! | [`clock`] | when each side sent something last |
//! | [`ending`] | why a session ends, and the reason that each side gets |
//! | [`caller_check`] | whether the caller may still have the session |
//! | [`named`] | what the client's messages may name |
//! | [`relay`] | passes messages on until the session ends |
//! | [`metrics`] | sessions, messages, bytes, endings |

pub(crate) mod billing;
mod caller_check;
mod clock;
mod ending;
mod metrics;
mod named;
mod relay;
mod response;
mod responses;
mod upstream_handshake;
mod wire;

pub(crate) use caller_check::CallerCheck;
pub(crate) use metrics::{SessionOwner, SessionPlace, Sessions};
pub(crate) use named::{NameRights, ObjectRights};
pub(crate) use relay::{FirstMessage, Session, SessionContext};
pub(crate) use responses::Responses;
pub(crate) use upstream_handshake::UpstreamHandshake;
pub(crate) use wire::{ClientEnd, ReadBounds};

/// The name of the operation, in metrics, logs and the operations of keys.
pub(crate) const NAME: &str = "realtime";
