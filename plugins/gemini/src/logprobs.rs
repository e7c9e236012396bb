//! Log probabilities: `logprobsResult` to the unified shape and back. Values that only this format has (a token's
//! number, the sum) become further members.

use weir_sdk::json::{Object, RawValue, Str, object, parse};
use weir_sdk::wire;

use crate::wire::{Logprobs, Token};

wire! {
    /// `{"content": [...]}`.
    struct Unified<'a> {
        "content" => content: Vec<Entry<'a>>,
        "log_probability_sum" => sum: &'a RawValue,
    }

    /// A token with the likeliest alternatives.
    struct Entry<'a> {
        "token" => token: Str<'a>,
        "logprob" => logprob: &'a RawValue,
        "token_id" => id: &'a RawValue,
        "top_logprobs" => top: Vec<Entry<'a>>,
    }
}

/// Converts a `logprobsResult`; `None` if it cannot be parsed.
pub(crate) fn read(raw: &RawValue) -> Option<String> {
    let wire: Logprobs<'_> = parse(raw.get()).ok()?;
    let mut top = wire.top.unwrap_or_default().into_iter();
    let mut out = String::new();
    object(&mut out, |o| {
        o.array("content", |a| {
            for chosen in wire.chosen.unwrap_or_default() {
                let likeliest = top.next().and_then(|top| top.candidates).unwrap_or_default();
                a.object(|o| {
                    entry(o, &chosen);
                    o.array("top_logprobs", |a| likeliest.iter().for_each(|token| a.object(|o| entry(o, token))));
                });
            }
        });
        // Chat's clients require it, even if there is none.
        o.null("refusal");
        o.opt_raw("log_probability_sum", wire.sum.map(RawValue::get));
    });
    Some(out)
}

fn entry(o: &mut Object<'_>, token: &Token<'_>) {
    let text = token.text.as_deref().unwrap_or_default();
    o.str("token", text);
    o.raw("logprob", token.logprob.map_or("0", RawValue::get));
    o.array("bytes", |a| text.bytes().for_each(|byte| a.num(byte)));
    o.opt_raw("token_id", token.id.map(RawValue::get));
}

/// Renders a `logprobsResult`; `None` if the unified one cannot be parsed.
pub(crate) fn write(json: &str) -> Option<String> {
    let unified: Unified<'_> = parse(json).ok()?;
    let content = unified.content?;
    let mut out = String::new();
    object(&mut out, |o| {
        o.array("chosenCandidates", |a| content.iter().for_each(|token| a.object(|o| chosen(o, token))));
        if content.iter().any(|token| token.top.as_ref().is_some_and(|top| !top.is_empty())) {
            o.array("topCandidates", |a| {
                for token in &content {
                    let top = token.top.iter().flatten();
                    a.object(|o| o.array("candidates", |a| top.for_each(|token| a.object(|o| chosen(o, token)))));
                }
            });
        }
        o.opt_raw("logProbabilitySum", unified.sum.map(RawValue::get));
    });
    Some(out)
}

fn chosen(o: &mut Object<'_>, token: &Entry<'_>) {
    o.opt_str("token", token.token.as_deref());
    o.opt_raw("tokenId", token.id.map(RawValue::get));
    o.opt_raw("logProbability", token.logprob.map(RawValue::get));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_probabilities_come_back_with_their_tokens_numbers() {
        let json = concat!(
            r#"{"chosenCandidates":[{"token":"Hi","tokenId":17,"logProbability":-0.25}],"#,
            r#""topCandidates":[{"candidates":[{"token":"Hi","tokenId":17,"logProbability":-0.25},"#,
            r#"{"token":"Yo","logProbability":-3}]}]}"#
        );
        let unified = read(parse(json).unwrap()).unwrap();
        assert!(unified.contains(r#""logprob":-0.25,"bytes":[72,105]"#), "{unified}");
        assert!(unified.ends_with(r#"],"refusal":null}"#), "{unified}");
        assert_eq!(write(&unified).unwrap(), json);
    }
}
