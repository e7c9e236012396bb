//! The request that this thread is working on, for the log lines written meanwhile.

use std::cell::RefCell;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

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
pub fn within<F: Future>(id: Arc<str>, work: F) -> WithRequest<F> {
    WithRequest { id, work }
}

pin_project! {
    /// A future that is polled on behalf of a request.
    #[derive(Debug)]
    pub struct WithRequest<F> {
        id: Arc<str>,
        #[pin]
        work: F,
    }
}

impl<F: Future> Future for WithRequest<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let _entered = enter(this.id);
        this.work.poll(cx)
    }
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
