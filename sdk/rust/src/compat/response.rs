//! Parses whole answers: from the provider's format to the unified model.

use crate::adapter::{ChatAnswer, ChatOutcome};
use crate::compat::content::{owned, read_image, read_part};
use crate::compat::decoder::calls::{NO_ID, is_cut_off};
use crate::compat::names::Renamed;
use crate::compat::quirks::Quirks;
use crate::compat::wire::{self, Answer, Choice, Content, Delta, FORMAT, rest_json};
use crate::compat::{error, finish, logprobs, reasoning, spoken, usage};
use crate::json::{self, RawValue, Rest, Str};
use crate::losses::{extension, extensions};
use crate::types::{
    Candidate, ChatResponse, Citation, Context, Error, Extension, HttpResponse, MediaKind, MediaPart, MediaSource,
    Opaque, Part, TextPart, ToolCall, ToolKind,
};

/// Parses a whole chat answer.
pub fn parse(quirks: &Quirks, ctx: &Context, response: &HttpResponse) -> Result<ChatOutcome, Error> {
    let text = response.text()?;
    let answer: Answer<'_> =
        json::parse(text).map_err(|e| Error::unreadable(format!("the provider's answer is not readable: {e}")))?;
    if let Some(error) = answer.error {
        return Err(error::from_json(error.get(), None));
    }
    if error::is_bare(&answer) {
        return Err(error::from_json(text, None));
    }
    if answer.choices.is_none() && answer.usage.is_none() {
        return Err(Error::unreadable("the provider's answer has no choices"));
    }
    let reader = Reader { quirks, ctx, renamed: Renamed::from_memo(&ctx.memo) };
    let mut candidates = Vec::new();
    for (position, choice) in (0..).zip(answer.choices.unwrap_or_default().0) {
        candidates.push(reader.candidate(position, choice)?);
    }
    let mut kept = extensions(FORMAT, answer.rest);
    keep(&mut kept, "system_fingerprint", answer.system_fingerprint);
    let pages = sources(quirks, &kept);
    for candidate in candidates.iter_mut().filter(|_| !pages.is_empty()) {
        if candidate.parts.iter().any(|part| matches!(part, Part::Text(_))) {
            with_last_text(&mut candidate.parts, |text| text.citations.extend(pages.iter().cloned()));
        }
    }
    let response = ChatResponse {
        id: answer.id.unwrap_or_default().into_string(),
        model: answer.model.map(Str::into_string),
        created_ms: answer.created.and_then(|created| created.number()).map(|seconds| seconds * 1000.0),
        candidates,
        usage: answer.usage.and_then(|wire| usage::priced(wire, quirks)),
        service_tier: answer.service_tier.map(Str::into_string),
        extensions: kept,
    };
    Ok(ChatOutcome::Complete(ChatAnswer { response, losses: Vec::new() }))
}

/// Keeps a raw member as an extension.
pub(super) fn keep(kept: &mut Vec<Extension>, key: &str, raw: Option<&RawValue>) {
    if let Some(raw) = raw {
        kept.push(Extension { format: FORMAT.to_owned(), key: key.to_owned(), json: raw.get().to_owned() });
    }
}

struct Reader<'a> {
    quirks: &'a Quirks,
    ctx: &'a Context,
    renamed: Renamed,
}

