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
const MAX_DIGITS: usize = 38;
/// The longest text that is read.
const MAX_CHARACTERS: usize = 400;

/// The number in a text, times ten to the power of `places`, which must be whole.
pub(super) fn scaled(text: &str, places: u32) -> Result<i128, MoneyError> {
    let Some((significant, shift)) = significant(text, places)? else { return Ok(0) };
    let shift = usize::try_from(shift).map_err(|_| MoneyError::TooFine)?;
    raised(&significant, shift)
}

/// The same, rounded half up to a whole number.
pub(super) fn rounded(text: &str, places: u32) -> Result<i128, MoneyError> {
    let Some((significant, shift)) = significant(text, places)? else { return Ok(0) };
    if let Ok(shift) = usize::try_from(shift) {
        return raised(&significant, shift);
    }
    let dropped = usize::try_from(shift.unsigned_abs()).map_err(|_| MoneyError::TooLarge)?;
    let Some(kept) = significant.len().checked_sub(dropped) else { return Ok(0) };
    let (kept, rest) = significant.split_at(kept);
    let whole = if kept.is_empty() { 0 } else { raised(kept, 0)? };
    Ok(whole + i128::from(rest.as_bytes().first() >= Some(&b'5')))
}

/// The digits of a number without zeros at both ends, and the power of ten that they stand at once it is scaled; `None`
/// for zero.
fn significant(text: &str, places: u32) -> Result<Option<(String, i64)>, MoneyError> {
    if text.len() > MAX_CHARACTERS {
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
        return Ok(None);
    }
    if is_negative {
        return Err(MoneyError::Negative);
    }
    let stripped = digits.len() - digits.trim_end_matches('0').len();
    let length = |text: usize| i64::try_from(text).map_err(|_| MoneyError::TooLarge);
    let shift = i64::from(exponent) + i64::from(places) - length(fraction.len())? + length(stripped)?;
    Ok(Some((significant.to_owned(), shift)))
}

fn raised(significant: &str, shift: usize) -> Result<i128, MoneyError> {
    if significant.len() + shift > MAX_DIGITS {
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
    // What an answer costs is written for each of them, so the usual amounts take no division of 128 bits.
    if let (Ok(small), Some(unit)) = (u64::try_from(number), 10_u64.checked_pow(places)) {
        return write_small(f, small / unit, small % unit, places as usize);
    }
    let (sign, number, unit) = (if number < 0 { "-" } else { "" }, number.unsigned_abs(), 10_u128.pow(places));
    let (whole, rest) = (number / unit, number % unit);
    if rest == 0 {
        return f.pad(&format!("{sign}{whole}"));
    }
    let fraction = format!("{rest:0width$}", width = places as usize);
    f.pad(&format!("{sign}{whole}.{}", fraction.trim_end_matches('0')))
}

/// Writes a whole part and a fraction of so many places, without a buffer on the heap.
fn write_small(f: &mut fmt::Formatter<'_>, mut whole: u64, mut rest: u64, places: usize) -> fmt::Result {
    // At most 20 digits of either part, and a point.
    let mut text = [b'0'; 41];
    let mut begin = 20;
    while begin == 20 || whole > 0 {
        begin -= 1;
        text[begin] = b'0' + (whole % 10) as u8;
        whole /= 10;
    }
    let mut end = 20;
    if rest > 0 {
        text[20] = b'.';
        end = 21 + places;
        for digit in text[21..end].iter_mut().rev() {
            *digit = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        end -= text[21..end].iter().rev().take_while(|digit| **digit == b'0').count();
    }
    f.pad(std::str::from_utf8(&text[begin..end]).unwrap_or_default())
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

    #[test]
    fn small_and_large_numbers_are_written_alike() {
        struct Shown(i128, u32);
        impl fmt::Display for Shown {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write(f, self.0, self.1)
            }
        }
        for (number, places, text) in [
            (0, 9, "0"),
            (1, 9, "0.000000001"),
            (2_500_000_000, 9, "2.5"),
            (20_029_000, 12, "0.000020029"),
            (i128::from(u64::MAX), 12, "18446744.073709551615"),
            (i128::from(u64::MAX) + 1, 12, "18446744.073709551616"),
            (i128::from(u64::MAX), 0, "18446744073709551615"),
            (-1_500, 3, "-1.5"),
        ] {
            assert_eq!(Shown(number, places).to_string(), text);
        }
        assert_eq!(format!("[{:>6}]", Shown(15, 1)), "[   1.5]");
    }
}
