//! Removes the opaque values of other targets from a request, for a target that refused it with them. The target
//! keeps its own reasoning; other reasoning is reduced to its text.

use super::Run;
use weir_types::contract::types::{ChatRequest, Loss, LossKind, Message, Part, ReasoningPart, Signature};
use weir_types::fault::Fault;

/// The note on a removed value.
const NOTE: &str = "the target refused the request with it: only its issuer can read it";

impl Run<'_> {
    /// Removes all opaque values that the target is not known to have issued.
    pub(super) fn bare(&mut self, chat: &mut ChatRequest) -> Result<(), Fault> {
        let (provenance, tenant) = (self.context.reasoning_cache.provenance(), &self.inbound.caller.tenant);
        let own = self.target.issuer();
        let is_own = |value: &Signature| provenance.is_from(&own, tenant, &value.value);
        let mut losses = strip(chat, &is_own);
        self.names.spell(&mut losses);
        if losses.is_empty() {
            return Err(Fault::internal("the request holds no opaque value that could be left out"));
        }
        self.note(losses);
        Ok(())
    }
}

/// Removes every opaque value except those for which `stays` holds, and then empty parts and messages. Returns the
/// losses.
fn strip(chat: &mut ChatRequest, stays: &dyn Fn(&Signature) -> bool) -> Vec<Loss> {
    let mut losses = Vec::new();
    for (at, message) in chat.messages.iter_mut().enumerate() {
        strip_message(message, stays, &mut |what| {
            let field = format!("messages[{at}].{what}");
            losses.push(Loss { field, kind: LossKind::Dropped, note: Some(NOTE.to_owned()) });
        });
    }
    if !losses.is_empty() {
        chat.messages.retain(|message| !message.parts.is_empty());
    }
    losses
}

fn strip_message(message: &mut Message, stays: &dyn Fn(&Signature) -> bool, lost: &mut dyn FnMut(&str)) {
    let mut take = |place: &mut Option<Signature>, what: &str| {
        let taken = place.take_if(|value| !stays(value)).is_some();
        if taken {
            lost(what);
        }
        taken
    };
    message.parts.retain_mut(|part| match part {
        Part::Text(text) => {
            take(&mut text.signature, "text.signature");
            true
        }
        Part::ToolCall(call) => {
            take(&mut call.signature, "tool-call.signature");
            true
        }
        Part::Reasoning(thought) => {
            let taken = [take(&mut thought.signature, "reasoning"), take(&mut thought.encrypted, "reasoning")];
            !taken.contains(&true) || keep_words(thought)
        }
        _ => true,
    });
}

/// Reduces reasoning without opaque values to its text: its id and extensions have no meaning without them. Returns
/// whether anything is left.
fn keep_words(thought: &mut ReasoningPart) -> bool {
    if thought.signature.is_some() || thought.encrypted.is_some() {
        return true;
    }
    thought.id = None;
    thought.extensions.clear();
    thought.text.as_ref().is_some_and(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_types::contract::types::{Role, TextPart, ToolCall, ToolKind};

    fn value(of: &str) -> Signature {
        Signature { issuer: "zeta".into(), value: of.into() }
    }

    fn thought(text: Option<&str>, signature: Option<Signature>, encrypted: Option<Signature>) -> Part {
        let text = text.map(str::to_owned);
        Part::Reasoning(ReasoningPart { id: Some("r1".into()), text, signature, encrypted, extensions: Vec::new() })
    }

    fn text(signature: Option<Signature>) -> Part {
        Part::Text(TextPart { signature, ..TextPart::plain("Yes.") })
    }

    fn call(signature: Option<Signature>) -> Part {
        Part::ToolCall(ToolCall {
            id: "c1".into(),
            name: "look".into(),
            kind: ToolKind::Function,
            arguments: "{}".into(),
            signature,
            cache: None,
            extensions: Vec::new(),
        })
    }

    fn request(turns: Vec<Vec<Part>>) -> ChatRequest {
        let message = |parts| Message::plain(Role::Assistant, parts);
        ChatRequest::plain("m", turns.into_iter().map(message).collect())
    }

    #[test]
    fn c34_every_value_of_other_issuers_is_removed_and_reported() {
        let mut chat = request(vec![
            vec![
                thought(Some("Hm."), Some(value("s1")), None),
                thought(None, None, Some(value("s2"))),
                call(Some(value("s3"))),
            ],
            vec![thought(None, None, Some(value("s4")))],
            vec![text(Some(value("s5"))), thought(Some("Own."), Some(value("mine")), None)],
        ]);
        let losses = strip(&mut chat, &|value| value.value == "mine");
        let fields: Vec<&str> = losses.iter().map(|loss| loss.field.as_str()).collect();
        let expected = ["messages[0].reasoning", "messages[0].reasoning", "messages[0].tool-call.signature"];
        assert_eq!(fields[..3], expected);
        assert_eq!(fields[3..], ["messages[1].reasoning", "messages[2].text.signature"]);
        let mut words = thought(Some("Hm."), None, None);
        if let Part::Reasoning(words) = &mut words {
            words.id = None;
        }
        assert_eq!(chat.messages.len(), 2, "a turn that was nothing else is gone");
        assert_eq!(chat.messages[0].parts, [words, call(None)]);
        assert_eq!(chat.messages[1].parts, [text(None), thought(Some("Own."), Some(value("mine")), None)]);
    }

    #[test]
    fn a_request_without_opaque_values_is_unchanged() {
        let plain = request(vec![vec![thought(Some("Hm."), None, None), text(None)], Vec::new()]);
        let mut chat = plain.clone();
        assert!(strip(&mut chat, &|_| false).is_empty());
        assert_eq!(chat, plain);
    }
}
