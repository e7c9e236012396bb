//! Adapts a translated request to the model's known abilities: unsupported settings are dropped or lowered. Each
//! change is a loss, reported under the field's name in the client's format.

use bytes::Bytes;

use weir_config::Capabilities;
use weir_types::contract::about::{Face, Feature, FrameTest};
use weir_types::contract::types::{ChatRequest, Loss, LossKind, ReasoningMode, ReasoningRequest};
use weir_wire::peek::{Found, Limits, Peek, Test, Wanted};

/// A request as its client wrote it, with the places where its format has features.
#[derive(Debug, Clone, Copy)]
pub struct ClientFields<'a> {
    features: &'a [Feature],
    output_limit: &'a [String],
    body: &'a [Bytes],
}

/// Adapts a request to a model with these abilities, and returns the losses.
pub(crate) fn adapt_to_model(
    chat: &mut ChatRequest,
    capabilities: &Capabilities,
    written: ClientFields<'_>,
) -> Vec<Loss> {
    let mut losses = Vec::new();
    if capabilities.reasoning == Some(false)
        && let Some(reasoning) = chat.reasoning.take()
    {
        let mut lose = |field| {
            let note = "the model does not reason".to_owned();
            losses.push(Loss { field, kind: LossKind::Dropped, note: Some(note) });
        };
        if wants_thinking(&reasoning) {
            lose(written.reasoning());
        } else if !is_off(&reasoning) {
            own_settings(&reasoning).for_each(|key| lose(format!("reasoning.{key}")));
        }
    }
    if let (Some(most), Some(asked)) =
        (capabilities.output.and_then(|most| u32::try_from(most).ok()), chat.max_output_tokens)
        && most > 0
        && asked > most
    {
        chat.max_output_tokens = Some(most);
        lower_budget(chat, [asked, most]);
        let note = format!("the model gives at most {most} tokens");
        losses.push(Loss { field: written.limit(), kind: LossKind::Clamped, note: Some(note) });
    }
    losses
}

/// Whether the request asks for reasoning, so that dropping the setting is a loss.
fn wants_thinking(reasoning: &ReasoningRequest) -> bool {
    let is_set = reasoning.mode.is_some() || reasoning.effort.is_some() || reasoning.budget_tokens.is_some();
    !is_off(reasoning) && is_set
}

fn is_off(reasoning: &ReasoningRequest) -> bool {
    matches!(reasoning.mode, Some(ReasoningMode::Disabled))
        || reasoning.effort.as_deref() == Some("none")
        || reasoning.budget_tokens == Some(0)
}

/// The settings of reasoning that only the client's format has; one whose value is `null` is a note.
fn own_settings(reasoning: &ReasoningRequest) -> impl Iterator<Item = &str> {
    reasoning.extensions.iter().filter(|own| own.json != "null").map(|own| own.key.as_str())
}

/// Lowers the reasoning budget in proportion to the lowered output limit.
fn lower_budget(chat: &mut ChatRequest, [asked, most]: [u32; 2]) {
    let budget = chat.reasoning.as_mut().and_then(|reasoning| reasoning.budget_tokens.as_mut());
    if let Some(budget) = budget.filter(|budget| **budget >= most) {
        let share = u64::from(*budget) * u64::from(most) / u64::from(asked.max(1));
        *budget = u32::try_from(share).unwrap_or(most).min(most);
    }
}

impl<'a> ClientFields<'a> {
    /// A request with this body to this face.
    pub fn new(face: &'a Face, body: &'a [Bytes]) -> Self {
        Self { features: &face.features, output_limit: &face.output_limit, body }
    }

    /// The field of the reasoning setting in the client's spelling.
    fn reasoning(self) -> String {
        let tests = self.features.iter().filter(|feature| feature.name == "reasoning").flat_map(|one| &one.tests);
        self.name(&tests.cloned().collect::<Vec<_>>()).unwrap_or_else(|| "reasoning".to_owned())
    }

    /// The field of the output limit in the client's spelling.
    fn limit(self) -> String {
        let tests = self.output_limit.iter().map(|pointer| FrameTest::Present(pointer.clone()));
        self.name(&tests.collect::<Vec<_>>()).unwrap_or_else(|| "max-output-tokens".to_owned())
    }

    /// The field that the first matching test examines.
    fn name(self, tests: &[FrameTest]) -> Option<String> {
        let mut wanted = Wanted::default();
        let compiled: Vec<_> =
            tests.iter().filter_map(|test| Some((Test::compile(test, &mut wanted).ok()?, test))).collect();
        let found = found(&wanted, self.body)?;
        compiled.iter().find(|(test, _)| test.holds(&found)).and_then(|(_, test)| place(test))
    }
}

fn found(wanted: &Wanted, body: &[Bytes]) -> Option<Found> {
    let pointers = wanted.compile().ok()?;
    let mut peek = Peek::new(&pointers, Limits::default());
    for chunk in body {
        peek.push(chunk);
    }
    peek.finish().ok()
}

