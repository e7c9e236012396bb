//! Brings the bodies of requests into the form in which they are compared.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::Semaphore;

use weir_cache::ComparedBody;

/// The longest body in bytes that is read on the request's own thread: the worst of that length take about a
/// millisecond.
const AT_ONCE: usize = 64 << 10;
/// How many longer bodies are read at the same time.
const TURNS: usize = 2;

/// Turns to read long bodies.
#[derive(Debug)]
pub(super) struct Comparisons(Arc<Semaphore>);

impl Default for Comparisons {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(TURNS)))
    }
}

impl Comparisons {
    /// Reads a body. A long one is read on another thread, so that other requests need not wait for it. `None` if that
    /// thread has ended.
    pub(super) async fn read(&self, pieces: &[Bytes]) -> Option<ComparedBody> {
        if pieces.iter().map(Bytes::len).sum::<usize>() <= AT_ONCE {
            return Some(read(pieces));
        }
        let turn = Arc::clone(&self.0).acquire_owned().await.ok()?;
        let pieces = pieces.to_vec();
        let reading = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            read(&pieces)
        });
        reading.await.ok()
    }
}

fn read(pieces: &[Bytes]) -> ComparedBody {
    match pieces {
        [one] => ComparedBody::of(one),
        many => ComparedBody::of(&many.concat()),
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn others_need_not_wait_for_a_long_body_and_it_is_read_as_a_short_one() {
        let comparisons = Comparisons::default();
        let short = comparisons.read(&[Bytes::from("[1, 2]")]).now_or_never();
        assert_eq!(short.flatten(), Some(ComparedBody::of(b"[1,2]")));
        let long = Bytes::from(format!("[{}0]", "0,".repeat(AT_ONCE)));
        assert_eq!(comparisons.read(std::slice::from_ref(&long)).now_or_never(), None, "not at once");
        let (begin, end) = (long.slice(..9), long.slice(9..));
        assert_eq!(comparisons.read(&[begin, end]).await, Some(ComparedBody::of(&long)));
    }
}
