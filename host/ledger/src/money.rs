//! Amounts of money as integers: nano-dollars where they are kept, pico-dollars while computing.
//!
//! No amount passes through a float. Text is read exactly, and text that does not fit is an error, never a rounded
//! amount. There are two places where an amount is rounded, both half up: a line of a bill to the pico-dollar, if its
//! price is not a whole number of pico-dollars for each unit, and the total of a bill to the nano-dollar.

use std::fmt;

use serde::{Deserialize, Serialize};

mod decimal;

pub use decimal::MoneyError;

/// Pico-dollars in a dollar.
const PICOS: u32 = 12;
/// Nano-dollars in a dollar.
const NANOS: u32 = 9;
/// Pico-dollars in a nano-dollar.
const PICOS_IN_NANO: i128 = 1_000;
/// The dearest price for one `per`: a million dollars. With it, no product in this crate can overflow.
const DEAREST: i128 = 1_000_000 * 1_000_000_000_000;
/// The largest `per` of a price.
const MAX_PER: u64 = 1_000_000_000;
/// Millionths in a unit.
const MILLION: u64 = 1_000_000;

/// Nano-dollars, at least zero: up to nine billion dollars.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Nano(i64);

impl Nano {
    /// No money.
    pub const ZERO: Self = Self(0);
    /// The largest amount.
    pub const MAX: Self = Self(i64::MAX);

    /// An amount from a number of nano-dollars.
    pub const fn new(nanos: i64) -> Result<Self, MoneyError> {
        if nanos < 0 { Err(MoneyError::Negative) } else { Ok(Self(nanos)) }
    }

    /// Reads dollars: `500`, `0.25`, `2.5e-06`.
    pub fn from_dollars(text: &str) -> Result<Self, MoneyError> {
        let nanos = decimal::scaled(text, NANOS)?;
        i64::try_from(nanos).map(Self).map_err(|_| MoneyError::TooLarge)
    }

    /// Reads dollars as [`Nano::from_dollars`] does, and rounds what is finer half up: others compute with floats.
    pub fn nearest(text: &str) -> Result<Self, MoneyError> {
        let nanos = decimal::rounded(text, NANOS)?;
        i64::try_from(nanos).map(Self).map_err(|_| MoneyError::TooLarge)
    }

    /// The number of nano-dollars.
    pub const fn get(self) -> i64 {
        self.0
    }

    /// The sum, or an error if it is too large.
    pub fn plus(self, other: Self) -> Result<Self, MoneyError> {
        self.0.checked_add(other.0).map(Self).ok_or(MoneyError::TooLarge)
    }
}

/// Without the sign of dollars and without zeros at the end: `0.0000025`.
impl fmt::Display for Nano {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        decimal::write(f, i128::from(self.0), NANOS)
    }
}

impl<'de> Deserialize<'de> for Nano {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(i64::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// Pico-dollars, at least zero, for sums that are not yet rounded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Pico(i128);

impl Pico {
    /// No money.
    pub const ZERO: Self = Self(0);

    /// Reads dollars: `500`, `0.25`, `2.5e-06`.
    pub fn from_dollars(text: &str) -> Result<Self, MoneyError> {
        decimal::scaled(text, PICOS).map(Self)
    }

    /// The number of pico-dollars.
    pub const fn get(self) -> i128 {
        self.0
    }

    /// The sum, or an error if it is too large.
    pub fn plus(self, other: Self) -> Result<Self, MoneyError> {
        self.0.checked_add(other.0).map(Self).ok_or(MoneyError::TooLarge)
    }

    /// An amount of whole nano-dollars.
    pub(crate) fn of_nano(nano: Nano) -> Self {
        Self(i128::from(nano.0) * PICOS_IN_NANO)
    }

    /// Rounds to the nano-dollar, half up.
    pub(crate) fn to_nano(self) -> Result<Nano, MoneyError> {
        let nanos = self.0 / PICOS_IN_NANO + i128::from(self.0 % PICOS_IN_NANO >= PICOS_IN_NANO / 2);
        i64::try_from(nanos).map(Nano).map_err(|_| MoneyError::TooLarge)
    }
}

/// As [`Nano`], to the pico-dollar.
impl fmt::Display for Pico {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        decimal::write(f, self.0, PICOS)
    }
}

/// A count of something billed, to the millionth: tokens are whole, seconds may not be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Quantity(u64);

impl Quantity {
    /// A whole count.
    pub const fn whole(count: u32) -> Self {
        Self(count as u64 * MILLION)
    }

    /// A count of many requests together; the largest quantity if the count is too large.
    pub const fn many(count: u64) -> Self {
        Self(count.saturating_mul(MILLION))
    }

    /// A count as providers report it, rounded to the millionth.
    pub fn measured(count: f64) -> Result<Self, MoneyError> {
        let millionths = (count * 1e6).round();
        if millionths.is_nan() {
            return Err(MoneyError::NotANumber);
        }
        if millionths < 0.0 {
            return Err(MoneyError::Negative);
        }
        // Beyond this a float no longer holds every millionth.
        if millionths > 9.0e15 { Err(MoneyError::TooLarge) } else { Ok(Self(millionths as u64)) }
    }

    /// Whether there is nothing.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// The sum; the largest count if it is too large.
    #[must_use]
    pub const fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        decimal::write(f, i128::from(self.0), 6)
    }
}