/// The field that a test examines, with dots; for one of several values, the object that contains it.
fn place(test: &FrameTest) -> Option<String> {
    let pointer = test.pointer()?;
    let pointer = match (test, pointer.rsplit_once('/')) {
        (FrameTest::Equals(_), Some((object, _))) if !object.is_empty() => object,
        _ => pointer,
    };
    Some(pointer.strip_prefix('/')?.replace('/', "."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_types::contract::about::PointerEquals;
    use weir_types::contract::types::Extension;

    fn reasoning(effort: Option<&str>, budget_tokens: Option<u32>) -> ReasoningRequest {
        let effort = effort.map(str::to_owned);
        ReasoningRequest { mode: None, effort, budget_tokens, summary: None, extensions: Vec::new() }
    }

    fn suited(chat: &mut ChatRequest, capabilities: Capabilities, body: &'static str) -> Vec<(String, LossKind)> {
        let present = |pointer: &str| FrameTest::Present(pointer.to_owned());
        let mode = FrameTest::Equals(PointerEquals { pointer: "/ponder/mode".into(), json: "\"deep\"".into() });
        let output_limit = ["/at/most".to_owned(), "/most".to_owned()];
        let features = [Feature { name: "reasoning".into(), tests: vec![present("/depth"), mode] }];
        let body = [Bytes::from_static(body.as_bytes())];
        let losses = adapt_to_model(
            chat,
            &capabilities,
            ClientFields { features: &features, output_limit: &output_limit, body: &body },
        );
        losses.into_iter().map(|loss| (loss.field, loss.kind)).collect()
    }

    const PLAIN: Capabilities = Capabilities {
        vision: None,
        tools: None,
        audio: None,
        documents: None,
        schema: None,
        reasoning: None,
        context: None,
        output: None,
    };

    #[test]
    fn unsupported_settings_are_reported_in_the_clients_spelling() {
        let capabilities = Capabilities { reasoning: Some(false), output: Some(100), ..PLAIN };
        let asked = || ChatRequest {
            max_output_tokens: Some(500),
            reasoning: Some(reasoning(Some("high"), None)),
            ..ChatRequest::plain("m", Vec::new())
        };
        for (body, thinks, most) in [
            (r#"{"depth":"high","most":500}"#, "depth", "most"),
            (r#"{"ponder":{"mode":"deep"},"at":{"most":500}}"#, "ponder", "at.most"),
            ("{}", "reasoning", "max-output-tokens"),
        ] {
            let mut chat = asked();
            let losses = suited(&mut chat, capabilities, body);
            let wanted = [(thinks.to_owned(), LossKind::Dropped), (most.to_owned(), LossKind::Clamped)];
            assert_eq!(losses, wanted);
            assert_eq!((chat.reasoning, chat.max_output_tokens), (None, Some(100)));
        }
        let mut chat = asked();
        assert!(suited(&mut chat, PLAIN, "{}").is_empty(), "nothing is known");
        assert_eq!(chat, asked());
    }

    #[test]
    fn dropping_disabled_reasoning_is_no_loss() {
        let capabilities = Capabilities { reasoning: Some(false), ..PLAIN };
        for off in [reasoning(Some("none"), None), reasoning(None, Some(0)), reasoning(None, None)] {
            let mut chat = ChatRequest { reasoning: Some(off), ..ChatRequest::plain("m", Vec::new()) };
            assert!(suited(&mut chat, capabilities, "{}").is_empty());
            assert_eq!(chat.reasoning, None);
        }
    }

    #[test]
    fn settings_that_only_the_clients_format_has_are_reported_without_others() {
        let capabilities = Capabilities { reasoning: Some(false), ..PLAIN };
        let own = |key: &str, json: &str| Extension { format: "f".into(), key: key.into(), json: json.into() };
        let lost = |asked: ReasoningRequest| {
            let reasoning = ReasoningRequest { extensions: vec![own("deep", "1"), own("note", "null")], ..asked };
            let mut chat = ChatRequest { reasoning: Some(reasoning), ..ChatRequest::plain("m", Vec::new()) };
            suited(&mut chat, capabilities, "{}")
        };
        let dropped = |field: &str| vec![(field.to_owned(), LossKind::Dropped)];
        assert_eq!(lost(reasoning(None, None)), dropped("reasoning.deep"));
        assert_eq!(lost(reasoning(Some("high"), None)), dropped("reasoning"), "the whole is reported");
        assert!(lost(reasoning(Some("none"), None)).is_empty(), "nothing is wanted");
    }

    #[test]
    fn the_reasoning_budget_keeps_its_share_of_a_lowered_limit() {
        let capabilities = Capabilities { output: Some(1000), ..PLAIN };
        for (budget, left) in [(3000, 750), (999, 999), (4000, 1000)] {
            let mut chat = ChatRequest {
                max_output_tokens: Some(4000),
                reasoning: Some(reasoning(None, Some(budget))),
                ..ChatRequest::plain("m", Vec::new())
            };
            suited(&mut chat, capabilities, "{}");
            assert_eq!(chat.reasoning.and_then(|reasoning| reasoning.budget_tokens), Some(left));
        }
    }
}
