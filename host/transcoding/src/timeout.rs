//! The header `grpc-timeout`.

use std::time::Duration;

/// The most digits that the header may have.
const MAX_TIMEOUT_VALUE: u128 = 99_999_999;

/// A time as the header `grpc-timeout` spells it: in milliseconds, or in seconds if it is too long for that.
pub fn timeout(time: Duration) -> String {
    match time.as_millis() {
        ms if ms <= MAX_TIMEOUT_VALUE => format!("{}m", ms.max(1)),
        ms => format!("{}S", (ms / 1000).min(MAX_TIMEOUT_VALUE)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_has_at_most_eight_digits_and_is_never_none() {
        assert_eq!(timeout(Duration::from_millis(1500)), "1500m");
        assert_eq!(timeout(Duration::ZERO), "1m");
        assert_eq!(timeout(Duration::from_secs(100_000)), "100000S");
        assert_eq!(timeout(Duration::MAX), "99999999S");
    }
}
