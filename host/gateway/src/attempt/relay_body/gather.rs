//! Reads a whole answer before its head goes out, so that a header can say what it costs.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http_body::Body;
use tokio::time::{Instant, timeout_at};

use super::Relayed;
use super::end::record;
use weir_ledger::Nano;

/// The most bytes of a whole answer that are read before its head goes out.
const GATHERED: usize = 256 << 10;

/// How long reading a whole answer may delay its head.
pub(in crate::attempt) const GATHERING: Duration = Duration::from_secs(5);

impl Relayed {
    /// Whether the answer is whole and its cost is known once it was read.
    pub(in crate::attempt) fn can_gather(&self) -> bool {
        self.ends.is_none() && self.meter.is_some() && self.account.as_ref().is_some_and(|account| account.is_priced())
    }

    /// Whether the answer is about work that its provider has begun.
    pub(in crate::attempt) fn begins_work(&self) -> bool {
        self.ends.is_none() && self.account.as_ref().is_some_and(|account| account.begins_work())
    }

    /// Reads a whole answer before its head is sent, and returns its cost, for a header. `None` if the answer is long
    /// or slow, breaks off, or has no known cost; it is then sent as it arrives.
    pub(in crate::attempt) async fn gather(&mut self) -> Option<Nano> {
        let until = self.until;
        let is_read = {
            let mut reading = pin!(self.read_gathered());
            // An answer that has already arrived needs no timer.
            match poll_fn(|cx| Poll::Ready(reading.as_mut().poll(cx))).await {
                Poll::Ready(is_read) => is_read,
                Poll::Pending => {
                    timeout_at(until.unwrap_or_else(|| Instant::now() + GATHERING), reading).await.unwrap_or(false)
                }
            }
        };
        if !is_read {
            return None;
        }
        let metered = self.meter.take().map(|meter| meter.finish(true));
        let account = self.account.as_mut()?;
        record(account, metered);
        account.cost_of_whole()
    }

    /// Reads to the end; `false` if there is too much to read, or if the provider broke off, which is noticed again
    /// later.
    async fn read_gathered(&mut self) -> bool {
        let mut bytes = 0;
        loop {
            let Some(upstream) = &mut self.upstream else { return false };
            let next = if upstream.is_end_stream() {
                None
            } else {
                poll_fn(|cx| Pin::new(&mut *upstream).poll_frame(cx)).await
            };
            match next {
                Some(Ok(frame)) => {
                    let piece = self.pass(frame.into_data().unwrap_or_default());
                    bytes += piece.len();
                    self.gathered.push(piece);
                }
                Some(Err(error)) => {
                    self.failed = Some(error);
                    return false;
                }
                // Noticed again later.
                None if self.needs_content => return false,
                None => {
                    // The last piece must not be empty: a reader that knows the length does not ask for it.
                    let rest = self.swap.take().map(|mut swap| swap.finish()).filter(|rest| !rest.is_empty());
                    let rest = rest.map(Bytes::from);
                    self.count_out(rest.as_ref());
                    if let Some(rest) = rest {
                        self.gathered.push(rest);
                    }
                    return true;
                }
            }
            if bytes > GATHERED {
                return false;
            }
        }
    }
}
