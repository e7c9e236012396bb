//! Whether guards see everything that the bytes of a request say. An adapter reads the members that its format defines,
//! and may skip others, which a provider might read. Bytes that say more than guards have seen are not relayed.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};

use memchr::memmem;
use weir_translate::unified::Request;
use weir_wire::repeated::{Reading, read};

/// The longest text that the model need not have: a number, a role, a type.
const SHORT: usize = 15;
/// The longest word of letters that the model need not have: names of members, types, formats and levels, which
/// adapters translate.
const WORD: usize = 64;
/// The longest base64 value that the model must have. Longer ones, such as images and signatures, may be rewritten in
/// another alphabet by adapters, and no key is that long.
const CODED: usize = 256;
/// The most bytes that are searched for texts which are parts of others.
const SEARCHED: usize = 64 << 20;

/// Whether the bytes of a request are unambiguous, and the model has all of their texts: each string and each name of a
/// member that may say anything.
pub(super) fn shows_all(json: &str, request: &Request) -> bool {
    let Ok(model) = written(request) else { return false };
    let mut known = KnownTexts { model, hasher: RandomState::new(), hashes: HashSet::new(), all: None, left: SEARCHED };
    known.collect();
    read(json, &mut |text| is_small(text) || known.has(text)) == Reading::Same
}

/// The texts of the model.
struct KnownTexts {
    /// The model as JSON.
    model: String,
    hasher: RandomState,
    /// The hashes of the model's texts, so that none is copied.
    hashes: HashSet<u64>,
    /// All of the model's texts in one, made when a part of a text is first looked for.
    all: Option<String>,
    /// How many bytes may still be searched.
    left: usize,
}

impl KnownTexts {
    fn collect(&mut self) {
        let Self { model, hasher, hashes, .. } = self;
        each_text(model, &mut |text| {
            if !is_small(text) {
                hashes.insert(hasher.hash_one(text));
            }
        });
    }

    /// Whether the model has this text, the data of this `data:` URL, or a text that this one is a part of: adapters
    /// join texts that follow each other.
    fn has(&mut self, text: &str) -> bool {
        let is_known = |text: &str| self.hashes.contains(&self.hasher.hash_one(text));
        let data = text.strip_prefix("data:").and_then(|url| url.split_once(";base64,"));
        is_known(text)
            || data.is_some_and(|(kind, data)| is_small(kind) && (is_small(data) || is_known(data)))
            || self.is_within(text)
    }

    fn is_within(&mut self, text: &str) -> bool {
        let all = self.all.get_or_insert_with(|| joined(&self.model));
        let Some(left) = self.left.checked_sub(all.len()) else { return false };
        self.left = left;
        memmem::find(all.as_bytes(), text.as_bytes()).is_some()
    }
}

/// The model as JSON.
fn written(request: &Request) -> serde_json::Result<String> {
    match request {
        Request::Chat(request) | Request::CountTokens(request) => serde_json::to_string(request),
        Request::Embeddings(request) => serde_json::to_string(request),
        Request::Rerank(request) => serde_json::to_string(request),
        Request::Models(request) => serde_json::to_string(request),
    }
}

/// Calls `see` with each text of a JSON text, including those of texts that are JSON themselves.
fn each_text(json: &str, see: &mut dyn FnMut(&str)) {
    // An ambiguous JSON text still counts as one text.
    _ = read(json, &mut |text| {
        see(text);
        if text.starts_with(['{', '[', '"']) {
            each_text(text, see);
        }
        true
    });
}

/// All texts of a JSON text, apart from each other.
fn joined(json: &str) -> String {
    let mut all = String::with_capacity(json.len());
    each_text(json, &mut |text| {
        all.push_str(text);
        all.push('\0');
    });
    all
}

/// Whether a text says too little to be looked for, or is a long value in base64.
fn is_small(text: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_alphabetic() || b"_-./+".contains(&byte);
    let is_coded = |byte: u8| byte.is_ascii_alphanumeric() || b"_-/+=".contains(&byte);
    let length = text.len();
    if length <= SHORT {
        return !text.contains(char::is_whitespace);
    }
    length <= WORD && text.bytes().all(is_letter) || length > CODED && text.bytes().all(is_coded)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use weir_types::contract::types::{ChatRequest, Message, Part, Role, TextPart};

    /// A request with these texts.
    fn with(texts: &[&str]) -> Request {
        let parts = texts.iter().map(|text| Part::Text(TextPart::plain(text))).collect();
        Request::Chat(ChatRequest::plain("a-model-of-2026-01-01", vec![Message::plain(Role::User, parts)]))
    }

    #[test]
    fn whatever_the_model_has_in_any_form_is_shown() {
        let request =
            with(&["Tell me\nmore.", r#"{"the city":"São Paulo","n":["a \"b\" c"]}"#, "QUJDREVGR0hJSktMTU5PUA=="]);
        for body in [
            json!({"model": "a-model-of-2026-01-01", "messages": [{"role": "user", "content": "Tell me\nmore."}]}),
            json!({"args": {"the city": "São Paulo", "n": ["a \"b\" c"]}, "part": "me\nmore"}),
            json!({"text": r#"{"the city":"São Paulo","n":["a \"b\" c"]}"#}),
            json!({"url": "data:image/png;base64,QUJDREVGR0hJSktMTU5PUA==", "data": "QUJDREVGR0hJSktMTU5PUA=="}),
            json!({"a_member_that_has_a_long_name": "application/vnd.oasis.opendocument", "id": "1234567", "max": 1e300}),
        ] {
            assert!(shows_all(&body.to_string(), &request), "{body}");
        }
    }

    #[test]
    fn what_the_model_lacks_is_not_shown() {
        let request = with(&["Tell me more."]);
        for text in ["a b", "4111111111111111", "jane.doe@example.org", "data:a b;base64,AAAA", &"x".repeat(WORD + 1)] {
            for body in [json!({ "content": "Tell me more.", "note": text }), json!({ text: 1 }), json!([[text]])] {
                assert!(!shows_all(&body.to_string(), &request), "{body}");
            }
        }
    }

    #[test]
    fn texts_are_looked_for_within_others_up_to_a_bound() {
        let request = with(&["Tell me more.", &"x y ".repeat(SEARCHED / 64)]);
        for (pieces, is_shown) in [(4, true), (32, false)] {
            assert_eq!(shows_all(&json!(vec!["me more"; pieces]).to_string(), &request), is_shown, "{pieces}");
        }
    }

    #[test]
    fn long_values_in_another_alphabet_are_no_texts() {
        let request = with(&["Tell me more."]);
        for (value, is_shown) in [("aB3_".repeat(65), true), ("aB3_".repeat(64), false), ("aB3.".repeat(65), false)] {
            assert_eq!(shows_all(&json!({ "data": value }).to_string(), &request), is_shown, "{value}");
        }
    }
}
