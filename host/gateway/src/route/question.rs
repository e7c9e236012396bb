//! Whether a server takes the question for the usage of a stream.

use std::sync::atomic::{AtomicU8, Ordering};

const OPEN: u8 = 0;
const TAKEN: u8 = 1;
const REFUSED: u8 = 2;

/// What is known of a target's server; forgotten when the configuration changes.
#[derive(Debug, Default)]
pub struct Question(AtomicU8);

impl Question {
    /// Whether it may be asked: it has not refused that.
    pub fn may_be_asked(&self) -> bool {
        self.0.load(Ordering::Relaxed) != REFUSED
    }

    /// Whether it has neither taken nor refused the question so far.
    pub fn is_open(&self) -> bool {
        self.0.load(Ordering::Relaxed) == OPEN
    }

    /// It has answered a request with the question.
    pub fn taken(&self) {
        if self.is_open() {
            self.0.store(TAKEN, Ordering::Relaxed);
        }
    }

    /// It refuses requests with the question and takes the same without it.
    pub fn refused(&self) {
        self.0.store(REFUSED, Ordering::Relaxed);
    }
}
