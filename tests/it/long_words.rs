//! Words as long as pictures, of the letters that base64 has: adapters get such values by name only, and what they make
//! of the text around it must not show.

use serde_json::{Value, json};

use weir_tests::{Folder, Gateway};

use crate::guards::everywhere::{ADAPTERS, DIALECTS, Dialect};
use crate::guards::requests::{PLACES, RequestPlace, body};
use crate::wire_format::{ANTHROPIC, BEDROCK, COHERE, GEMINI, OLLAMA, OPENAI, config_of, provider};

/// The longest text without a space that clients send for what it says: a part of a file, a minified script.
fn word() -> String {
    format!("begin{}end", "A1b2-".repeat(2400))
}

/// The request with a further text beside each text of the system, the user and a tool, where the format has lists of
/// texts.
fn with_neighbours(dialect: Dialect, mut body: Value) -> Value {
    let beside = |texts: &mut Value, part: Value| match texts {
        Value::Array(parts) => parts.push(part),
        Value::String(text) => *texts = json!([{"type": part["type"], "text": text}, part]),
        _ => {}
    };
    match dialect {
        Dialect::Chat => {
            for message in body["messages"].as_array_mut().into_iter().flatten() {
                beside(&mut message["content"], json!({"type": "text", "text": "more"}));
            }
        }
        Dialect::Messages => {
            beside(&mut body["system"], json!({"type": "text", "text": "more"}));
            beside(&mut body["messages"][0]["content"], json!({"type": "text", "text": "more"}));
            beside(&mut body["messages"][2]["content"][0]["content"], json!({"type": "text", "text": "more"}));
        }
        Dialect::Gemini => {
            beside(&mut body["systemInstruction"]["parts"], json!({"text": "more"}));
            beside(&mut body["contents"][0]["parts"], json!({"text": "more"}));
        }
        Dialect::Converse => {
            beside(&mut body["system"], json!({"text": "more"}));
            beside(&mut body["messages"][0]["content"], json!({"text": "more"}));
        }
        Dialect::Responses | Dialect::Cohere | Dialect::Ollama => {}
    }
    body
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_word_arrives_wherever_it_stands_and_whatever_stands_beside_it() {
    let mut upstream = provider(OPENAI).await;
    let formats = [OPENAI, ANTHROPIC, GEMINI, BEDROCK, COHERE, OLLAMA];
    let gateway = Gateway::with(Folder::with(&ADAPTERS), &config_of(&formats, &upstream)).await;
    let word = word();
    let mut seen = 0;
    for (_, dialect) in DIALECTS {
        for place in PLACES {
            for adapter in ADAPTERS {
                let model = format!("{adapter}-t");
                let Some(alone) = body(dialect, &model, place, &word, false) else { continue };
                let beside = with_neighbours(dialect, alone.clone());
                for body in [alone, beside] {
                    let reply = gateway.ask(&dialect.request(&model, &body, false)).await;
                    let case = format!("{dialect:?}, {place:?}, {adapter}");
                    let Some(sent) = upstream.unseen() else {
                        // Some formats have no place for it.
                        assert_eq!(reply.status(), 400, "{case}: {}", reply.text());
                        continue;
                    };
                    let sent = sent.text();
                    assert!(!sent.contains("weirblob"), "{case}: {}", sent.replace(&word, "WORD"));
                    // Thinking goes to its issuer only, and names of files have rules of their own.
                    let is_for_all = !matches!(place, RequestPlace::Thinking | RequestPlace::File);
                    // Its first letter may be written as an escape.
                    assert!(!is_for_all || sent.contains(&word[1..]), "{case}: {}", sent.replace("A1b2-", ""));
                    seen += 1;
                }
            }
        }
    }
    assert!(seen > 7 * 5 * 6, "{seen}");
}
