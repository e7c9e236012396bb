//! Log probabilities: legacy completions (and some servers' chat) have columns, chat has a list of tokens.

use crate::json::{self, Array, Object, RawValue, Rest, text};

/// Chat's word for a probability that is not known.
const UNKNOWN: &str = "-9999.0";
/// What columns have for the first token of a prompt, which follows nothing, in a token of chat's shape.
const NONE: &str = "token_logprob";

/// Log probabilities in chat's shape, from either shape. Members that only columns have (`text_offset`) are added to
/// each token.
pub fn to_chat(raw: &str) -> String {
    let Ok(mut columns) = Rest::parse(raw) else { return raw.to_owned() };
    let Some(tokens) = columns.list("tokens") else { return raw.to_owned() };
    let probabilities = columns.list("token_logprobs").unwrap_or_default();
    let tops = columns.list("top_logprobs").unwrap_or_default();
    let offsets = columns.list("text_offset").unwrap_or_default();
    let mut out = String::with_capacity(raw.len() * 2);
    json::object(&mut out, |o| {
        o.array("content", |a| {
            for (at, token) in tokens.iter().enumerate() {
                let known = probabilities.get(at).map(|value| value.get()).filter(|value| *value != "null");
                a.object(|o| {
                    o.raw("token", token.get());
                    o.raw("logprob", known.unwrap_or(UNKNOWN));
                    bytes(o, &text(token).unwrap_or_default());
                    o.array("top_logprobs", |a| {
                        for (token, value) in
                            tops.get(at).and_then(|top| Rest::parse(top.get()).ok()).unwrap_or_default().0
                        {
                            a.object(|o| {
                                o.str("token", &token);
                                o.raw("logprob", value.get());
                                bytes(o, &token);
                            });
                        }
                    });
                    o.opt_raw("text_offset", offsets.get(at).map(|value| value.get()));
                    if known.is_none() {
                        o.null(NONE);
                    }
                });
            }
        });
        o.null("refusal");
    });
    out
}

/// A single log probability, which some servers send with each token of a stream, in chat's shape; `None` for any other
/// value.
pub fn of_token(token: &str, raw: &str) -> Option<String> {
    json::parse::<json::Number>(raw).ok()?;
    let mut out = String::with_capacity(64 + token.len());
    json::object(&mut out, |o| {
        o.array("content", |a| {
            a.object(|o| {
                o.str("token", token);
                o.raw("logprob", raw);
                bytes(o, token);
                o.array("top_logprobs", |_| {});
            });
        });
        o.null("refusal");
    });
    Some(out)
}

/// Writes the bytes of a token. Columns have those that are no text in words: `bytes:\xe2\x80`.
fn bytes(o: &mut Object<'_>, token: &str) {
    o.array("bytes", |a| match spelled(token) {
        Some(bytes) => bytes.into_iter().for_each(|byte| a.num(byte)),
        None => token.bytes().for_each(|byte| a.num(byte)),
    });
}

/// The bytes that a token spells out.
fn spelled(token: &str) -> Option<Vec<u8>> {
    let bytes = token.strip_prefix("bytes:")?.strip_prefix("\\x")?;
    bytes.split("\\x").map(|byte| u8::from_str_radix(byte, 16).ok()).collect()
}

/// Log probabilities of tokens, which some formats have with each text, in chat's shape.
pub fn of_tokens(tokens: &[&RawValue]) -> String {
    let mut out = String::with_capacity(128 * tokens.len());
    json::object(&mut out, |o| {
        column(o.value("content"), tokens);
        o.null("refusal");
    });
    out
}

/// The list of tokens of each of the texts that make up an answer, from chat's shape: as many as make up the text, and
/// what is left with the last. Each has all of the members that Responses' clients require.
pub fn of_texts(raw: &str, texts: &[&str]) -> Vec<String> {
    let content = Rest::parse(raw).ok().and_then(|mut chat| chat.list("content")).unwrap_or_default();
    let mut rest = &content[..];
    let mut lists = Vec::with_capacity(texts.len());
    for (at, text) in texts.iter().enumerate() {
        let count = if at + 1 == texts.len() { rest.len() } else { tokens_of(rest, text.len()) };
        let (own, after) = rest.split_at(count);
        let mut list = String::new();
        json::array(&mut list, |a| own.iter().for_each(|token| whole(a, token)));
        lists.push(list);
        rest = after;
    }
    lists
}

