//! Seeds: whole numbers, which some providers take only from nought on.

use super::quirks::Quirks;
use crate::losses::Losses;

/// The seed as JSON, if the provider takes it.
pub(super) fn fit<'s>(quirks: &Quirks, seed: Option<&'s str>, losses: &mut Losses) -> Option<&'s str> {
    let seed = seed?;
    if !is_integer(seed) {
        losses.dropped("seed", "it must be a whole number");
        return None;
    }
    if seed.starts_with('-') && !quirks.negative_seeds {
        losses.dropped("seed", "it must not be negative here");
        return None;
    }
    Some(seed)
}

fn is_integer(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    !digits.is_empty()
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && (digits == "0" || !digits.starts_with('0'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::fields;

    #[test]
    fn a_seed_that_the_provider_refuses_is_reported() {
        let positive = Quirks { negative_seeds: false, ..Quirks::COMPATIBLE };
        for (quirks, seed, sent) in [
            (&Quirks::COMPATIBLE, "-1", true),
            (&Quirks::COMPATIBLE, "123456789012345678", true),
            (&Quirks::COMPATIBLE, "1.5", false),
            (&Quirks::COMPATIBLE, "{}", false),
            (&positive, "-1", false),
            (&positive, "0", true),
        ] {
            let mut losses = Losses::default();
            let fitting = fit(quirks, Some(seed), &mut losses);
            assert_eq!(fitting, sent.then_some(seed), "{seed}");
            assert_eq!(fields(&losses.into_losses()), if sent { vec![] } else { vec!["seed".to_owned()] }, "{seed}");
        }
        let mut losses = Losses::default();
        assert_eq!(fit(&positive, None, &mut losses), None);
        assert!(losses.into_losses().is_empty());
    }
}
