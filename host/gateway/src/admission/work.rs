//! Work of many requests, such as a batch: what it may use is held back when it begins, and settled when its provider
//! is done.

use crate::provenance::Asks;

/// What the requests of work ask of one model.
#[derive(Debug, Clone)]
pub struct ModelWork {
    /// The provider's name for the model; empty if it is the model that the request itself names, which begins the
    /// work.
    pub(crate) name: Box<str>,
    /// The longest answer of the model, in tokens, if that is known.
    pub(crate) longest: Option<u64>,
    pub(crate) asks: Asks,
}