/// A price: an amount for so many units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rate {
    amount: i128,
    per: u64,
}

impl Rate {
    /// A price of `dollars` for `per` units: not negative, at most a million dollars, and exact to the pico-dollar.
    pub fn new(dollars: &str, per: u64) -> Result<Self, MoneyError> {
        if per == 0 || per > MAX_PER {
            return Err(MoneyError::Per);
        }
        let amount = Pico::from_dollars(dollars)?.0;
        if amount > DEAREST { Err(MoneyError::TooLarge) } else { Ok(Self { amount, per }) }
    }

    /// The amount for [`Rate::per`] units.
    pub const fn amount(self) -> Pico {
        Pico(self.amount)
    }

    /// How many units the amount is for.
    pub const fn per(self) -> u64 {
        self.per
    }

    /// What so many units cost, rounded half up to the pico-dollar.
    pub const fn cost(self, count: Quantity) -> Pico {
        // At most 2^64 × 10^18, which is less than 2^127.
        let product = count.0 as i128 * self.amount;
        let units = self.per as i128 * MILLION as i128;
        Pico(product / units + (product % units * 2 >= units) as i128)
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} per {}", self.amount(), self.per)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rate(dollars: &str, per: u64) -> Rate {
        Rate::new(dollars, per).unwrap()
    }

    #[test]
    fn a_small_call_keeps_its_nano_dollars() {
        // Ten tokens at two cents a million are 0.2 micro-dollars, which micro-dollars would lose.
        assert_eq!(rate("0.02", 1_000_000).cost(Quantity::whole(10)).to_nano().unwrap(), Nano(200));
    }

    #[test]
    fn totals_are_rounded_half_up() {
        for (picos, nanos) in [(0, 0), (499, 0), (500, 1), (1_499, 1), (1_500, 2)] {
            assert_eq!(Pico(picos).to_nano(), Ok(Nano(nanos)));
        }
        assert_eq!(Pico(i128::MAX).to_nano(), Err(MoneyError::TooLarge));
        assert_eq!(rate("1", 3).cost(Quantity::whole(1)), Pico(333_333_333_333));
        assert_eq!(rate("2", 3).cost(Quantity::whole(1)), Pico(666_666_666_667));
    }

    #[test]
    fn amounts_are_shown_without_needless_zeros() {
        for (text, shown) in [("0", "0"), ("1.50", "1.5"), ("2.5e-06", "0.0000025"), ("1e3", "1000")] {
            assert_eq!(Nano::from_dollars(text).unwrap().to_string(), shown);
        }
        assert_eq!(rate("10", 1_000).to_string(), "10 per 1000");
    }

    #[test]
    fn measured_counts_are_bounded() {
        assert_eq!(Quantity::measured(2.5).unwrap().to_string(), "2.5");
        assert_eq!(Quantity::measured(f64::NAN), Err(MoneyError::NotANumber));
        assert_eq!(Quantity::measured(f64::INFINITY), Err(MoneyError::TooLarge));
        assert_eq!(Quantity::measured(-1.0), Err(MoneyError::Negative));
        assert_eq!(Quantity::measured(1e30), Err(MoneyError::TooLarge));
    }

    #[test]
    fn a_price_out_of_range_is_refused() {
        assert_eq!(Rate::new("1", 0), Err(MoneyError::Per));
        assert_eq!(Rate::new("1000001", 1), Err(MoneyError::TooLarge));
        assert_eq!(Rate::new("1e30", 1), Err(MoneyError::TooLarge));
        assert_eq!(Rate::new("1e-13", 1), Err(MoneyError::TooFine));
    }

    proptest! {
        #[test]
        fn no_count_at_no_price_overflows(count: u64, picos in 0..=DEAREST, per in 1..=MAX_PER) {
            let cost = Rate { amount: picos, per }.cost(Quantity(count));
            prop_assert!(cost.0 >= 0);
            prop_assert!(cost.0 <= i128::from(count) * picos / i128::from(per) / 1_000_000 + 1);
        }

        #[test]
        fn what_is_shown_reads_back(nanos in 0..i64::MAX) {
            prop_assert_eq!(Nano::from_dollars(&Nano(nanos).to_string()), Ok(Nano(nanos)));
        }
    }

    #[test]
    fn what_others_computed_is_rounded_half_up_and_nothing_absurd_is_an_amount() {
        let nanos = |text| Nano::nearest(text).map(Nano::get);
        for (text, expected) in [
            ("0", 0),
            ("0.00014", 140_000),
            ("1.4e-4", 140_000),
            ("0.000010500000000000001", 10_500),
            ("0.0000000014999", 1),
            ("0.0000000015", 2),
            ("5e-10", 1),
            ("4.9e-10", 0),
            ("9e-99", 0),
            ("0.9999999996", 1_000_000_000),
            ("12", 12_000_000_000),
        ] {
            assert_eq!(nanos(text), Ok(expected), "{text}");
        }
        for text in ["", "NaN", "Infinity", "-0.1", "-1e-99", "1e99", "1,5", "0x1", "99999999999999999999"] {
            assert!(nanos(text).is_err(), "{text}");
        }
        assert_eq!(nanos("-0"), Ok(0));
    }
}
