//! Work of many requests, such as a batch: its use is reserved when it begins, and settled when its provider has
//! finished.

use crate::provenance::Asks;

/// The demand of a batch's requests on one model.
#[derive(Debug, Clone)]
pub struct ModelWork {
    /// The provider's name for the model; empty if it is the model of the request that begins the work.
    pub(crate) name: Box<str>,
    /// The longest answer of the model, in tokens, if that is known.
    pub(crate) longest: Option<u64>,
    pub(crate) asks: Asks,
}
