//! Signature Version 4 as storage verifies it, from what arrived.

use std::fmt::Write as _;

use ring::{digest, hmac};
use weir_tests::Received;

/// The signature that a request should have. Checks the hash of its body on the way.
pub(super) fn of(received: &Received, origin: &str, secret: &str) -> String {
    let hash = hex(digest::digest(&digest::SHA256, &received.body).as_ref());
    assert_eq!(received.header("x-amz-content-sha256"), Some(&*hash));
    let authorization = received.header("authorization").unwrap();
    let part = |name: &str| authorization.split(name).nth(1).and_then(|rest| rest.split(',').next()).unwrap();
    let (scope, names) = (part("Credential=").split_once('/').unwrap().1, part("SignedHeaders="));
    for name in ["content-type", "host", "x-amz-content-sha256", "x-amz-date"] {
        assert!(names.split(';').any(|signed| signed == name), "{name} is not signed: {names}");
    }
    let (method, path) = received.line().split_once(' ').unwrap();
    assert_eq!(received.header("host"), origin.strip_prefix("http://"));
    let mut canonical = format!("{method}\n{path}\n\n");
    for name in names.split(';') {
        writeln!(canonical, "{name}:{}", received.header(name).unwrap()).unwrap();
    }
    write!(canonical, "\n{names}\n{hash}").unwrap();
    let date = received.header("x-amz-date").unwrap();
    let hashed = hex(digest::digest(&digest::SHA256, canonical.as_bytes()).as_ref());
    let to_sign = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{hashed}");
    let key = scope.split('/').fold(format!("AWS4{secret}").into_bytes(), |key, part| sign(&key, part));
    hex(&sign(&key, &to_sign))
}

fn sign(key: &[u8], text: &str) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes()).as_ref().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}
