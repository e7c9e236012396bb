//! The pieces of a stream that are read before the answer's head is sent.

use bytes::Bytes;

use super::super::outflow::Outflow;
use super::super::pipeline::Pipeline;
use super::super::send::fault_of;
use super::super::translate::unreadable;
use crate::accounting::Account;
use weir_types::fault::{Fault, Side};
use weir_upstream::Decoded;

/// The output of the pieces that were read before the answer's head is sent.
#[derive(Debug, Default)]
pub(in crate::attempt) struct First {
    pub(super) out: Outflow,
    pub(super) ended: bool,
}

/// Reads until there is output for the client, so that a stream which fails at once gets an error status. The provider
/// charges for one that fails because it cannot be read, unless none of it has arrived.
pub(in crate::attempt) async fn prime(
    upstream: &mut Decoded,
    pipeline: &mut Pipeline,
    account: &mut Account,
) -> Result<First, Fault> {
    let mut first = First::default();
    // The last piece, which would contain an error that the provider sent in place of an answer.
    let mut last = Bytes::new();
    while first.out.is_empty() && !first.ended {
        let read = if let Some(piece) = upstream.next_piece().await.map_err(|error| fault_of(&error))? {
            last = piece.clone();
            pipeline.push(&[piece], &mut first.out)
        } else {
            first.ended = true;
            pipeline.end(&mut first.out)
        };
        first.ended |= pipeline.is_refused();
        if pipeline.is_over() {
            upstream.expect_end();
        }
        let failure = || pipeline.failure().map(|error| Fault::from_error(Side::Upstream, error.clone()));
        if let Some(fault) = read.err().or_else(failure) {
            let reported = pipeline.reported();
            let is_unreadable = !last.is_empty() && !unreadable::is_of_provider(&fault, &last);
            if is_unreadable || reported.total().is_some() {
                account.unreadable(reported.output().unwrap_or_default());
            }
            return Err(fault);
        }
    }
    Ok(first)
}
