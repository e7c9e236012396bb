//! `grpc-timeout`: how long the client waits, as a number of up to eight digits with a unit.

use std::time::Duration;

use http::{HeaderMap, HeaderValue};

use weir_types::headers::TIMEOUT_MS;

const NAME: &str = "grpc-timeout";

/// Sets the header by which the gateway knows how long a client waits: the shorter of that header and `grpc-timeout`.
pub(crate) fn apply(headers: &mut HeaderMap) {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let Some(timeout) = text(NAME).and_then(parse) else { return };
    let own = text(TIMEOUT_MS.as_str()).and_then(|value| value.parse().ok());
    let millis = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX).min(own.unwrap_or(u64::MAX));
    headers.insert(&TIMEOUT_MS, HeaderValue::from(millis));
}

fn parse(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number: u64 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(number * 3600),
        "M" => Duration::from_secs(number * 60),
        "S" => Duration::from_secs(number),
        "m" => Duration::from_millis(number),
        "u" => Duration::from_micros(number),
        "n" => Duration::from_nanos(number),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applied(grpc: &'static str, own: Option<&'static str>) -> Option<String> {
        let mut headers = HeaderMap::new();
        headers.insert(NAME, HeaderValue::from_static(grpc));
        if let Some(own) = own {
            headers.insert(&TIMEOUT_MS, HeaderValue::from_static(own));
        }
        apply(&mut headers);
        headers.get(&TIMEOUT_MS).map(|value| value.to_str().unwrap().to_owned())
    }

    #[test]
    fn the_shorter_time_counts() {
        assert_eq!(applied("2S", None).as_deref(), Some("2000"));
        assert_eq!(applied("2S", Some("30")).as_deref(), Some("30"));
        assert_eq!(applied("99999999H", Some("30")).as_deref(), Some("30"));
        assert_eq!(applied("1500u", None).as_deref(), Some("1"));
    }

    #[test]
    fn what_is_no_time_is_ignored() {
        for wrong in ["", "S", "1", "123456789S", "1s", "-1S", "１S"] {
            let mut headers = HeaderMap::new();
            headers.insert(NAME, HeaderValue::from_str(wrong).unwrap_or(HeaderValue::from_static("x")));
            apply(&mut headers);
            assert!(!headers.contains_key(&TIMEOUT_MS), "{wrong}");
        }
    }
}
