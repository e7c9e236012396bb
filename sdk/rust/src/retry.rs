//! When a provider wants to be asked again.

use crate::model::header;
use crate::time;
use crate::types::Header;

/// The wait that an answer's headers ask for, in milliseconds: `retry-after-ms`, or `retry-after` in seconds or as a
/// date; `now_ms` is the context's time.
pub fn after_ms(headers: &[Header], now_ms: f64) -> Option<u32> {
    if let Some(wait) = header(headers, "retry-after-ms").and_then(|value| value.trim().parse::<f64>().ok()) {
        return milliseconds(wait);
    }
    let value = header(headers, "retry-after")?.trim();
    match value.parse::<f64>() {
        Ok(seconds) => milliseconds(seconds * 1000.0),
        Err(_) => milliseconds((time::parse_http(value)? - now_ms).max(0.0)),
    }
}

fn milliseconds(wait: f64) -> Option<u32> {
    (wait.is_finite() && wait >= 0.0).then(|| wait.min(f64::from(u32::MAX)) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(name: &str, value: &str) -> Option<u32> {
        after_ms(&[Header::new(name, value)], 784_111_777_000.0)
    }

    #[test]
    fn c63_seconds_milliseconds_and_dates_are_read() {
        assert_eq!(wait("retry-after", "2"), Some(2000));
        assert_eq!(wait("retry-after", "0.5"), Some(500));
        assert_eq!(wait("retry-after-ms", "120"), Some(120));
        assert_eq!(wait("retry-after", "Sun, 06 Nov 1994 08:49:47 GMT"), Some(10_000));
        assert_eq!(wait("retry-after", "Sun, 06 Nov 1994 08:49:27 GMT"), Some(0));
    }

    #[test]
    fn nonsense_asks_for_nothing() {
        for value in ["", "soon", "-1", "NaN", "Sun, 99 Foo 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49 GMT"] {
            assert_eq!(wait("retry-after", value), None, "{value}");
        }
    }
}
