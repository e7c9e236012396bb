//! Reads and writes floats exactly, without tables.
//!
//! The usual algorithms need some ten kilobytes of powers of ten for each direction. Here the numbers that are common
//! in JSON take fast exact paths, and all others a path that is slow and small.

mod big;

use big::Big;

/// Largest whole number up to which all whole numbers are exact.
const EXACT: u64 = 1 << 53;

/// The float nearest to a JSON number; `None` if that is an infinity.
#[inline(never)]
pub(super) fn read(text: &str) -> Option<f64> {
    let (negative, text) = text.strip_prefix('-').map_or((false, text), |text| (true, text));
    let mut mantissa = Some(0u64);
    let mut places = 0i32;
    let mut exponent = 0;
    let mut fraction = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'0'..=b'9' => {
                mantissa = mantissa.and_then(|m| m.checked_mul(10)?.checked_add(u64::from(byte - b'0')));
                places = places.saturating_add(i32::from(fraction));
            }
            b'.' => fraction = true,
            _ => {
                exponent = whole_exponent(text.get(at + 1..)?);
                break;
            }
        }
    }
    let exponent = exponent.saturating_sub(places);
    let value = match mantissa {
        Some(mantissa) => short(mantissa, exponent).or_else(|| big::read(text, exponent)),
        None => big::read(text, exponent),
    }?;
    Some(if negative { -value } else { value })
}

/// The number after the `e`, capped beyond any finite number's exponent.
fn whole_exponent(text: &str) -> i32 {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let limit = |value: i32, byte: u8| (value * 10 + i32::from(byte & 15)).min(99_999_999);
    let value = digits.bytes().fold(0, limit);
    if text.starts_with('-') { -value } else { value }
}

/// `mantissa * 10^exponent`, if one operation rounds it exactly.
fn short(mantissa: u64, exponent: i32) -> Option<f64> {
    match (mantissa, exponent) {
        (0, _) => Some(0.0),
        (_, 0) => Some(mantissa as f64),
        (..=EXACT, 1..=22) => Some(mantissa as f64 * ten(exponent)),
        (..=EXACT, -22..0) => Some(mantissa as f64 / ten(-exponent)),
        (_, -19..0) => {
            // With the dividend shifted to the left, the quotient has 63 bits or more, and the remainder only breaks
            // ties.
            let power = u128::from(10u64.pow(exponent.unsigned_abs()));
            let shift = mantissa.leading_zeros() + 63;
            let dividend = u128::from(mantissa) << shift;
            assemble(dividend / power, -shift.cast_signed(), !dividend.is_multiple_of(power))
        }
        _ => None,
    }
}

/// An exact power of ten, for powers up to 22.
fn ten(power: i32) -> f64 {
    (0..power).fold(1.0, |value, _| value * 10.0)
}

/// The float nearest to `whole * 2^exponent`, which is a little more if `above`; `None` if that is an infinity.
fn assemble(whole: u128, exponent: i32, above: bool) -> Option<f64> {
    let bits = 128 - whole.leading_zeros().cast_signed();
    if bits + exponent > 1024 {
        return None;
    }
    // Subnormal numbers have fewer than 53 bits.
    let kept = (bits + exponent + 1074).min(53);
    let dropped = (bits - kept).max(0);
    if kept < 0 {
        return Some(0.0);
    }
    let mut mantissa = whole.checked_shr(dropped.unsigned_abs()).unwrap_or(0);
    let rest = whole - mantissa.checked_shl(dropped.unsigned_abs()).unwrap_or(0);
    let half = if dropped > 0 { 1u128.checked_shl(dropped.unsigned_abs() - 1).unwrap_or(0) } else { u128::MAX };
    if rest > half || rest == half && (above || mantissa % 2 == 1) {
        mantissa += 1;
    }
    let exponent = exponent + dropped;
    let first = exponent / 2;
    let value = mantissa as f64 * two(first) * two(exponent - first);
    value.is_finite().then_some(value)
}

/// A power of two in the range of normal numbers.
fn two(power: i32) -> f64 {
    f64::from_bits(u64::from((power + 1023).unsigned_abs()) << 52)
}

/// Writes a finite number with few digits that parse to the same number.
#[inline(never)]
pub(super) fn write(out: &mut String, value: f64) {
    if value < 0.0 {
        out.push('-');
    }
    let value = value.abs();
    let mut power = 1.0;
    for places in 0..=22 {
        let whole = (value * power).round();
        if whole > EXACT as f64 {
            break;
        }
        if (whole / power).to_bits() == value.to_bits() {
            return plain(out, &decimal(whole as u64), places);
        }
        power *= 10.0;
    }
    let (digits, places) = exact(value);
    // Only subnormal numbers with fewer than 15 digits are not found above.
    let fewest = if value < f64::MIN_POSITIVE { 1 } else { 15 };
    for kept in fewest..=17 {
        let mut text = String::new();
        let (digits, places) = rounded(&digits, kept, places);
        plain(&mut text, &digits, places);
        if kept == 17 || read(&text) == Some(value) {
            return out.push_str(&text);
        }
    }
}

/// Writes a whole number.
pub(super) fn write_whole(out: &mut String, value: i64) {
    if value < 0 {
        out.push('-');
    }
    push_decimal(out, value.unsigned_abs());
}

fn decimal(value: u64) -> String {
    let mut text = String::with_capacity(20);
    push_decimal(&mut text, value);
    text
}

fn push_decimal(out: &mut String, mut value: u64) {
    let mut digits = [0; 20];
    let mut count = 0;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (value % 10) as u8;
        value /= 10;
        count += 1;
        if value == 0 {
            break;
        }
    }
    digits.iter().skip(20 - count).for_each(|digit| out.push(char::from(*digit)));
}

