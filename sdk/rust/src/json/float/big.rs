//! Whole numbers of any size, with the operations that floats need.

use super::assemble;

/// Further digits cannot change the nearest float, except by not being zero.
const DIGITS: i32 = 800;

/// A whole number; the lowest limb comes first, and the highest is not zero.
#[derive(Debug, Clone)]
pub(super) struct Big(Vec<u32>);

/// The float nearest to the digits of `text` times the power of ten, for any number of digits.
#[cold]
#[inline(never)]
pub(super) fn read(text: &str, exponent: i32) -> Option<f64> {
    let mut number = Big::of(0);
    let (mut taken, mut dropped, mut above) = (0, 0i32, false);
    for byte in text.bytes().take_while(|byte| !matches!(byte, b'e' | b'E')).filter(u8::is_ascii_digit) {
        if taken >= DIGITS {
            dropped = dropped.saturating_add(1);
            above |= byte != b'0';
            continue;
        }
        number.multiply(10, u32::from(byte & 15));
        taken += i32::from(!number.0.is_empty());
    }
    let exponent = exponent.saturating_add(dropped);
    let magnitude = exponent.saturating_add(taken);
    if number.0.is_empty() || magnitude < -330 {
        return Some(0.0);
    }
    if magnitude > 330 {
        return None;
    }
    let mut divisor = Big::of(1);
    let scaled = if exponent < 0 { &mut divisor } else { &mut number };
    (0..exponent.unsigned_abs()).for_each(|_| scaled.multiply(10, 0));
    divide(number, divisor, above)
}

/// The float nearest to the quotient.
fn divide(mut number: Big, mut divisor: Big, above: bool) -> Option<f64> {
    let mut power = number.bits() - divisor.bits();
    if power < 0 {
        number.raise(-power);
    } else {
        divisor.raise(power);
    }
    if number.less(&divisor) {
        number.raise(1);
        power -= 1;
    }
    let mut quotient = 0u128;
    for _ in 0..66 {
        quotient <<= 1;
        if !number.less(&divisor) {
            number.subtract(&divisor);
            quotient |= 1;
        }
        number.raise(1);
    }
    assemble(quotient, power - 65, above || !number.0.is_empty())
}

impl Big {
    pub(super) fn of(value: u64) -> Self {
        let mut number = Self(vec![value as u32, (value >> 32) as u32]);
        number.trim();
        number
    }

    fn trim(&mut self) {
        while self.0.last() == Some(&0) {
            self.0.pop();
        }
    }

    /// The number of bits.
    pub(super) fn bits(&self) -> i32 {
        self.0.last().map_or(0, |last| 32 * self.0.len().cast_signed() as i32 - last.leading_zeros().cast_signed())
    }

    /// Multiplies by `by` and adds `more`.
    pub(super) fn multiply(&mut self, by: u32, more: u32) {
        let mut carry = u64::from(more);
        for limb in &mut self.0 {
            carry += u64::from(*limb) * u64::from(by);
            *limb = carry as u32;
            carry >>= 32;
        }
        if carry > 0 {
            self.0.push(carry as u32);
        }
    }

    /// Divides by ten and returns the remainder.
    fn tenth(&mut self) -> u8 {
        let mut rest = 0u64;
        for limb in self.0.iter_mut().rev() {
            rest = rest << 32 | u64::from(*limb);
            *limb = (rest / 10) as u32;
            rest %= 10;
        }
        self.trim();
        rest as u8
    }

    /// Multiplies by a power of two.
    pub(super) fn raise(&mut self, power: i32) {
        self.multiply(1 << (power % 32), 0);
        if !self.0.is_empty() {
            let mut limbs = vec![0; power.unsigned_abs() as usize / 32];
            limbs.append(&mut self.0);
            self.0 = limbs;
        }
    }

    /// Divides by a power of two and drops the remainder.
    pub(super) fn lower(&mut self, power: i32) {
        self.0.drain(..self.0.len().min(power as usize / 32));
        let mut carry = 0u64;
        for limb in self.0.iter_mut().rev() {
            carry = carry << 32 | u64::from(*limb);
            *limb = (carry >> (power % 32)) as u32;
            carry &= (1 << (power % 32)) - 1;
        }
        self.trim();
    }

    fn less(&self, other: &Self) -> bool {
        let limbs = |number: &Self| number.0.len();
        limbs(self) < limbs(other) || limbs(self) == limbs(other) && self.0.iter().rev().lt(other.0.iter().rev())
    }

    /// Subtracts a number that is not greater.
    fn subtract(&mut self, other: &Self) {
        let mut borrow = 0i64;
        let others = other.0.iter().copied().chain(std::iter::repeat(0));
        for (limb, other) in self.0.iter_mut().zip(others) {
            borrow += i64::from(*limb) - i64::from(other);
            *limb = borrow as u32;
            borrow >>= 32;
        }
        self.trim();
    }

    /// The decimal digits.
    pub(super) fn decimal(mut self) -> String {
        let mut digits = Vec::new();
        while !self.0.is_empty() {
            digits.push(char::from(b'0' + self.tenth()));
        }
        digits.iter().rev().collect()
    }
}