/// Adds the tokens in chat's shape to the inside of a list, like [`of_texts`].
pub fn add_tokens(raw: &str, inside: &mut String) {
    let content = Rest::parse(raw).ok().and_then(|mut chat| chat.list("content")).unwrap_or_default();
    for token in content {
        if !inside.is_empty() {
            inside.push(',');
        }
        let mut list = String::new();
        json::array(&mut list, |a| whole(a, token));
        inside.push_str(list.strip_prefix('[').and_then(|list| list.strip_suffix(']')).unwrap_or_default());
    }
}

/// The list of tokens in chat's shape, each with all members that clients of some format require; `None` if there is no
/// list.
pub fn whole_tokens(raw: &str) -> Option<String> {
    let content = Rest::parse(raw).ok()?.list("content")?;
    let mut list = String::with_capacity(raw.len());
    json::array(&mut list, |a| content.iter().for_each(|token| whole(a, token)));
    Some(list)
}

/// Writes a token with a number, its bytes and the alternatives, some of which servers leave out.
pub fn whole(a: &mut Array<'_>, raw: &RawValue) {
    let Ok(mut token) = Rest::parse(raw.get()) else { return a.raw(raw.get()) };
    let are_whole =
        |tops: Vec<&RawValue>| tops.iter().all(|top| Rest::parse(top.get()).is_ok_and(|top| is_whole(&top)));
    if is_whole(&token) && token.get("top_logprobs").and_then(json::list).is_some_and(are_whole) {
        return a.raw(raw.get());
    }
    let tops = token.list("top_logprobs").unwrap_or_default();
    a.object(|o| {
        members(o, &token);
        o.array("top_logprobs", |a| {
            for top in tops {
                match Rest::parse(top.get()) {
                    Ok(top) if !is_whole(&top) => a.object(|o| members(o, &top)),
                    _ => a.raw(top.get()),
                }
            }
        });
    });
}

/// Whether a token, or an alternative, has its number and its bytes.
fn is_whole(token: &Rest<'_>) -> bool {
    probability(token).is_some() && token.get("bytes").and_then(json::list).is_some()
}

fn members(o: &mut Object<'_>, token: &Rest<'_>) {
    let known = ["logprob", "bytes"];
    token.0.iter().filter(|(key, _)| !known.contains(&&**key)).for_each(|(key, value)| o.raw(key, value.get()));
    o.raw("logprob", probability(token).unwrap_or(UNKNOWN));
    match token.get("bytes").filter(|bytes| json::list(bytes).is_some()) {
        Some(own) => o.raw("bytes", own.get()),
        None => bytes(o, &token.get("token").and_then(text).unwrap_or_default()),
    }
}

/// Log probabilities of tokens that came one after the other, as those of all: their lists are joined, and their sums
/// added. `None` if there are none.
pub fn joined(mut all: Vec<String>) -> Option<String> {
    if all.len() < 2 {
        return all.pop();
    }
    let Some(parts) = all.iter().map(|json| Rest::parse(json).ok()).collect::<Option<Vec<_>>>() else {
        return all.pop();
    };
    let mut keys: Vec<&str> = Vec::new();
    for (key, _) in parts.iter().flat_map(|part| &part.0) {
        if !keys.contains(&&**key) {
            keys.push(key);
        }
    }
    let mut out = String::with_capacity(all.iter().map(String::len).sum());
    json::object(&mut out, |o| {
        for key in keys {
            // A refusal's tokens have null beside them where the text's have their list, and the other way about.
            let values = parts.iter().filter_map(|part| part.get(key)).filter(|value| value.get() != "null");
            join(o.value(key), &values.collect::<Vec<_>>());
        }
    });
    Some(out)
}

/// Writes lists as one, and numbers as their sum. Of other values, it writes the first.
fn join(out: &mut String, values: &[&RawValue]) {
    let lists: Option<Vec<Vec<&RawValue>>> = values.iter().map(|raw| json::list(raw)).collect();
    let numbers = || values.iter().map(|raw| Some(json::parse::<json::Number>(raw.get()).ok()?.0)).sum::<Option<f64>>();
    match (values, lists) {
        ([], _) => out.push_str("null"),
        (_, Some(lists)) => column(out, &lists.concat()),
        ([first, ..], None) => match numbers() {
            Some(sum) => json::number(out, sum),
            None => out.push_str(first.get()),
        },
    }
}