impl Reader<'_> {
    fn candidate(&self, position: u32, mut choice: Choice<'_>) -> Result<Candidate, Error> {
        if let Some(error) = choice.rest.take("error").filter(|error| error.get() != "null") {
            return Err(error::from_json(error.get(), None));
        }
        let mut kept = extensions(FORMAT, choice.rest);
        // A legacy completion has its text in the choice itself.
        let legacy = || choice.text.map(|text| Delta { content: Some(Content::Text(text)), ..Delta::default() });
        let mut message = choice.message.map(|message| *message).or(choice.delta).or_else(legacy).unwrap_or_default();
        let rest = std::mem::take(&mut message.rest);
        let index = choice.index.map_or(position, |index| index.0);
        let parts = self.parts(message, index);
        let left = Rest(rest.0.into_iter().filter(|(_, value)| value.get() != "null").collect());
        if !left.0.is_empty() {
            kept.push(Extension { format: FORMAT.to_owned(), key: "message".to_owned(), json: rest_json(&left) });
        }
        let called = parts.iter().any(|part| matches!(part, Part::ToolCall(_)));
        let mut finish = finish::read(self.quirks, choice.finish_reason.as_deref(), called);
        if let Some(finish) = &mut finish {
            finish.reason = finish::cut(finish.reason, parts.iter().any(breaks_off));
        }
        Ok(Candidate {
            index,
            parts,
            finish,
            logprobs: choice.logprobs.map(|raw| logprobs::to_chat(raw.get())),
            extensions: kept,
        })
    }

    fn parts(&self, message: Delta<'_>, candidate: u32) -> Vec<Part> {
        let details = message.reasoning_details.unwrap_or_default().0;
        let plain = [message.reasoning_content, message.reasoning];
        let thoughts = reasoning::read(details, plain, self.quirks.family);
        let mut parts: Vec<Part> = thoughts.into_iter().map(Part::Reasoning).collect();
        match message.content {
            Some(Content::Parts(list)) => {
                for part in list {
                    match owned(read_part(part), self.quirks.family) {
                        Part::Opaque(reference) if is_reference(&reference) => {
                            with_last_text(&mut parts, |text| text.citations.push(referred(reference)));
                        }
                        part => parts.push(part),
                    }
                }
            }
            Some(Content::Text(text)) if text.is_empty() => {}
            Some(content) => parts.push(Part::text(content.into_text())),
            None => {}
        }
        if let Some(signature) = message.extra_content.and_then(|raw| reasoning::read_extra(raw.get())) {
            with_last_text(&mut parts, |text| text.signature = Some(signature));
        }
        for raw in message.annotations.unwrap_or_default().0 {
            with_last_text(&mut parts, |text| text.citations.push(citation(raw)));
        }
        parts.extend(message.refusal.filter(|words| !words.is_empty()).map(|words| Part::Refusal(words.into_string())));
        parts.extend(message.audio.map(|raw| audio(raw.get())).into_iter().flatten());
        parts.extend(message.images.unwrap_or_default().0.into_iter().map(read_image));
        let legacy = message.function_call.map(|function| *function);
        let legacy = legacy.map(|function| wire::ToolCall { function: Some(function), ..wire::ToolCall::default() });
        self.calls(&mut parts, message.tool_calls.unwrap_or_default().0.into_iter().chain(legacy), candidate);
        parts
    }

    fn calls<'w>(&self, parts: &mut Vec<Part>, calls: impl Iterator<Item = wire::ToolCall<'w>>, candidate: u32) {
        let mut ids: Vec<String> = Vec::new();
        for (number, wire) in (0..).zip(calls) {
            let Some(mut call) = read_call(wire) else { continue };
            let name = self.renamed.original(&call.name).to_owned();
            call.name = name;
            if call.id.is_empty() || call.id == NO_ID || ids.contains(&call.id) {
                call.id = made_id(self.ctx, candidate, number);
            }
            ids.push(call.id.clone());
            parts.push(Part::ToolCall(call));
        }
    }
}

/// Whether a part is a function's call whose arguments end within a value.
fn breaks_off(part: &Part) -> bool {
    matches!(part, Part::ToolCall(call) if call.kind == ToolKind::Function && is_cut_off(&call.arguments))
}

/// Parses a call; `None` if it has neither a name nor any other content.
pub fn read_call(wire: wire::ToolCall<'_>) -> Option<ToolCall> {
    let mut call = match (wire.function, wire.custom) {
        (Some(function), custom) if custom.is_none() || wire.kind.as_deref() != Some("custom") => {
            let name = function.name.filter(|name| !name.is_empty())?;
            ToolCall::new("", name, function.arguments.map(Content::into_text).unwrap_or_default())
        }
        (_, Some(custom)) => {
            let call = ToolCall::new("", custom.name?, custom.input.unwrap_or_default());
            ToolCall { kind: ToolKind::Custom, ..call }
        }
        _ => return None,
    };
    call.id = wire.id.unwrap_or_default().into_string();
    call.signature = wire.extra_content.and_then(|raw| reasoning::read_extra(raw.get()));
    call.cache = super::content::cache_hint(wire.cache_control.map(|hint| *hint), &wire.rest);
    call.extensions = extensions(FORMAT, wire.rest);
    Some(call)
}

