//! Looks for content in an answer before its head is sent: a model's answer without any is a failure, and another
//! target may have one.

use std::future::poll_fn;
use std::task::Poll;

use tokio::time::{Instant, timeout_at};

use super::super::relay_body::GATHERING;
use super::super::send::{fault_of, no_content};
use crate::route::Target;
use weir_types::fault::Fault;
use weir_upstream::{Coding, UpstreamBody, UpstreamError, UpstreamResponse};

/// Refuses an answer that has already ended without content. The head of a whole answer is of no use to a client
/// without the body, so it waits for the first piece; returns the time by which it must be sent.
pub(super) async fn find(
    response: &mut UpstreamResponse,
    is_whole: bool,
    target: &Target,
) -> Result<Option<Instant>, Fault> {
    // An answer in an unknown coding passes as it is.
    response.body.look_into(Coding::of(&response.headers).unwrap_or(Coding::Identity), is_whole);
    // Content that has already arrived needs no timer.
    let found = poll_fn(|cx| Poll::Ready(response.body.poll_content(cx))).await;
    let mut until = None;
    let found = match found {
        Poll::Ready(found) => found,
        Poll::Pending if is_whole => {
            let end = Instant::now() + GATHERING;
            until = Some(end);
            Box::pin(wait(&mut response.body, end)).await
        }
        Poll::Pending => return Ok(None),
    };
    match found {
        Ok(true) => Ok(until),
        Ok(false) => Err(no_content(response.status, &response.headers, target)),
        Err(error) => Err(fault_of(&error)),
    }
}

/// Waits for content until this time. Later content is possible too; until it comes, blank lines keep the client's
/// connection open.
async fn wait(body: &mut UpstreamBody, until: Instant) -> Result<bool, UpstreamError> {
    let found = timeout_at(until, poll_fn(|cx| body.poll_content(cx))).await;
    found.unwrap_or_else(|_| {
        body.let_blank_lines_go();
        Ok(true)
    })
}