fn length(digits: &str) -> i32 {
    i32::try_from(digits.len()).unwrap_or(i32::MAX)
}

/// Writes digits of which the last `places` are after the point; with an exponent if that would be long.
fn plain(out: &mut String, digits: &str, places: i32) {
    let before = length(digits) - places;
    if !(-6..=21).contains(&before) {
        let (first, others) = digits.split_at_checked(1).unwrap_or((digits, ""));
        out.push_str(first);
        if !others.is_empty() {
            out.push('.');
            out.push_str(others);
        }
        out.push('e');
        return write_whole(out, i64::from(before - 1));
    }
    let (whole, fraction) = digits.split_at_checked(before.max(0).unsigned_abs() as usize).unwrap_or((digits, ""));
    out.push_str(if whole.is_empty() { "0" } else { whole });
    (places..0).for_each(|_| out.push('0'));
    if places > 0 {
        out.push('.');
        (before..0).for_each(|_| out.push('0'));
        out.push_str(fraction);
    }
}

/// More than 17 digits of a number, and how many of them are after the point.
fn exact(value: f64) -> (String, i32) {
    let bits = value.to_bits();
    let (field, fraction) = ((bits >> 52) as i32, bits & (EXACT / 2 - 1));
    let (mantissa, exponent) = if field == 0 { (fraction, -1074) } else { (fraction | (EXACT / 2), field - 1075) };
    let mut number = Big::of(mantissa);
    // 30103 / 100000 is the logarithm of two; the extra place makes up for its rounding.
    let magnitude = (number.bits() - 1 + exponent) * 30_103 / 100_000;
    let places = (19 - magnitude).max(0);
    (0..places).for_each(|_| number.multiply(10, 0));
    if exponent >= 0 {
        number.raise(exponent);
    } else {
        number.lower(-exponent);
    }
    (number.decimal(), places)
}

/// The first digits, rounded, without trailing zeros.
fn rounded(digits: &str, kept: usize, places: i32) -> (String, i32) {
    let first = digits.get(..kept).unwrap_or(digits);
    let up = digits.as_bytes().get(kept).is_some_and(|digit| *digit >= b'5');
    let number = first.bytes().fold(0u64, |number, digit| number * 10 + u64::from(digit & 15)) + u64::from(up);
    let text = decimal(number);
    let short = text.trim_end_matches('0');
    (short.to_owned(), places - (length(digits) - length(first)) - (length(&text) - length(short)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn same(text: &str) {
        let expected: f64 = text.parse().unwrap();
        assert_eq!(read(text).map(f64::to_bits), expected.is_finite().then_some(expected.to_bits()), "{text}");
    }

    fn back(value: f64) -> String {
        let mut text = String::new();
        write(&mut text, value);
        assert_eq!(text.parse::<f64>().unwrap().to_bits(), value.to_bits(), "{text}");
        assert_eq!(serde_json::from_str::<f64>(&text).unwrap().to_bits(), value.to_bits(), "{text}");
        text
    }

    #[test]
    fn hard_numbers_are_read_as_the_standard_library_reads_them() {
        for text in [
            "0",
            "-0",
            "0.0",
            "0e99999999999",
            "1e22",
            "1e23",
            "-1E+5",
            "2.2250738585072011e-308",
            "5e-324",
            "2e-324",
            "3e-324",
            "2.4703282292062327e-324",
            "2.4703282292062328e-324",
            "1.7976931348623157e308",
            "1.7976931348623159e308",
            "1e309",
            "1e-400",
            "1e99999999999999999999",
            "9007199254740993",
            "9007199254740993.0000000000000000000000000000000001",
            "18446744073709551615",
            "18446744073709551616",
            "123456789012345678901234567890e-30",
            "0.1000000014901161193847656250",
            "179769313486231580793728971405303415079934132710037826936173778980444968292764750946649017977587207096330286416692887910946555547851940402630657488671505820681908902000708383676273854845817711531764475730270069855571366959622842914819860834936475292719074168444365510704342711559699508093042880",
        ] {
            same(text);
        }
        let long = format!("0.{}1", "0".repeat(900));
        same(&long);
        same(&format!("{}e-1000", "7".repeat(1000)));
        same(&format!("1.{}1", "0".repeat(2000)));
    }

    #[test]
    fn numbers_are_written_short() {
        for (value, text) in [
            (0.1, "0.1"),
            (-0.7, "-0.7"),
            (1.0, "1"),
            (1e300, "1e300"),
            (5e-324, "5e-324"),
            (1e-7, "0.0000001"),
            (123.456, "123.456"),
            (f64::from(0.1f32), "0.10000000149011612"),
            (1e21, "1e21"),
            (1e20, "100000000000000000000"),
            (1.5e16, "15000000000000000"),
        ] {
            assert_eq!(back(value).trim_end_matches("e0"), text);
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_the_same(bits: u64) {
            let value = f64::from_bits(bits);
            prop_assume!(value.is_finite());
            let text = back(value);
            prop_assert_eq!(read(&text).map(f64::to_bits), Some(bits));
        }

        #[test]
        fn texts_are_read_exactly(text in "-?(0|[1-9][0-9]{0,24})(\\.[0-9]{1,30})?([eE][+-]?[0-9]{1,3})?") {
            same(&text);
        }

        #[test]
        fn short_numbers_are_read_exactly(mantissa: u64, shift in 0u32..64, exponent in -30i32..30) {
            same(&format!("{}e{exponent}", mantissa >> shift));
        }
    }
}