/// How many of the first tokens make up a text of so many bytes.
fn tokens_of(tokens: &[&RawValue], bytes: usize) -> usize {
    let mut seen = 0;
    let is_within = |token: &&&RawValue| {
        let within = seen < bytes;
        let word = Rest::parse(token.get()).ok().and_then(|token| token.get("token").and_then(text));
        seen += word.map_or(0, |word| word.len());
        within
    };
    tokens.iter().take_while(is_within).count()
}

/// Log probabilities in columns, from chat's shape.
pub fn to_columns(raw: &str) -> Option<String> {
    let content = Rest::parse(raw).ok()?.list("content")?;
    let mut entries: Vec<Rest<'_>> = content.iter().filter_map(|entry| Rest::parse(entry.get()).ok()).collect();
    let mut out = String::with_capacity(raw.len());
    json::object(&mut out, |o| {
        let offsets: Vec<_> = entries.iter().filter_map(|entry| entry.get("text_offset")).collect();
        column(o.value("text_offset"), &offsets);
        // The first token of a prompt has no probability: its place keeps the null, so that the columns stay in line.
        o.array("token_logprobs", |a| entries.iter().for_each(|entry| a.raw(probability(entry).unwrap_or("null"))));
        let tokens: Vec<_> = entries.iter().filter_map(|entry| entry.get("token")).collect();
        column(o.value("tokens"), &tokens);
        o.array("top_logprobs", |a| {
            for entry in &mut entries {
                let tops = entry.list("top_logprobs").unwrap_or_default();
                if tops.is_empty() && probability(entry).is_none() {
                    a.raw("null");
                    continue;
                }
                a.object(|o| {
                    for top in tops {
                        let Ok(top) = Rest::parse(top.get()) else { continue };
                        if let (Some(token), Some(value)) = (top.get("token").and_then(text), top.get("logprob")) {
                            o.raw(&token, value.get());
                        }
                    }
                });
            }
        });
    });
    Some(out)
}

/// The log probability of a token in chat's shape, if it has one.
fn probability<'a>(token: &Rest<'a>) -> Option<&'a str> {
    let is_none = token.0.iter().any(|(key, _)| &**key == NONE);
    token.get("logprob").map(RawValue::get).filter(|_| !is_none)
}

