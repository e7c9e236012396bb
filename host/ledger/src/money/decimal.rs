//! Decimal text to integers and back.

use std::fmt;

/// Why a text or a number is no amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// Empty, a word, `NaN`, two points.
    #[error("is not a decimal number")]
    NotANumber,
    /// Below zero.
    #[error("is negative")]
    Negative,
    /// Beyond the range of amounts.
    #[error("is too large")]
    TooLarge,
    /// More decimal places than are kept.
    #[error("has more decimal places than are kept")]
    TooFine,
    /// A price for no units, or for too many.
    #[error("is for no units, or for more than 1000000000")]
    Per,
}

/// Digits of a number that fits into an `i128`.
const MOST_DIGITS: usize = 38;
/// The longest text that is read.
const MOST_CHARACTERS: usize = 400;

/// The number in a text, times ten to the power of `places`, which must be whole.
pub(super) fn scaled(text: &str, places: u32) -> Result<i128, MoneyError> {
    if text.len() > MOST_CHARACTERS {
        return Err(MoneyError::NotANumber);
    }
    let (is_negative, text) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, self::exponent(exponent)?),
        None => (text, 0),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((_, "")) => return Err(MoneyError::NotANumber),
        Some(parts) => parts,
        None => (mantissa, ""),
    };
    let is_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !is_digits(whole) || !is_digits(fraction) {
        return Err(MoneyError::NotANumber);
    }
    let digits = [whole, fraction].concat();
    let significant = digits.trim_start_matches('0').trim_end_matches('0');
    if significant.is_empty() {
        return Ok(0);
    }
    if is_negative {
        return Err(MoneyError::Negative);
    }
    let stripped = digits.len() - digits.trim_end_matches('0').len();
    let length = |text: usize| i64::try_from(text).map_err(|_| MoneyError::TooLarge);
    let shift = i64::from(exponent) + i64::from(places) - length(fraction.len())? + length(stripped)?;
    let shift = usize::try_from(shift).map_err(|_| MoneyError::TooFine)?;
    if significant.len() + shift > MOST_DIGITS {
        return Err(MoneyError::TooLarge);
    }
    let number: i128 = significant.parse().map_err(|_| MoneyError::TooLarge)?;
    10_i128.checked_pow(shift as u32).and_then(|power| number.checked_mul(power)).ok_or(MoneyError::TooLarge)
}

fn exponent(text: &str) -> Result<i32, MoneyError> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || digits.len() > 6 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(MoneyError::NotANumber);
    }
    text.parse().map_err(|_| MoneyError::NotANumber)
}

/// Writes a number that was scaled by ten to the power of `places`, without zeros at the end.
pub(super) fn write(f: &mut fmt::Formatter<'_>, number: i128, places: u32) -> fmt::Result {
    let unit = 10_i128.pow(places);
    let (whole, rest) = (number / unit, number % unit);
    if rest == 0 {
        return f.pad(&whole.to_string());
    }
    let fraction = format!("{rest:0width$}", width = places as usize);
    f.pad(&format!("{whole}.{}", fraction.trim_end_matches('0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_read_exactly() {
        for (text, picos) in [
            ("0", 0),
            ("-0", 0),
            ("0.000", 0),
            ("1", 1_000_000_000_000),
            ("2.5e-06", 2_500_000),
            ("2.5E-6", 2_500_000),
            ("1.25e+2", 125_000_000_000_000),
            ("0.000000000001", 1),
            ("0.00000000000100", 1),
            ("100e-14", 1),
        ] {
            assert_eq!(scaled(text, 12), Ok(picos), "{text}");
        }
        assert_eq!(scaled("8.39233e-08", 12), Err(MoneyError::TooFine));
    }

    #[test]
    fn acceptance_10_negative_nan_and_huge_numbers_are_typed_errors() {
        for text in
            ["", ".", "1.", ".5", "NaN", "inf", "1e", "1e1.5", "+1", "1_000", " 1", "0x1", "1.2.3", "--1", "1,5"]
        {
            assert_eq!(scaled(text, 12), Err(MoneyError::NotANumber), "{text:?}");
        }
        assert_eq!(scaled("-0.1", 12), Err(MoneyError::Negative));
        assert_eq!(scaled("1e30", 12), Err(MoneyError::TooLarge));
        assert_eq!(scaled("1e999999", 12), Err(MoneyError::TooLarge));
        assert_eq!(scaled("1e-999999", 12), Err(MoneyError::TooFine));
        assert_eq!(scaled(&"9".repeat(500), 12), Err(MoneyError::NotANumber));
    }
}
