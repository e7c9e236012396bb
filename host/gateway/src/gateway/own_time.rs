//! How long a client waits for its answer, by its own header.

use std::time::{Duration, Instant};

use http::HeaderMap;

use crate::attempt::InboundRequest;
use weir_types::contract::types::ErrorKind;
use weir_types::fault::{Fault, Side};
use weir_types::headers::TIMEOUT_MS;

/// Refuses a time limit that cannot be read: without it, the request would take longer than its client expects.
pub(super) fn check(headers: &HeaderMap) -> Result<(), Fault> {
    read(headers).map(drop)
}

/// How long the client waits; `None` if it did not send that.
pub(super) fn own_time(inbound: &InboundRequest) -> Option<Duration> {
    read(&inbound.headers).ok().flatten()
}

/// Until when the client of a request that arrived then waits, if its headers say so.
pub(super) fn until(headers: &HeaderMap, begun: Instant) -> Option<Instant> {
    begun.checked_add(read(headers).ok().flatten()?)
}

/// Refuses a request whose client waits no longer: an answer would be paid for, and have no reader.
pub(super) fn ask_in_time(until: Option<Instant>) -> Result<(), Fault> {
    if until.is_none_or(|until| Instant::now() < until) {
        return Ok(());
    }
    let message =
        "the time that the request may take (`x-weir-timeout-ms`, `grpc-timeout`) was over before a provider was asked";
    Err(Fault::new(Side::Client, ErrorKind::Timeout, message).with_status(504))
}

fn read(headers: &HeaderMap) -> Result<Option<Duration>, Fault> {
    let mut values = headers.get_all(&TIMEOUT_MS).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let text = value.to_str().unwrap_or_default().trim();
    let millis = text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten();
    let millis = millis.filter(|_| values.next().is_none());
    millis.map(|millis| Some(Duration::from_millis(millis))).ok_or_else(|| {
        Fault::invalid(format!("`{TIMEOUT_MS}` has to be a whole number of milliseconds, and be there once"))
            .at(TIMEOUT_MS.as_str())
    })
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn of(values: &[&'static str]) -> Result<Option<Duration>, Fault> {
        let values = values.iter().map(|value| (TIMEOUT_MS.clone(), HeaderValue::from_static(value)));
        read(&values.collect())
    }

    #[test]
    fn a_time_is_a_number_that_is_there_once() {
        for (text, millis) in [("0", 0), (" 250 ", 250), ("18446744073709551615", u64::MAX)] {
            assert_eq!(of(&[text]).unwrap(), Some(Duration::from_millis(millis)), "{text}");
        }
        assert_eq!(of(&[]).unwrap(), None);
        for wrong in ["", "-1", "+5", "1.5", "5s", "0x1", "1e3", "1 0", "18446744073709551616"] {
            assert!(of(&[wrong]).is_err(), "{wrong}");
        }
        assert!(of(&["5", "5"]).is_err());
    }
}
