//! The requests that the service takes unchanged.

use weir_sdk::manifest::{Acceptance, Operation, strings};
use weir_sdk::types::Header;

use crate::FORMAT;
use crate::provider::request::VERSION;

pub(super) fn all() -> Vec<Acceptance> {
    vec![
        acceptance(Operation::Chat, "POST", "messages", ["beta"]),
        acceptance(Operation::CountTokens, "POST", "messages/count_tokens", ["beta"]),
        acceptance(Operation::Models, "GET", "models", ["limit", "after_id", "before_id", "beta"]),
        acceptance(Operation::Models, "GET", "models/{model}", ["beta"]),
    ]
}

fn acceptance<const N: usize>(operation: Operation, method: &str, path: &str, query: [&str; N]) -> Acceptance {
    of_format(FORMAT, operation, method, path, query)
}

pub(super) fn of_format<const N: usize>(
    format: &str,
    operation: Operation,
    method: &str,
    path: &str,
    query: [&str; N],
) -> Acceptance {
    Acceptance {
        query_forwarded: strings(query),
        request_headers: strings(["anthropic-version", "anthropic-beta"]),
        // Of several entries for one header, the first whose placeholders can be filled counts.
        set_headers: vec![
            Header::new("anthropic-version", "{option.version}"),
            Header::new("anthropic-version", VERSION),
            Header::new("anthropic-beta", "{option.beta}"),
        ],
        response_headers: strings(["request-id", "anthropic-*", "retry-after", "retry-after-ms", "x-should-retry"]),
        preferred: true,
        ..Acceptance::new(format, operation, method, path)
    }
}
