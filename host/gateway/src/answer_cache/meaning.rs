//! The meaning of a chat request as bytes: the same for requests of different formats that ask for the same, and
//! different if any member differs.

use weir_cache::digest_json;
use weir_sandbox::Digest;
use weir_types::contract::about::{Condition, Face, StreamFlag};
use weir_types::contract::types::{ChatRequest, OutputFormat, Tool};
use weir_types::query;

/// The request as bytes, for the model that it names. Whether its answer is streamed makes no difference, nor does the
/// order of members within a schema.
pub(super) fn canonical(chat: &ChatRequest, model: &str) -> Vec<u8> {
    let mut chat = chat.clone();
    model.clone_into(&mut chat.model);
    chat.stream = false;
    for tool in &mut chat.tools {
        if let Tool::Function(function) = tool {
            function.parameters.iter_mut().for_each(hash);
        }
    }
    if let Some(OutputFormat::Schema(schema)) = &mut chat.output {
        hash(&mut schema.schema);
    }
    chat.metadata.iter_mut().for_each(hash);
    chat.extensions.sort_by(|one, other| (&one.format, &one.key).cmp(&(&other.format, &other.key)));
    // The unified model always has a JSON form.
    serde_json::to_vec(&chat).unwrap_or_default()
}

/// Puts the hash of a JSON text in its place; text that is not JSON is left as it is.
fn hash(json: &mut String) {
    if let Some(digest) = digest_json(json.as_bytes()) {
        *json = Digest::from(digest).hex();
    }
}

/// The parameters of a request's query, without those that only select the endpoint or the form of the answer.
pub(super) fn parameters(face: &Face, query: &str) -> Vec<(String, String)> {
    let framings = face.framings.iter().filter_map(|framing| framing.when.as_ref());
    let conditions = framings.chain(&face.when).filter_map(|condition| match condition {
        Condition::QueryPresent(name) => Some(name.as_str()),
        Condition::QueryEquals(parameter) => Some(parameter.name.as_str()),
        Condition::HeaderPresent(_) => None,
    });
    let flag = match &face.stream {
        StreamFlag::Query(parameter) => Some(parameter.name.as_str()),
        StreamFlag::Constant(_) | StreamFlag::Pointer(_) => None,
    };
    let sent: Vec<&str> = conditions.chain(flag).collect();
    let mut all: Vec<_> = query::pairs(query).filter(|(name, _)| !sent.contains(&name.as_str())).collect();
    all.sort();
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_types::contract::types::{Extension, FunctionTool};

    fn tool(parameters: &str) -> Tool {
        let (name, parameters, extensions) = ("f".to_owned(), Some(parameters.to_owned()), Vec::new());
        Tool::Function(FunctionTool { name, description: None, parameters, strict: None, cache: None, extensions })
    }

    #[test]
    fn only_the_order_of_members_and_the_wish_for_a_stream_make_no_difference() {
        let of = |change: &dyn Fn(&mut ChatRequest)| {
            let mut chat = ChatRequest::user("Hi");
            chat.tools = vec![tool(r#"{"type":"object","required":["a","b"]}"#)];
            change(&mut chat);
            canonical(&chat, "m")
        };
        let first = of(&|_| {});
        assert_eq!(first, of(&|chat| chat.stream = true));
        assert_eq!(first, of(&|chat| "other".clone_into(&mut chat.model)));
        assert_eq!(first, of(&|chat| chat.tools = vec![tool(r#"{ "required": ["a", "b"], "type": "object" }"#)]));
        let member = || Extension { format: "x.chat".to_owned(), key: "new".to_owned(), json: "1".to_owned() };
        let changes: [&dyn Fn(&mut ChatRequest); 6] = [
            &|chat| chat.tools = vec![tool(r#"{"type":"object","required":["b","a"]}"#)],
            &|chat| chat.tools = vec![tool("{"), tool("{")],
            &|chat| chat.sampling.temperature = Some(0.0),
            &|chat| chat.extensions = vec![member()],
            &|chat| chat.end_user = Some("u".to_owned()),
            &|chat| chat.messages = ChatRequest::user("Hi!").messages,
        ];
        for (number, change) in changes.iter().enumerate() {
            assert_ne!(first, of(change), "number {number}");
        }
    }
}
