//! Answers that are one of several texts: Gemini's type `text/x.enum`, whose schema lists them. Other formats have
//! schemas of JSON only, in which the text would come in quotation marks, so that the model is asked in words.

use std::borrow::Cow;

use crate::json::{RawValue, Rest, Str, parse};
use crate::losses::Losses;
use crate::types::{ChatRequest, Message, OutputFormat, Part, Role};

/// The type, as the kind of a format that other formats do not know.
const KIND: &str = "text/x.enum";
/// The members that may have the schema.
const SCHEMAS: [&str; 2] = ["responseSchema", "responseJsonSchema"];
/// What is asked for.
const WORDS: &str =
    "Answer with exactly one of the following lines, without quotation marks and without anything else:";

/// The request for a service of another format, as [`say`] makes it.
pub fn said<'r>(request: &'r ChatRequest, losses: &mut Losses) -> Cow<'r, ChatRequest> {
    if words(request).is_none() {
        return Cow::Borrowed(request);
    }
    let mut request = request.clone();
    say(&mut request, losses);
    Cow::Owned(request)
}

/// Asks in words for one of the texts, if the answer is to be one of them.
pub fn say(request: &mut ChatRequest, losses: &mut Losses) {
    let Some(words) = words(request) else { return };
    losses.approximated("response_format", "the model is asked in words for one of the values");
    request.output = None;
    // Not a message of its own: behind the conversation, some services take none of the system's.
    match request.messages.iter_mut().rev().find(|message| message.role == Role::User) {
        Some(message) => message.parts.push(Part::text(words)),
        None => request.messages.push(Message::new(Role::System, vec![Part::text(words)])),
    }
}

fn words(request: &ChatRequest) -> Option<String> {
    let Some(OutputFormat::Opaque(opaque)) = &request.output else { return None };
    let mut members = Rest::parse(&opaque.json).ok().filter(|_| opaque.kind == KIND)?;
    let mut schema = SCHEMAS.iter().find_map(|key| members.object(key))?;
    let values = schema.list("enum")?;
    let values: Vec<Str<'_>> = values.into_iter().map(RawValue::get).map(parse).collect::<Result<_, _>>().ok()?;
    let listed = values.iter().fold(WORDS.to_owned(), |words, value| words + "\n" + value);
    (!values.is_empty()).then_some(listed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::fields;
    use crate::types::Opaque;

    fn asked(kind: &str, json: &str, messages: Vec<Message>) -> (ChatRequest, Vec<String>) {
        let output = Opaque { format: "gemini.generate".into(), kind: kind.into(), json: json.into() };
        let request = ChatRequest { messages, output: Some(OutputFormat::Opaque(output)), ..ChatRequest::default() };
        let mut losses = Losses::default();
        let said = said(&request, &mut losses).into_owned();
        (said, fields(&losses.into_losses()))
    }

    fn says(message: &Message) -> String {
        let text = |part: &Part| if let Part::Text(text) = part { text.text.clone() } else { String::new() };
        message.parts.iter().map(text).collect()
    }

    #[test]
    fn the_values_are_said_once_in_words() {
        let user = || Message::new(Role::User, vec![Part::text("Which? ")]);
        let answer = || Message::new(Role::Assistant, vec![Part::text("It is")]);
        for schema in SCHEMAS {
            let json =
                format!(r#"{{"responseMimeType":"{KIND}","{schema}":{{"type":"STRING","enum":["a \"b\"","c"]}}}}"#);
            let (request, losses) = asked(KIND, &json, vec![user(), answer()]);
            assert_eq!(says(&request.messages[0]), format!("Which? {WORDS}\na \"b\"\nc"));
            assert_eq!((request.messages.len(), request.output, losses), (2, None, vec!["response_format".to_owned()]));
            let (request, _) = asked(KIND, &json, vec![answer()]);
            assert_eq!((&request.messages[1].role, request.messages.len()), (&Role::System, 2));
        }
    }

    #[test]
    fn what_has_no_values_stays_as_it_is() {
        let listed = r#"{"responseSchema":{"enum":["a"]}}"#;
        for (kind, json) in [("text/html", listed), (KIND, "{}"), (KIND, r#"{"responseSchema":{"enum":[1]}}"#)] {
            let (request, losses) = asked(kind, json, Vec::new());
            assert!(request.output.is_some() && request.messages.is_empty() && losses.is_empty(), "{json}");
        }
    }
}
