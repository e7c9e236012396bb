//! How many candidates and open parts an answer may have.

use weir_types::contract::types::{Error, ErrorKind};

/// Most candidates of an answer: more than any model makes. Each event is compared with them, and a provider that
/// invents numbers would keep a processor busy.
pub(super) const MAX_CANDIDATES: usize = 1_024;

/// Most parts of a candidate that are open at the same time.
pub(super) const MAX_PARTS: usize = 4_096;

/// Of what an answer has too many.
#[derive(Debug, Clone, Copy)]
pub(super) enum Excess {
    Candidates,
    Parts,
}

impl From<Excess> for Error {
    fn from(excess: Excess) -> Self {
        let message = match excess {
            Excess::Candidates => format!("the answer has more than {MAX_CANDIDATES} candidates"),
            Excess::Parts => format!("the answer has more than {MAX_PARTS} parts at the same time"),
        };
        Self { kind: ErrorKind::Upstream, message, status: None, code: None, param: None, retry_after_ms: None }
    }
}
