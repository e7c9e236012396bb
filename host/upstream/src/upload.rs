//! The body of a request that is sent while it arrives from the client, and is not kept.

use std::fmt;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

/// Why a body cannot be sent on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UploadError {
    /// The client's connection ended within the body.
    #[error("the body broke off")]
    Broken,
    /// The client paused for too long.
    #[error("the body did not arrive in time")]
    Slow,
    /// The body is larger than this many bytes.
    #[error("the body is larger than {0} bytes")]
    TooLarge(u64),
    /// The body's last piece must not go on, for this reason.
    #[error("{0}")]
    Refused(&'static str),
}

type Source = Pin<Box<dyn Body<Data = Bytes, Error = UploadError> + Send>>;

/// A body on its way. A clone is the same body: it can be sent once.
#[derive(Clone)]
pub struct Upload(Arc<Inner>);

struct Inner {
    source: Mutex<Source>,
    /// The length, if the client announced it.
    hint: SizeHint,
    /// Whether a piece was sent since the last look.
    moved: AtomicBool,
    failure: Mutex<Option<UploadError>>,
}

impl Upload {
    /// A body that is read as far as the provider takes it.
    pub fn new(source: impl Body<Data = Bytes, Error = UploadError> + Send + 'static) -> Self {
        let hint = source.size_hint();
        let source: Source = Box::pin(source);
        let (moved, failure) = (AtomicBool::new(false), Mutex::default());
        Self(Arc::new(Inner { source: Mutex::new(source), hint, moved, failure }))
    }

    /// Why the body could not be sent on; `None` if the client is not the reason of a failure.
    pub fn failure(&self) -> Option<UploadError> {
        *self.0.failure.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a piece was sent since the last call.
    pub(super) fn has_moved(&self) -> bool {
        self.0.moved.swap(false, Ordering::Relaxed)
    }

    pub(super) fn poll_frame(&self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, UploadError>>> {
        let mut source = self.0.source.lock().unwrap_or_else(PoisonError::into_inner);
        let polled = ready!(source.as_mut().poll_frame(cx));
        self.0.moved.store(true, Ordering::Relaxed);
        if let Some(Err(error)) = &polled {
            *self.0.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(*error);
        }
        Poll::Ready(polled)
    }

    pub(super) fn is_end_stream(&self) -> bool {
        self.0.source.lock().unwrap_or_else(PoisonError::into_inner).is_end_stream()
    }

    /// What is known of the length of the whole body.
    pub(super) fn size_hint(&self) -> SizeHint {
        self.0.hint
    }
}

impl fmt::Debug for Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upload").field("failure", &self.failure()).finish_non_exhaustive()
    }
}
