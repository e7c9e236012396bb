//! Why a stream breaks, in words.

use std::time::Duration;

use weir_types::contract::types::{Error, ErrorKind};
use weir_types::fault::{Fault, Side};
use weir_wire::frame::FrameError;

/// The failure that ends a stream because Weir stops, and the time that streams have for that is over.
pub(in crate::attempt) fn stopping() -> Fault {
    let message =
        "Weir stops, and the time for streams to end is over (`server.shutdown_timeout`): send the request again";
    Fault::overloaded(message, Duration::from_secs(1)).with_code("stopping")
}

/// The failure of a stream in which no further frame is found.
pub(super) fn unframed(error: &FrameError) -> Fault {
    let message = match error {
        FrameError::TooLarge { limit } => {
            format!("a frame of it has more than {limit} bytes (`server.max_frame_bytes`)")
        }
        other => other.to_string(),
    };
    Fault::from_error(Side::Upstream, broken(&message))
}

/// The error that ends a broken stream.
pub(in crate::attempt) fn broken(message: &str) -> Error {
    let message = format!("the provider's stream broke: {message}");
    Fault::new(Side::Upstream, ErrorKind::Upstream, message).with_status(502).error
}
