//! Token counts: the answers of services that count, and those to clients.

use serde::Deserialize;

use crate::adapter::Result;
use crate::json::{Count, object, parse};
use crate::types::{Error, HttpResponse, RenderedResponse, TokenCount};

/// Parses a service's answer as the format's own type.
pub fn parsed<'a, T: Deserialize<'a>>(response: &'a HttpResponse) -> Result<T> {
    let text = response.text()?;
    parse(text).map_err(|error| Error::unreadable(format!("the count cannot be read: {error}")))
}

/// The count of such an answer: the tokens of the input, and those of them that a cache holds.
pub fn of(input: Option<Count>, cached: Option<Count>) -> Result<TokenCount> {
    let input = input.ok_or_else(|| Error::unreadable("the count is missing"))?.0;
    Ok(TokenCount { input, cached: cached.map(|count| count.0) })
}

/// Renders a count as an object with these members. A format without a member for cached tokens leaves them out.
pub fn rendered(count: &TokenCount, input: &str, cached: Option<&str>) -> RenderedResponse {
    let mut body = String::new();
    object(&mut body, |o| {
        o.num(input, count.input);
        if let Some(cached) = cached {
            o.opt_num(cached, count.cached);
        }
    });
    RenderedResponse::json(body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::http_response;
    use crate::types::Body;

    crate::wire! {
        struct Counted<'a> {
            "tokens" => tokens: Count,
        }
    }

    fn read(body: &str) -> Result<TokenCount> {
        let response = http_response(200, body);
        let counted: Counted<'_> = parsed(&response)?;
        of(counted.tokens, None)
    }

    #[test]
    fn c59_a_count_is_read_and_anything_else_is_an_error() {
        assert_eq!(read(r#"{"tokens":12,"more":1}"#).unwrap(), TokenCount { input: 12, cached: None });
        for body in ["", "{}", "[]", r#"{"tokens":"many"}"#] {
            assert!(read(body).is_err(), "{body}");
        }
    }

    #[test]
    fn cached_tokens_are_written_where_the_format_has_a_place() {
        let count = TokenCount { input: 3, cached: Some(2) };
        let body = |cached| rendered(&count, "in", cached).response.body;
        assert_eq!(body(None), Body::Text(r#"{"in":3}"#.into()));
        assert_eq!(body(Some("held")), Body::Text(r#"{"in":3,"held":2}"#.into()));
    }
}
