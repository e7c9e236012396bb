//! Why a session ends, and the reason that each side gets.

use weir_realtime::requests::UnreadableMessage;
use weir_realtime::{Close, FrameError, Side};
use weir_types::contract::types::ErrorKind;
use weir_types::fault::Fault;

use super::wire::{Broken, LATE};

/// The message to clients when the gateway stops.
pub(super) const RESTARTS: &str = "the gateway restarts: connect again";

/// Why a session ends.
#[derive(Debug)]
pub(super) enum Ending {
    /// A side closed it.
    Closed(Side, Close),
    /// A side broke the protocol, or its connection broke.
    Broken(Side, Broken),
    /// A side did not answer a ping.
    Silent(Side),
    /// A large message of the client's cannot be read, so that it is not known what it asks for.
    Unread(UnreadableMessage),
    /// A limit, a budget or a right ends it.
    Refused(Fault),
    /// No message passed for long.
    Idle,
    /// It lasted as long as it may.
    Longest,
    /// The gateway stops.
    Leaving,
}

/// How the session's record ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// As planned.
    Whole,
    /// This side broke it.
    Broke(Side),
    /// The client left without closing the session.
    Left,
}

impl Ending {
    /// The close frames for the client and the provider.
    pub(super) fn closes(&self) -> [Close; 2] {
        let both = |to_client, reason: &str| {
            [Close::new(to_client, reason), Close::new(Close::GOING_AWAY, "the session was ended by a gateway")]
        };
        match self {
            // With the same code and reason, which are the answer to the side that closed.
            Self::Closed(_, close) => [close.clone(), close.clone()],
            Self::Broken(Side::Client, Broken::Frame(error)) => both(error.code(), &error.to_string()),
            Self::Broken(Side::Server, Broken::Frame(error)) => [
                Close::new(Close::BAD_GATEWAY, "the provider broke the protocol"),
                Close::new(error.code(), error.to_string()),
            ],
            Self::Broken(Side::Client, Broken::Late) => both(Close::POLICY, LATE),
            Self::Broken(Side::Client, _) | Self::Silent(Side::Client) => both(Close::GOING_AWAY, "the client is gone"),
            Self::Broken(Side::Server, _) | Self::Silent(Side::Server) => {
                both(Close::BAD_GATEWAY, "the connection to the provider broke")
            }
            Self::Unread(error) => both(FrameError::TooLarge.code(), &error.to_string()),
            Self::Refused(fault) => both(code_for(fault), &fault.error.message),
            Self::Idle => both(Close::GOING_AWAY, "no message for `realtime.idle_timeout`"),
            Self::Longest => both(Close::GOING_AWAY, "the session lasted for `realtime.max_duration`"),
            Self::Leaving => both(Close::RESTART, RESTARTS),
        }
    }

    /// How the session's record ends.
    pub(super) fn outcome(&self) -> Outcome {
        match self {
            Self::Closed(Side::Server, close) if close.is_own_failure() => Outcome::Broke(Side::Server),
            // The provider refuses what the client did: that must not count against the target, which others use too.
            Self::Closed(Side::Server, close) if !close.is_orderly() => Outcome::Broke(Side::Client),
            // A client that sends much may be why the provider reads nothing.
            Self::Broken(Side::Server, Broken::Stalled) => Outcome::Broke(Side::Client),
            Self::Broken(Side::Client, Broken::Frame(_) | Broken::Late) | Self::Unread(_) => {
                Outcome::Broke(Side::Client)
            }
            Self::Broken(Side::Server, _) | Self::Silent(Side::Server) => Outcome::Broke(Side::Server),
            Self::Broken(Side::Client, _) | Self::Silent(Side::Client) => Outcome::Left,
            Self::Closed(..) | Self::Refused(_) | Self::Idle | Self::Longest | Self::Leaving => Outcome::Whole,
        }
    }

    /// Who ended it, as a label.
    pub(super) fn by(&self) -> &'static str {
        match self {
            Self::Closed(side, _) | Self::Broken(side, _) | Self::Silent(side) => name(*side),
            Self::Unread(_) => name(Side::Client),
            Self::Refused(_) | Self::Idle | Self::Longest | Self::Leaving => "gateway",
        }
    }

    /// The side that reads nothing more, or has sent everything.
    pub(super) fn is_over_for(&self, side: Side) -> bool {
        matches!(self, Self::Closed(one, _) | Self::Broken(one, _) | Self::Silent(one) if *one == side)
    }
}

/// The close code for a client that is refused something.
fn code_for(fault: &Fault) -> u16 {
    if fault.error.kind == ErrorKind::Overloaded { Close::TRY_AGAIN } else { Close::POLICY }
}

/// A side as a label.
pub(super) fn name(side: Side) -> &'static str {
    match side {
        Side::Client => "client",
        Side::Server => "provider",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_side_that_closes_is_repeated_to_the_other_and_one_that_breaks_is_not() {
        let close = Close::new(4321, "own reason");
        assert_eq!(Ending::Closed(Side::Server, close.clone()).closes(), [close.clone(), close]);
        let codes = |ending: Ending| ending.closes().map(|close| close.code);
        assert_eq!(codes(Ending::Broken(Side::Client, FrameError::TooLarge.into())), [Some(1009), Some(1001)]);
        assert_eq!(codes(Ending::Broken(Side::Server, FrameError::Masked.into())), [Some(1014), Some(1002)]);
        assert_eq!(codes(Ending::Silent(Side::Server)), [Some(1014), Some(1001)]);
        assert_eq!(codes(Ending::Leaving), [Some(1012), Some(1001)]);
    }

    #[test]
    fn a_session_that_the_provider_breaks_is_no_success() {
        let closed = |code| Ending::Closed(Side::Server, Close::new(code, "")).outcome();
        assert_eq!([closed(1000), closed(1001)], [Outcome::Whole; 2]);
        assert_eq!([closed(1011), closed(1012), closed(1014)], [Outcome::Broke(Side::Server); 3]);
        let codes = [1002, 1003, 1007, 1008, 1009, 3000, 4000];
        assert_eq!(codes.map(closed), [Outcome::Broke(Side::Client); 7], "a client's mistakes are not the target's");
        assert_eq!(Ending::Silent(Side::Client).outcome(), Outcome::Left);
    }
}
