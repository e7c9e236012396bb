//! UUIDs of version 7, which carry the time that they were made at.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

/// A UUID of version 7: 48 bits of milliseconds since 1970, a counter, and a number that this process drew at its
/// start. The order of the ids of one process is the order in which they were made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uuid7([u8; 16]);

/// The bits of the counter that fit between the time and the process's number.
const COUNTER_BITS: u64 = 42;

impl Uuid7 {
    /// A new id for this time.
    pub fn new(time_ms: u64) -> Self {
        static SEED: OnceLock<u32> = OnceLock::new();
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let seed = *SEED.get_or_init(|| getrandom::u32().unwrap_or_else(|_| std::process::id()));
        Self::of(time_ms, NEXT.fetch_add(1, Ordering::Relaxed), seed)
    }

    fn of(time_ms: u64, number: u64, seed: u32) -> Self {
        let number = number & ((1 << COUNTER_BITS) - 1);
        let high = time_ms << 16 | 0x7000 | number >> 30;
        let low = 1 << 63 | (number & 0x3fff_ffff) << 32 | u64::from(seed);
        Self((u128::from(high) << 64 | u128::from(low)).to_be_bytes())
    }

    /// The usual text.
    pub fn text(&self) -> Arc<str> {
        Arc::from(std::str::from_utf8(&self.digits()).unwrap_or_default())
    }

    /// The usual text as bytes. Each request needs it twice.
    pub fn digits(&self) -> [u8; 36] {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        /// The place of each byte's two digits, between which hyphens stand.
        const PLACES: [usize; 16] = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34];
        let mut text = [b'-'; 36];
        for (byte, at) in self.0.iter().zip(PLACES) {
            text[at] = DIGITS[usize::from(byte >> 4)];
            text[at + 1] = DIGITS[usize::from(byte & 15)];
        }
        text
    }

    /// The bytes, in the order of time.
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for Uuid7 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(&self.digits()).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_the_version_the_time_and_the_order_in_which_it_was_made() {
        let id = Uuid7::of(0x0192_3456_789a, 1, 0xdead_beef);
        assert_eq!(id.to_string(), "01923456-789a-7000-8000-0001deadbeef");
        let last = Uuid7::of(0x0192_3456_789a, u64::MAX, u32::MAX);
        assert_eq!(last.to_string(), "01923456-789a-7fff-bfff-ffffffffffff");
        let ids: Vec<Uuid7> = (0..10_000).map(|_| Uuid7::new(7)).collect();
        assert!(ids.windows(2).all(|pair| pair[0] < pair[1]));
    }
}
