//! Checks of a client's message on its way to the contract's types.

use serde::de::IgnoredAny;

/// What is wrong with a message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{place}`: {why}")]
pub struct Invalid {
    /// The field, as a path: `messages[0].role`.
    pub place: String,
    /// What is wrong with it.
    pub why: String,
}

impl Invalid {
    fn new(why: impl Into<String>) -> Self {
        Self { place: String::new(), why: why.into() }
    }

    /// A value that has to be set is not set.
    pub(crate) fn missing() -> Self {
        Self::new("it is not set")
    }

    /// A value of an enum that this schema does not know.
    pub(crate) fn unknown(number: i32) -> Self {
        Self::new(format!("the value {number} is not known here"))
    }

    /// The same, seen from the message that has the field.
    pub(crate) fn within(mut self, field: &str) -> Self {
        let dot = if self.place.is_empty() || self.place.starts_with('[') { "" } else { "." };
        self.place = format!("{field}{dot}{}", self.place);
        self
    }
}

/// An enum of the contract, by its number.
pub(crate) trait Chosen: Sized {
    /// The value with this number.
    fn chosen(number: i32) -> Result<Self, Invalid>;
}

/// A field that occurs once.
pub(crate) fn one<A, B>(value: A, field: &str, read: impl Fn(A) -> Result<B, Invalid>) -> Result<B, Invalid> {
    read(value).map_err(|why| why.within(field))
}

/// A field that occurs once or not at all.
pub(crate) fn maybe<A, B>(
    value: Option<A>,
    field: &str,
    read: impl Fn(A) -> Result<B, Invalid>,
) -> Result<Option<B>, Invalid> {
    value.map(|value| one(value, field, read)).transpose()
}

/// A field that occurs any number of times.
pub(crate) fn each<A, B>(
    values: Vec<A>,
    field: &str,
    read: impl Fn(A) -> Result<B, Invalid>,
) -> Result<Vec<B>, Invalid> {
    let numbered = values.into_iter().enumerate();
    numbered.map(|(at, value)| read(value).map_err(|why| why.within(&format!("[{at}]")).within(field))).collect()
}

/// One complete JSON value.
pub(crate) fn json(text: String) -> Result<String, Invalid> {
    match serde_json::from_str::<IgnoredAny>(&text) {
        Ok(_) => Ok(text),
        Err(error) => Err(Invalid::new(format!("it is not JSON ({error})"))),
    }
}

/// An integer in decimal digits.
pub(crate) fn decimal(text: String) -> Result<String, Invalid> {
    let digits = text.strip_prefix('-').unwrap_or(&text);
    if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(text);
    }
    Err(Invalid::new("it is not an integer in decimal digits"))
}

/// A number that JSON can hold.
pub(crate) fn number(number: f64) -> Result<f64, Invalid> {
    if number.is_finite() { Ok(number) } else { Err(Invalid::new("it is not a finite number")) }
}

/// An integer that is smaller in the contract.
pub(crate) fn small<T: TryFrom<u32>>(number: u32) -> Result<T, Invalid> {
    T::try_from(number).map_err(|_| Invalid::new(format!("{number} is too large")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types;
    use weir_types::contract::types::{ChatRequest, Extension, Message, Part, Role, TextPart, ToolCall, ToolKind};

    fn request() -> ChatRequest {
        let call = ToolCall {
            id: "1".into(),
            name: "f".into(),
            kind: ToolKind::Function,
            arguments: "{".into(),
            signature: None,
            cache: None,
            extensions: Vec::new(),
        };
        let parts = vec![Part::Text(TextPart::plain("Hi")), Part::ToolCall(call), Part::Refusal("no".into())];
        let messages = vec![Message::plain(Role::User, parts), Message::plain(Role::Other("judge".into()), Vec::new())];
        let mut request = ChatRequest::plain("m", messages);
        request.sampling.temperature = Some(0.5);
        request.sampling.seed = Some("-7".into());
        request.extensions = vec![Extension { format: "f".into(), key: "k".into(), json: "[1]".into() }];
        request
    }

    fn wrong(change: impl Fn(&mut ChatRequest)) -> String {
        let mut request = request();
        change(&mut request);
        let read: Result<ChatRequest, Invalid> = types::ChatRequest::from(request).try_into();
        read.unwrap_err().place
    }

    #[test]
    fn a_request_stays_what_it_is() {
        let message = types::ChatRequest::from(request());
        let bytes = prost::Message::encode_to_vec(&message);
        let read: types::ChatRequest = prost::Message::decode(&*bytes).unwrap();
        assert_eq!(read, message);
        assert_eq!(ChatRequest::try_from(read).unwrap(), request());
    }

    #[test]
    fn a_wrong_field_is_named() {
        assert_eq!(wrong(|request| request.sampling.temperature = Some(f64::NAN)), "sampling.temperature");
        assert_eq!(wrong(|request| request.sampling.seed = Some("1,\"a\":2".into())), "sampling.seed");
        assert_eq!(wrong(|request| request.extensions[0].json = "1,\"model\":2".into()), "extensions[0].json");
        assert_eq!(wrong(|request| request.metadata = Some("{".into())), "metadata");
    }

    #[test]
    fn a_value_that_is_not_set_or_not_known_is_named() {
        let mut message = types::ChatRequest::from(request());
        message.messages[1].role = None;
        let invalid = ChatRequest::try_from(message.clone()).unwrap_err();
        assert_eq!(invalid.to_string(), "`messages[1].role`: it is not set");
        let Some(types::part::Kind::ToolCall(call)) = &mut message.messages[0].parts[1].kind else { panic!() };
        call.kind = 99;
        let invalid = ChatRequest::try_from(message).unwrap_err();
        assert_eq!(invalid.to_string(), "`messages[0].parts[1].tool_call.kind`: the value 99 is not known here");
    }
}
