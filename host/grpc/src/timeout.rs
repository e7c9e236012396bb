//! `grpc-timeout`: how long the client waits, as a number of up to eight digits with a unit.

use std::time::Duration;

use http::{HeaderMap, HeaderValue};

use weir_types::fault::Fault;
use weir_types::headers::TIMEOUT_MS;

const NAME: &str = "grpc-timeout";

/// Refuses a `grpc-timeout` that cannot be read. Servers of gRPC differ: some ignore it, so that a call takes longer
/// than its client believes, and some blame themselves for it with `INTERNAL`.
pub(crate) fn check(headers: &HeaderMap) -> Result<(), Fault> {
    let wrong = || {
        Fault::invalid(format!("`{NAME}` has to be up to 8 digits with a unit (H, M, S, m, u, n), and be there once"))
            .at(NAME)
    };
    read(headers).map(drop).map_err(|NoTime| wrong())
}

/// Sets the header by which the gateway knows how long a client waits: the shorter of that header and `grpc-timeout`.
/// One of the two that cannot be read stays as it is, to be refused.
pub(crate) fn apply(headers: &mut HeaderMap) {
    let Ok(Some(timeout)) = read(headers) else { return };
    let millis = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
    let own = headers.get(&TIMEOUT_MS).map(|value| value.to_str().ok()?.trim().parse::<u64>().ok());
    let is_shorter = own.is_none_or(|own| own.is_some_and(|own| millis < own));
    if is_shorter && headers.get_all(&TIMEOUT_MS).iter().count() <= 1 {
        headers.insert(&TIMEOUT_MS, HeaderValue::from(millis));
    }
}

/// The header has something else than a time.
struct NoTime;

/// The time, if there is one.
fn read(headers: &HeaderMap) -> Result<Option<Duration>, NoTime> {
    let mut values = headers.get_all(NAME).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let time = value.to_str().ok().and_then(|text| parse(text.trim())).filter(|_| values.next().is_none());
    time.map(Some).ok_or(NoTime)
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
    fn what_is_no_time_is_refused_and_never_hidden() {
        let mut headers = HeaderMap::new();
        assert!(check(&headers).is_ok());
        headers.insert(&TIMEOUT_MS, HeaderValue::from_static("5s"));
        for wrong in ["", "S", "1", "123456789S", "1s", "-1S", "１S", "1.5S"] {
            headers.insert(NAME, HeaderValue::from_str(wrong).unwrap_or(HeaderValue::from_static("x")));
            apply(&mut headers);
            assert_eq!((headers[&TIMEOUT_MS].as_bytes(), check(&headers).is_err()), (&b"5s"[..], true), "{wrong}");
        }
        headers.insert(NAME, HeaderValue::from_static("1S"));
        apply(&mut headers);
        assert_eq!((headers[&TIMEOUT_MS].as_bytes(), check(&headers).is_ok()), (&b"5s"[..], true));
        headers.append(NAME, HeaderValue::from_static("1S"));
        assert!(check(&headers).is_err());
    }
}