/// An id for a call that came without one: always the same for the same place in the same exchange.
pub fn made_id(ctx: &Context, candidate: u32, number: u32) -> String {
    format!("call_{candidate}_{number}_{}", ctx.request_id)
}

/// Changes the last text, to which citations and signatures belong; adds an empty one if there is none (C-29).
fn with_last_text(parts: &mut Vec<Part>, change: impl FnOnce(&mut TextPart)) {
    let last = parts.iter_mut().rev().find_map(|part| match part {
        Part::Text(text) => Some(text),
        _ => None,
    });
    if let Some(text) = last {
        return change(text);
    }
    let mut text = TextPart::new("");
    change(&mut text);
    parts.push(Part::Text(text));
}

/// The mark of a citation that this format has in a member of the answer.
pub const SOURCE: &str = "source";

/// The pages that an answer names in a member beside its texts, as citations of a whole text.
pub(super) fn sources(quirks: &Quirks, members: &[Extension]) -> Vec<Citation> {
    let lists = quirks.sources.iter().filter_map(|key| extension(members, FORMAT, key));
    let pages = lists.map(|json| json::parse::<Vec<&RawValue>>(json).unwrap_or_default());
    pages
        .map(|pages| pages.into_iter().filter_map(page).collect())
        .find(|pages: &Vec<_>| !pages.is_empty())
        .unwrap_or_default()
}

/// A page: its address, or an object with its address and title.
fn page(raw: &RawValue) -> Option<Citation> {
    let (url, title) = if let Some(url) = json::text(raw) {
        (url.into_string(), None)
    } else {
        let mut page = Rest::parse(raw.get()).ok()?;
        (page.str("url")?.into_string(), page.str("title").map(Str::into_string))
    };
    let source = Opaque { format: FORMAT.to_owned(), kind: SOURCE.to_owned(), json: raw.get().to_owned() };
    Some(Citation { url: Some(url), title, quote: None, start: None, end: None, source: Some(source) })
}

/// Parses an entry of `annotations`. One with more members than a page's citation is also kept whole.
pub fn citation(raw: &RawValue) -> Citation {
    let mut annotation = Rest::parse(raw.get()).unwrap_or_default();
    let kind = annotation.str("type").map(Str::into_string).unwrap_or_default();
    let mut page = annotation.object("url_citation").unwrap_or_default();
    let citation = Citation {
        url: page.str("url").map(Str::into_string),
        title: page.str("title").map(Str::into_string),
        // OpenRouter has the page's words there.
        quote: page.get("content").and_then(json::text).map(Str::into_string).filter(|words| !words.is_empty()),
        start: page.count("start_index"),
        end: page.count("end_index"),
        source: None,
    };
    let plain = kind == "url_citation" && citation.url.is_some() && annotation.0.is_empty() && page.0.is_empty();
    let whole = || Opaque { format: FORMAT.to_owned(), kind, json: raw.get().to_owned() };
    Citation { source: (!plain).then(whole), ..citation }
}

/// Whether a part only says what the text before it refers to. Only Mistral has such parts.
pub fn is_reference(part: &Opaque) -> bool {
    part.kind == "reference"
}

/// A reference as a citation of the text before it. It names what it refers to only by number.
pub fn referred(reference: Opaque) -> Citation {
    Citation { url: None, title: None, quote: None, start: None, end: None, source: Some(reference) }
}

/// Parses the audio of an answer: its words, and the sound, whose id and time of expiry are kept as extensions.
fn audio(text: &str) -> Vec<Part> {
    let mut wire = Rest::parse(text).unwrap_or_default();
    let words = wire.str("transcript").filter(|words| !words.is_empty());
    let data = wire.str("data").filter(|data| !data.is_empty());
    let mut parts: Vec<Part> = Vec::new();
    parts.extend(words.map(|words| Part::Text(spoken::transcript(words.into_string()))));
    if let Some(data) = data {
        let media = MediaPart::new(MediaKind::Audio, MediaSource::Base64(data.into_string()));
        parts.push(Part::Media(MediaPart { extensions: extensions(FORMAT, wire), ..media }));
    }
    parts
}

#[cfg(test)]
mod tests;
