//! Amounts as decimal text: read, multiplied and written without floats.

use std::fmt::Write as _;

use anyhow::{Context, Result};

/// Decimal places that price files keep.
const PLACES: i32 = 12;

/// The first number with more digits than a float is sure to hold.
const NOISE: u128 = 1_000_000_000_000_000;

/// The first number with more digits than a derived amount has, which need not be exact.
const DERIVED: u128 = 1_000_000_000;

/// A decimal number of at least zero: `digits × 10^exponent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Amount {
    digits: u128,
    exponent: i32,
}

/// A ratio of two amounts, neither of which is zero.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ratio {
    over: Amount,
    under: Amount,
}

impl Ratio {
    /// The ratio of these amounts; `None` if one of them is zero.
    pub(super) fn of(over: Amount, under: Amount) -> Option<Self> {
        (!over.is_zero() && !under.is_zero()).then_some(Self { over, under })
    }
}

impl Amount {
    /// Reads a JSON number, or a string that holds one. Of more than 15 digits, the last ones are a float's noise
    /// (`2.9999900000000002e-06`): they are rounded.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let text = text.trim_matches('"');
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = format!("{whole}{fraction}").parse().with_context(|| format!("{text} is no amount"))?;
        let exponent: i32 = exponent.parse().with_context(|| format!("{text} is no amount"))?;
        let places = i32::try_from(fraction.len())?;
        Ok(Self { digits, exponent: exponent - places }.rounded(NOISE))
    }

    /// Rounded to fewer digits than this number has.
    fn rounded(self, limit: u128) -> Self {
        let mut read = self.reduced();
        while read.digits >= limit {
            read = Self { digits: (read.digits + 5) / 10, exponent: read.exponent + 1 };
        }
        read.reduced()
    }

    pub(super) const fn is_zero(self) -> bool {
        self.digits == 0
    }

    /// The product, for regional and other multipliers.
    pub(super) fn times(self, factor: Self) -> Result<Self> {
        let digits = self.digits.checked_mul(factor.digits).context("an amount is too long")?;
        Ok(Self { digits, exponent: self.exponent + factor.exponent }.reduced())
    }

    /// The amount that stands to this one in a ratio, to nine digits; `None` if it is too long.
    pub(super) fn at(self, Ratio { over, under }: Ratio) -> Option<Self> {
        let product = self.times(over).ok()?;
        let (mut digits, mut exponent) = (product.digits, product.exponent - under.exponent);
        while !digits.is_multiple_of(under.digits)
            && let Some(more) = digits.checked_mul(10)
        {
            (digits, exponent) = (more, exponent - 1);
        }
        Some(Self { digits: digits / under.digits, exponent }.rounded(DERIVED))
    }

    /// Whether it is more than another amount.
    pub(super) fn is_above(self, other: Self) -> bool {
        let lowest = self.exponent.min(other.exponent);
        let scaled = |amount: Self| {
            amount.digits.saturating_mul(10_u128.saturating_pow((amount.exponent - lowest).unsigned_abs()))
        };
        scaled(self) > scaled(other)
    }

    /// The price of one unit as a member of a price file, where amounts are for `usual` units unless it says otherwise.
    pub(super) fn write(self, usual: u64) -> String {
        let power = |per: u64| i32::try_from(per.ilog10()).unwrap_or_default();
        let mut per = usual;
        // Amounts that are finer than price files keep are for more units.
        while self.exponent + power(per) < -PLACES && per < 1_000_000_000 {
            per *= 1_000;
        }
        let text = Self { digits: self.digits, exponent: self.exponent + power(per) }.text();
        if per == usual { format!("\"{text}\"") } else { format!("{{\"amount\": \"{text}\", \"per\": {per}}}") }
    }

    fn reduced(mut self) -> Self {
        while self.digits != 0 && self.digits.is_multiple_of(10) {
            self = Self { digits: self.digits / 10, exponent: self.exponent + 1 };
        }
        if self.digits == 0 { Self { digits: 0, exponent: 0 } } else { self }
    }

    fn text(self) -> String {
        if self.is_zero() {
            return "0".to_owned();
        }
        let digits = self.digits.to_string();
        let places = usize::try_from(-self.exponent).unwrap_or_default();
        let mut text = String::new();
        if places == 0 {
            let zeros = usize::try_from(self.exponent).unwrap_or_default();
            let _ = write!(text, "{digits}{}", "0".repeat(zeros));
        } else {
            let digits = format!("{digits:0>width$}", width = places + 1);
            let (whole, fraction) = digits.split_at(digits.len() - places);
            let _ = write!(text, "{whole}.{fraction}");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_stay_exact() {
        let million = |text: &str| Amount::parse(text).unwrap().write(1_000_000);
        assert_eq!(million("2.5e-06"), "\"2.5\"");
        assert_eq!(million("0.0"), "\"0\"");
        assert_eq!(million("1.2e-4"), "\"120\"");
        assert_eq!(million("\"3e-9\""), "\"0.003\"");
        assert_eq!(million("2.9999900000000002e-06"), "\"2.99999\"");
        assert_eq!(million("8.39233e-08"), "\"0.0839233\"");
        assert_eq!(
            Amount::parse("0.0002833333333333333").unwrap().write(1),
            "{\"amount\": \"283.333333333333\", \"per\": 1000000}"
        );
        let uplift = Amount::parse("2.5e-06").unwrap().times(Amount::parse("1.1").unwrap()).unwrap();
        assert_eq!(uplift.write(1_000_000), "\"2.75\"");
        assert!(Amount::parse("1e-6").unwrap().is_above(Amount::parse("9e-7").unwrap()));
        assert!(!Amount::parse("10").unwrap().is_above(Amount::parse("1e1").unwrap()));
        let third = Ratio::of(Amount::parse("1e-6").unwrap(), Amount::parse("3e-6").unwrap()).unwrap();
        assert_eq!(Amount::parse("2e-06").unwrap().at(third).unwrap().write(1_000_000), "\"0.666666667\"");
        assert!(Amount::parse("true").is_err() && Amount::parse("-1").is_err());
    }
}
