//! Sessions over WebSockets: messages pass both ways unchanged, and what the manifest says of them is read, so that each
//! response is admitted, reserved and billed like a request.
//!
//! | module | does |
//! |---|---|
//! | [`billing`] | admits responses, reserves what they may cost, opens their accounts |
//! | [`greeting`] | asks a target for a session |
//! | [`responses`] | the responses of a session: asked for, begun, ended |
//! | [`wire`] | the two ends of a session's connections |
//! | [`clock`] | when each side sent something last |
//! | [`ending`] | why a session ends, and the reason that each side gets |
//! | [`standing`] | whether the caller may still have the session |
//! | [`relay`] | passes messages on until the session ends |
//! | [`metrics`] | sessions, messages, bytes, endings |

pub(crate) mod billing;
mod clock;
mod ending;
mod greeting;
mod metrics;
mod relay;
mod responses;
mod standing;
mod wire;

pub(crate) use greeting::UpstreamHandshake;
pub(crate) use metrics::{Occupant, SessionPlace, Sessions};
pub(crate) use relay::{FirstMessage, Session, Terms};
pub(crate) use responses::Responses;
pub(crate) use standing::Standing;
pub(crate) use wire::{ClientEnd, Reading};

/// The name of the operation, in metrics, logs and the operations of keys.
pub(crate) const NAME: &str = "realtime";
