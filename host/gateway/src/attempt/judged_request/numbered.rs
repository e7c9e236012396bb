//! Texts that a client sends as token numbers. The provider can read them and no guard can.

use memchr::memchr2_iter;

use super::relayed::cannot_judge;
use weir_translate::unified::Request;
use weir_types::contract::types::{EmbeddingInput, Part};
use weir_types::fault::Fault;

/// Refuses a request that has such a text.
pub(super) fn check(request: &Request) -> Result<(), Fault> {
    let is_numbered = match request {
        Request::Embeddings(request) => request.inputs.iter().any(|input| matches!(input, EmbeddingInput::Tokens(_))),
        Request::Chat(chat) | Request::CountTokens(chat) => {
            let mut parts = chat.messages.iter().flat_map(|message| &message.parts);
            parts.any(|part| matches!(part, Part::Opaque(opaque) if is_list_of_tokens(&opaque.json)))
        }
        Request::Rerank(_) | Request::Models(_) => false,
    };
    if is_numbered { Err(unreadable()) } else { Ok(()) }
}

/// Whether a part that only one format has, such as the prompt of a legacy completion, is a list of tokens, a list of
/// such lists, or a list of texts and tokens: it has numbers and no objects. The part is not parsed into values, since
/// it may be long.
fn is_list_of_tokens(json: &str) -> bool {
    let mut has_number = false;
    for byte in outside_strings(json.as_bytes()) {
        if byte == b'{' {
            return false;
        }
        has_number |= byte.is_ascii_digit();
    }
    has_number && json.trim_start().starts_with('[')
}

/// Whether a body in JSON may have such a text: there is a number in a list.
pub(super) fn may_be_in(json: &[u8]) -> bool {
    let begins_number = |at: usize| {
        let rest = json.get(at + 1..).unwrap_or_default();
        rest.iter().find(|byte| !byte.is_ascii_whitespace()).is_some_and(u8::is_ascii_digit)
    };
    // Most bodies do not even have a string that looks like this.
    memchr2_iter(b'[', b',', json).any(begins_number) && has_number_in_list(json)
}

fn has_number_in_list(json: &[u8]) -> bool {
    let mut before = 0;
    outside_strings(json).filter(|byte| !byte.is_ascii_whitespace()).any(|byte| {
        let is_first = matches!(std::mem::replace(&mut before, byte), b'[' | b',');
        is_first && byte.is_ascii_digit()
    })
}

/// The bytes of a JSON text without the content of its strings. Their quotes stay.
fn outside_strings(json: &[u8]) -> impl Iterator<Item = u8> {
    let (mut in_string, mut is_escaped) = (false, false);
    json.iter().copied().filter(move |byte| {
        if is_escaped {
            is_escaped = false;
            return false;
        }
        is_escaped = *byte == b'\\';
        in_string ^= *byte == b'"';
        !in_string || *byte == b'"'
    })
}

fn unreadable() -> Fault {
    cannot_judge(
        "a guard judges this key's requests, and cannot read texts that are given as the numbers of their tokens: send the \
         text itself, or ask the operator to leave this key out of the guard's `for`, or to let its failures pass",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_tokens_are_told_from_other_parts() {
        for json in ["[1]", "[1,2]", " [ [1, 2], [3] ]", "[\"a\", [7]]", "[[], [7]]", "[\"\\\"\", 7]", "[\"\",7]"] {
            assert!(is_list_of_tokens(json) && may_be_in(json.as_bytes()), "{json}");
        }
        for json in ["[]", "[[]]", "[\"1\"]", "[\"\\\",1\"]", "\"[1]\"", "1", "{\"a\":[1]}", "[{\"a\":1}]", "{}", ""] {
            assert!(!is_list_of_tokens(json), "{json}");
        }
        for json in ["{\"input\":[\"a\", \"b\"],\"bias\":{\"1\":2},\"n\":[-1]}", "{\"a\":\"[1, 2\\\",3\", \"b\": 4}"] {
            assert!(!may_be_in(json.as_bytes()), "{json}");
        }
    }
}