fn column(out: &mut String, values: &[&RawValue]) {
    json::array(out, |a| {
        for value in values {
            a.raw(value.get());
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_the_log_probability_of_its_token() {
        let made = of_token("a\"", "-0.5").unwrap();
        let expected =
            r#"{"content":[{"token":"a\"","logprob":-0.5,"bytes":[97,34],"top_logprobs":[]}],"refusal":null}"#;
        assert_eq!(made, expected);
        assert_eq!([of_token("a", "{}"), of_token("a", "null")], [None, None]);
    }

    #[test]
    fn columns_become_a_list_and_columns_again() {
        let columns = r#"{"text_offset":[5,7],"token_logprobs":[-0.1,-2e-5],"tokens":["a","\n"],"top_logprobs":[{"a":-0.1,"b":-3},{}]}"#;
        let chat = to_chat(columns);
        assert!(
            chat.starts_with(r#"{"content":[{"token":"a","logprob":-0.1,"bytes":[97],"top_logprobs":[{"token":"a""#)
        );
        assert_eq!(to_columns(&chat).as_deref(), Some(columns));
    }

    #[test]
    fn a_token_without_a_probability_keeps_its_place() {
        let columns =
            r#"{"text_offset":[0,1],"token_logprobs":[null,-0.5],"tokens":["A","b"],"top_logprobs":[null,{"b":-0.5}]}"#;
        let chat = to_chat(columns);
        assert!(chat.starts_with(r#"{"content":[{"token":"A","logprob":-9999.0,"bytes":[65],"#), "{chat}");
        assert_eq!(to_columns(&chat).as_deref(), Some(columns));
    }

    #[test]
    fn tokens_that_are_no_text_spell_out_their_bytes() {
        let of = |token: &str| {
            let mut out = String::new();
            json::object(&mut out, |o| bytes(o, token));
            out
        };
        assert_eq!(of("bytes:\\xe2\\x80"), r#"{"bytes":[226,128]}"#);
        assert_eq!(of("\u{e9}"), r#"{"bytes":[195,169]}"#);
        assert_eq!(of("bytes:"), r#"{"bytes":[98,121,116,101,115,58]}"#);
        assert_eq!(of("bytes:\\xzz"), r#"{"bytes":[98,121,116,101,115,58,92,120,122,122]}"#);
    }

    #[test]
    fn tokens_of_texts_have_all_that_clients_of_responses_require() {
        let bare = r#"{"content":[{"token":"a","top_logprobs":[{"token":"b","logprob":-2},{"token":"c","logprob":-3,"bytes":[1]}]},{"token":"d","logprob":-1,"bytes":null,"x":1}]}"#;
        let a = r#"{"token":"a","logprob":-9999.0,"bytes":[97],"top_logprobs":[{"token":"b","logprob":-2,"bytes":[98]},{"token":"c","logprob":-3,"bytes":[1]}]}"#;
        let d = r#"{"token":"d","x":1,"logprob":-1,"bytes":[100],"top_logprobs":[]}"#;
        let token = |bytes: &str| {
            format!(
                r#"{{"token":"e","bytes":[1],"logprob":-1,"top_logprobs":[{{"token":"e","logprob":-1,"bytes":{bytes}}}]}}"#
            )
        };
        let beside = of_texts(&format!(r#"{{"content":[{}]}}"#, token("null")), &["e"]);
        assert!(beside[0].contains(r#""top_logprobs":[{"token":"e","logprob":-1,"bytes":[101]}]"#), "{beside:?}");
        assert_eq!(of_texts(bare, &["a", "d"]), [format!("[{a}]"), format!("[{d}]")]);
        let mut inside = String::new();
        add_tokens(bare, &mut inside);
        assert_eq!(inside, format!("{a},{d}"));
        assert_eq!(whole_tokens(bare), Some(format!("[{a},{d}]")));
        assert_eq!([whole_tokens(r#"{"content":null}"#), whole_tokens("null")], [None, None]);
    }

    #[test]
    fn tokens_are_those_of_their_texts_and_come_together_again() {
        let token = |word: &str| format!(r#"{{"token":"{word}","logprob":-1,"bytes":[1],"top_logprobs":[]}}"#);
        let list = |words: &[&str]| format!("[{}]", words.iter().map(|word| token(word)).collect::<Vec<_>>().join(","));
        let all = list(&["H\\u00e9", "y", "you", "!"]);
        let chat = of_tokens(&json::parse::<Vec<&RawValue>>(&all).unwrap());
        assert_eq!(chat, format!(r#"{{"content":{all},"refusal":null}}"#));
        assert_eq!(of_texts(&chat, &["Héy", "you!"]), [list(&["H\\u00e9", "y"]), list(&["you", "!"])]);
        assert_eq!(of_texts(&chat, &["other"]), [all]);
        assert_eq!(of_texts("null", &["a", "b"]), ["[]", "[]"]);
        assert!(of_texts(&chat, &[]).is_empty());
    }

    #[test]
    fn tokens_that_came_apart_are_one_list() {
        let all = |all: &[&str]| joined(all.iter().map(|&json| json.to_owned()).collect());
        assert_eq!((all(&[]), all(&["{}"])), (None, Some("{}".to_owned())));
        let (a, b) =
            (r#"{"content":[{"token":"a"}],"sum":-1.5,"refusal":null}"#, r#"{"content":[{"token":"b"}],"sum":-2}"#);
        let whole = r#"{"content":[{"token":"a"},{"token":"b"}],"sum":-3.5,"refusal":null}"#;
        assert_eq!(all(&[a, b]).as_deref(), Some(whole));
        assert_eq!(all(&["[1]", b]).as_deref(), Some(b));
    }

    #[test]
    fn tokens_of_a_refusal_behind_those_of_a_text_are_kept() {
        let (text, refusal) =
            (r#"{"content":[{"token":"a"}],"refusal":null}"#, r#"{"content":null,"refusal":[{"token":"b"}]}"#);
        let whole = r#"{"content":[{"token":"a"}],"refusal":[{"token":"b"}]}"#;
        for all in [[text, refusal], [refusal, text]] {
            assert_eq!(joined(all.map(str::to_owned).to_vec()).as_deref(), Some(whole));
        }
    }

    #[test]
    fn chats_own_shape_stays() {
        let chat = r#"{"content":[],"refusal":null}"#;
        assert_eq!(to_chat(chat), chat);
    }
}
