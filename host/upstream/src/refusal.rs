//! What a provider says of requests that it has not taken (RFC 9113, 8.7).

use std::error::Error;

use h2::Reason;

/// Whether a provider says that it has not processed a request: it refused the stream, or ends its connection and took
/// none of the streams after the last one that it names, whatever the reason.
pub(super) fn is_untaken(error: &(dyn Error + 'static)) -> bool {
    remote_error(error).is_some_and(|remote| remote.is_go_away() || remote.reason() == Some(Reason::REFUSED_STREAM))
}

/// Whether it says so since it ends its connection in good order: the request may go out on another one at once.
pub(super) fn is_leaving(error: &(dyn Error + 'static)) -> bool {
    remote_error(error).is_some_and(|remote| remote.is_go_away() && remote.reason() == Some(Reason::NO_ERROR))
}

/// The error that the other side has sent.
fn remote_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a h2::Error> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(remote) = error.downcast_ref::<h2::Error>().filter(|remote| remote.is_remote()) {
            return Some(remote);
        }
        cause = error.source();
    }
    None
}
