//! Log probabilities: pieces of text here, tokens in the unified model.

use weir_sdk::json::{RawValue, array, number, object, parse};

use crate::wire::{LogprobEntry, LogprobItem, Logprobs};

/// Log probabilities in OpenAI Chat's shape. Members that only this format has are added to each token.
pub(crate) fn to_chat(items: &[LogprobItem<'_>]) -> String {
    let mut out = String::new();
    object(&mut out, |o| {
        o.array("content", |a| {
            for item in items {
                let all = item.logprobs.as_deref().unwrap_or_default();
                let text = item.text.as_deref().unwrap_or_default();
                a.object(|o| {
                    o.str("token", text);
                    o.num("logprob", all.iter().map(|one| one.0).sum::<f64>());
                    // Responses' clients require them.
                    o.array("bytes", |a| text.bytes().for_each(|byte| a.num(byte)));
                    o.array("top_logprobs", |_| {});
                    o.opt_raw("token_ids", item.token_ids.map(RawValue::get));
                    if all.len() != 1 {
                        o.array("logprobs", |a| all.iter().for_each(|one| a.num(one.0)));
                    }
                });
            }
        });
        // Chat's clients require it, even if there is none.
        o.null("refusal");
    });
    out
}

/// The items of this format, as JSON objects.
pub(crate) fn from_chat(json: &str) -> Vec<String> {
    let read: Logprobs<'_> = parse(json).unwrap_or_default();
    read.content.unwrap_or_default().iter().map(item).collect()
}

fn item(entry: &LogprobEntry<'_>) -> String {
    let mut out = String::new();
    object(&mut out, |o| {
        o.str("text", entry.token.as_deref().unwrap_or_default());
        o.raw("token_ids", entry.token_ids.map_or("[]", RawValue::get));
        match entry.logprobs {
            Some(all) => o.raw("logprobs", all.get()),
            None => array(o.value("logprobs"), |a| number(a.value(), entry.logprob.map_or(0.0, |one| one.0))),
        }
    });
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_come_back_as_they_were() {
        let pieces = [
            r#"{"text":"a \"b\"","token_ids":[5],"logprobs":[-0.25]}"#,
            r#"{"text":" c","token_ids":[6,7],"logprobs":[-1,-2.5]}"#,
        ];
        let items: Vec<LogprobItem<'_>> = pieces.iter().map(|json| parse(json).unwrap()).collect();
        let chat = to_chat(&items);
        assert!(
            chat.starts_with(r#"{"content":[{"token":"a \"b\"","logprob":-0.25,"bytes":[97,32,34,98,34]"#),
            "{chat}"
        );
        assert!(chat.ends_with(r#"],"refusal":null}"#), "{chat}");
        assert_eq!(from_chat(&chat), pieces);
        assert_eq!(
            from_chat(r#"{"content":[{"token":"x","logprob":-3}]}"#),
            [r#"{"text":"x","token_ids":[],"logprobs":[-3]}"#]
        );
    }
}
