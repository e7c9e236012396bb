//! Properties of all streams.

use proptest::prelude::*;
use serde_json::json;
use weir_sdk::adapter::{Decoder as _, ProviderChat};
use weir_sdk::types::{Context, Frame};

use super::{answered, decoded, encoded, fold, meaning, parsed, sent, shown};
use crate::Cohere;

proptest! {
    #[test]
    fn texts_calls_and_results_of_any_kind_come_back(text in ".{1,40}", key in ".{0,12}", value in ".{0,20}") {
        let arguments = json!({ &key: &value }).to_string();
        let call = json!({"id": &text, "type": "function", "function": {"name": "f", "arguments": arguments}});
        let document = json!({"type": "document", "document": {"data": {&key: &value}}});
        let request = json!({"model": "command-r", "messages": [
            {"role": "user", "content": &text},
            {"role": "assistant", "tool_plan": &text, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": &text, "content": [document]}]});
        let (back, losses) = sent("command-r", parsed(&request));
        prop_assert_eq!((meaning::of_request(back), losses), (meaning::of_request(request.clone()), Vec::new()));
        let message = json!({"role": "assistant", "tool_plan": &text, "tool_calls": [call]});
        let answer = json!({"id": &text, "finish_reason": "TOOL_CALL", "message": message});
        prop_assert_eq!(shown(answered(&answer)).0, answer);
    }

    #[test]
    fn c08_c17_streams_come_back_wherever_they_are_cut(words in prop::collection::vec(".{1,9}", 1..9), group in 1..9usize) {
        let frame = |data: serde_json::Value| Frame { event: None, data: data.to_string() };
        let delta = |text: &String| frame(json!({"type": "content-delta", "index": 0,
            "delta": {"message": {"content": {"text": text}}}}));
        let mut frames = vec![frame(json!({"type": "message-start", "id": "a"}))];
        frames.extend(words.iter().map(delta));
        frames.push(frame(json!({"type": "message-end", "delta": {"finish_reason": "COMPLETE"}})));
        let events = decoded(&frames, group);
        prop_assert_eq!(&decoded(&frames, 1), &events);
        let (back, _) = encoded(&events);
        fold::check(&back);
        prop_assert_eq!(&fold::answer(&back)["message"]["content"][0]["text"], &json!(words.concat()));
    }

    #[test]
    fn nonsense_is_an_error_and_never_a_panic(data in "[\\[\\]{}\",:a-z0-9-]{0,60}", kind in 0..9usize) {
        let kinds = ["message-start", "content-start", "content-delta", "content-end", "tool-plan-delta",
            "tool-call-start", "tool-call-delta", "citation-start", "message-end"];
        let mut decoder = <Cohere as ProviderChat>::Decoder::new(Context::default());
        let wrapped = format!(r#"{{"type":"{}","index":7,"delta":{{"message":{{"content":{data}}}}}}}"#, kinds[kind]);
        for data in [data.clone(), wrapped] {
            let _ = decoder.push(vec![Frame { event: None, data }]);
        }
        let response = super::http_response(200, data);
        let _ = <Cohere as ProviderChat>::parse_response(&Context::default(), response);
        let _ = decoder.finish();
    }
}
