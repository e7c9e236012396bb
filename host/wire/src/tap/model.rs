//! Decides which of several models that an answer names counts. The first pointer of a tap names the model that begins
//! the answer; a model at a later pointer replaces it, as when another model continues a stream.

use crate::peek::Scalar;

/// The number of the pointer at which the model was read.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct ModelPlace(usize);

impl ModelPlace {
    /// Takes the model at the pointer with this number.
    pub(super) fn take(&mut self, known: &mut Option<String>, pointer: usize, value: &Scalar) {
        let Some(text) = value.as_text().filter(|text| !text.is_empty()) else { return };
        if known.is_none() || pointer >= self.0.max(1) {
            (self.0, *known) = (pointer, Some(text.to_owned()));
        }
    }
}
