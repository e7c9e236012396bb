//! Futures, and other large values, that are made in their boxes.
//!
//! `Box::pin(make())` makes a future on the stack and copies it once there is memory, since it must be dropped if there
//! is none. Here the memory is there first, so the compiler makes the future in it. The future of a request has nine
//! thousand bytes, nearly all of which is not written yet when it is boxed.

use std::pin::Pin;

/// Boxes the future that `make` returns.
#[inline(always)]
#[expect(clippy::inline_always, reason = "the future is made in its place only if this and `make` are inlined")]
pub fn pinned<F: Future>(make: impl FnOnce() -> F) -> Pin<Box<F>> {
    Box::into_pin(boxed(make))
}

/// Boxes the value that `make` returns.
#[inline(always)]
#[expect(clippy::inline_always, reason = "the value is made in its place only if this and `make` are inlined")]
pub fn boxed<T>(make: impl FnOnce() -> T) -> Box<T> {
    Box::write(Box::new_uninit(), make())
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Poll, Waker};

    use super::*;

    #[test]
    fn a_future_is_polled_in_its_box() {
        let word = String::from("polled");
        let mut future = pinned(|| async move { word.len() });
        assert_eq!(future.as_mut().poll(&mut Context::from_waker(Waker::noop())), Poll::Ready(6));
    }
}
