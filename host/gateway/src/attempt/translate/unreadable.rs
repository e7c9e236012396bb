//! Answers that the provider's adapter cannot read. The provider charges for an answer whether or not Weir can read it,
//! but not for an error, which some providers send with the status of an answer.

use weir_types::contract::types::{Body, ErrorKind, HttpResponse};
use weir_types::fault::{Fault, Side};
use weir_wire::estimate::Content;

/// Whether the adapter failed to read an answer, rather than having read an error in it. For an empty answer there is
/// nothing to charge.
pub(super) fn is_unreadable(fault: &Fault, http: &HttpResponse) -> bool {
    let is_answer = (200..300).contains(&http.status) && !bytes_of(&http.body).is_empty();
    is_answer && !(fault.side == Side::Upstream && is_of_provider(fault, bytes_of(&http.body)))
}

/// Whether an error is the provider's own: it has a kind, a status or a code that adapters set only for errors in
/// answers, or the answer contains its words. An adapter's error about an unreadable answer has none of these.
pub(in crate::attempt) fn is_of_provider(fault: &Fault, body: &[u8]) -> bool {
    let error = &fault.error;
    error.kind != ErrorKind::Upstream || error.status.is_some() || error.code.is_some() || quotes(body, &error.message)
}

/// Whether the body contains these words. Their end may be cut off, and JSON may escape some of their characters.
fn quotes(body: &[u8], words: &str) -> bool {
    let is_kept = |char: &char| char.is_ascii() && !char.is_ascii_control() && !matches!(char, '"' | '\\' | '/');
    let pieces = words.split(|char| !is_kept(&char));
    let longest = pieces.max_by_key(|piece| piece.len()).unwrap_or_default();
    !longest.is_empty() && memchr::memmem::find(body, longest.as_bytes()).is_some()
}

/// The estimated output tokens of an answer that cannot be read, but not more than `most`, since its bytes need not be
/// content.
pub(super) fn output(body: &Body, most: u64) -> u32 {
    let mut content = Content::default();
    content.json(bytes_of(body));
    content.tokens_of_json().min(u32::try_from(most).unwrap_or(u32::MAX))
}

fn bytes_of(body: &Body) -> &[u8] {
    match body {
        Body::Text(text) => text.as_bytes(),
        Body::Bytes(bytes) => bytes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(status: u16, body: &str, fault: &Fault) -> bool {
        let http = HttpResponse { status, headers: Vec::new(), body: Body::Text(body.to_owned()) };
        is_unreadable(fault, &http)
    }

    fn upstream(kind: ErrorKind, message: &str) -> Fault {
        Fault::new(Side::Upstream, kind, message)
    }

    #[test]
    fn an_answer_that_no_one_understands_is_told_from_an_error_within_an_answer() {
        let answer = r#"{"choices":[{"message":{"content":"Hi"}}],"usage":[1]}"#;
        let failed = upstream(ErrorKind::Upstream, "the provider's answer is not readable: invalid type: sequence");
        assert!(read(200, answer, &failed));
        assert!(read(200, answer, &Fault::adapter("the adapter `a` failed")), "a trap");
        assert!(!read(302, answer, &failed) && !read(200, "", &failed));
        let error = r#"{"error":{"message":"The \"model\" is\nbroken today"}}"#;
        assert!(!read(200, error, &upstream(ErrorKind::Upstream, "The \"model\" is\nbroken today")));
        assert!(!read(200, error, &upstream(ErrorKind::Overloaded, "busy")));
        assert!(!read(200, error, &failed.clone().with_status(502)));
        assert!(!read(200, error, &failed.with_code("no")));
    }

    #[test]
    fn an_answer_that_was_not_read_has_an_output() {
        assert!(output(&Body::Text("{}".to_owned()), 9) > 0);
        let words = "word ".repeat(1_000);
        let body = Body::Bytes(words.into_bytes());
        assert!((500..2_000).contains(&output(&body, u64::MAX)));
        assert_eq!(output(&body, 9), 9);
    }
}
