//! Properties of all conversations.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{asked, context, decoded, encoded, normal, sent};

fn message() -> impl Strategy<Value = Value> {
    let text = "[a-z\"\\\\\n🦀é ]{0,12}";
    prop_oneof![
        text.prop_map(|text| json!({"role": "system", "content": text})),
        text.prop_map(|text| json!({"role": "user", "content": text})),
        text.prop_map(|text| json!({"role": "user", "content": text, "images": ["iVBORw0KGgo="]})),
        (text, text).prop_map(|(text, thinking)| json!({"role": "assistant", "content": text, "thinking": thinking})),
        (text, 0..3usize).prop_map(|(text, calls)| {
            let call = |at| json!({"type": "function", "function": {"name": format!("f{at}"), "arguments": {"n": at}}});
            let calls: Vec<Value> = (0..calls).map(call).collect();
            json!({"role": "assistant", "content": text, "tool_calls": calls})
        }),
        (text, 0..3usize)
            .prop_map(|(text, at)| json!({"role": "tool", "content": text, "tool_name": format!("f{at}")})),
    ]
}

proptest! {
    #[test]
    fn a_conversation_comes_back_as_it_went(messages in proptest::collection::vec(message(), 0..8)) {
        let body = json!({"model": "m", "messages": messages, "stream": false});
        let (_, back, losses) = sent(&context("m"), asked("/api/chat", &body).unwrap()).unwrap();
        prop_assert_eq!(normal::request(&back), normal::request(&body));
        prop_assert!(losses.is_empty());
    }

    #[test]
    fn c08_a_stream_folds_to_the_same_answer_however_it_is_cut(
        pieces in proptest::collection::vec((0..4u8, "[a-z{}\" ]{0,6}"), 0..12), group in 1..5usize,
    ) {
        let line = |(kind, text): &(u8, String)| match kind {
            0 => json!({"content": text}),
            1 => json!({"content": "", "thinking": text}),
            2 => json!({"content": text, "thinking": text}),
            _ => json!({"content": "", "tool_calls": [{"function": {"name": "f", "arguments": {"a": text}}}]}),
        };
        let mut lines: Vec<Value> = pieces.iter().map(line).map(|message| json!({"model": "m", "message": message, "done": false})).collect();
        lines.push(json!({"model": "m", "message": {"role": "assistant", "content": ""}, "done": true, "done_reason": "stop", "eval_count": 3}));
        let texts: Vec<String> = lines.iter().map(Value::to_string).collect();
        let events = decoded(&context("m"), &texts, group);
        prop_assert_eq!(&events, &decoded(&context("m"), &texts, 1));
        let mut back = encoded(&context("m"), &events, group).0;
        for call in back.iter_mut().filter_map(|line| line["message"]["tool_calls"].as_array_mut()).flatten() {
            call.as_object_mut().unwrap().remove("id");
        }
        prop_assert_eq!(normal::answer(&back), normal::answer(&lines));
    }
}
