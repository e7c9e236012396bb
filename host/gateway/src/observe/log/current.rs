//! The request that this thread is working on, for the log lines written meanwhile.

use std::cell::RefCell;
use std::pin::pin;
use std::sync::Arc;

thread_local! {
    static CURRENT: RefCell<Option<Arc<str>>> = const { RefCell::new(None) };
}

/// The id of the request that this thread is working on.
pub fn id() -> Option<Arc<str>> {
    CURRENT.with_borrow(Clone::clone)
}

/// Marks this thread as working on a request until the guard is dropped.
#[must_use]
pub fn enter(id: &Arc<str>) -> Entered {
    Entered(CURRENT.replace(Some(Arc::clone(id))))
}

/// Restores the thread's previous request when it is dropped.
#[derive(Debug)]
pub struct Entered(Option<Arc<str>>);

impl Drop for Entered {
    fn drop(&mut self) {
        CURRENT.set(self.0.take());
    }
}

/// Polls a future on behalf of a request: all lines written meanwhile have its id.
pub async fn within<F: Future>(id: Arc<str>, work: F) -> F::Output {
    let mut work = pin!(work);
    std::future::poll_fn(|cx| {
        let _entered = enter(&id);
        work.as_mut().poll(cx)
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn two_requests_on_one_thread_keep_their_ids() {
        let work = |name: &'static str| {
            within(Arc::from(name), async move {
                for _ in 0..3 {
                    assert_eq!(id().as_deref(), Some(name));
                    tokio::task::yield_now().await;
                }
            })
        };
        tokio::join!(work("one"), work("two"), async { assert_eq!(id(), None) });
        assert_eq!(id(), None);
    }
}
