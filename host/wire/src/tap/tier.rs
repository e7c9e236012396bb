//! Which of several service tiers that an answer names counts: the contract's rule for a tap's `service-tier`.

use crate::peek::Scalar;

/// The number of the pointer at which the tier was read; none yet.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct TierPlace(Option<usize>);

impl TierPlace {
    /// Takes the tier at the pointer with this number. A later one at the same pointer replaces it; one at another
    /// pointer does if that comes first, or if the known one is only the usual tier.
    pub(super) fn take(&mut self, known: &mut Option<String>, pointer: usize, value: &Scalar) {
        let Some(text) = value.as_text().filter(|text| !text.is_empty()) else { return };
        let counts = match (self.0, known.as_deref()) {
            (Some(place), Some(tier)) if place != pointer => !is_usual(text) && (pointer < place || is_usual(tier)),
            _ => true,
        };
        if counts {
            (self.0, *known) = (Some(pointer), Some(text.to_owned()));
        }
    }
}

/// Whether a tier's name says no more than that it is the usual one.
fn is_usual(tier: &str) -> bool {
    matches!(tier, "standard" | "default" | "auto")
}
