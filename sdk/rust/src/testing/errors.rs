//! Checks of errors that hold for every provider.

use crate::types::{Error, ErrorKind};

/// Checks that bodies which are none of the format's errors are judged by their status and never passed on. `answer`
/// parses an answer with this status and body; `member` is the body's member with a message.
pub fn check_other_shapes(answer: impl Fn(u16, &str) -> Error, member: &str) {
    let cut = format!("{{\"{member}\":");
    for (status, body, kind) in [
        (502, "<html><body>Bad Gateway</body></html>", ErrorKind::Upstream),
        (503, "", ErrorKind::Overloaded),
        (413, cut.as_str(), ErrorKind::TooLarge),
        (401, r#"{"detail": null}"#, ErrorKind::Authentication),
        (404, r#"{"detail": "Not Found"}"#, ErrorKind::NotFound),
        (400, "[1]", ErrorKind::InvalidRequest),
    ] {
        let error = answer(status, body);
        assert_eq!((error.kind, error.status), (kind, Some(status)), "{body}");
        assert!(!error.message.contains('<'), "{body}");
    }
    let long = answer(500, &format!(r#"{{"{member}":"{}"}}"#, "é".repeat(5000)));
    assert!(long.message.len() < 1010, "messages are bounded");
}
