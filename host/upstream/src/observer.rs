//! Watches the body of an answer while it is read, for what keeps a copy of it.

use std::fmt;

use bytes::Bytes;

/// Gets the pieces of a body as they are read, with the credential hidden in them. It is called on the exchange's path,
/// so it must not wait for anything.
pub trait BodyObserver: fmt::Debug + Send + Sync {
    /// A piece arrived.
    fn piece(&self, bytes: &Bytes);

    /// The body ended, in order or not. A body that is dropped before its end does not call this.
    fn ended(&self, is_whole: bool);
}
