//! Estimates numbers of tokens without the model's tokenizer.
//!
//! Each byte has a weight by its class (a letter a fifth of a token, a digit three quarters, punctuation a half), so an
//! estimate is a single pass without state, and those of a stream's parts can be added. The weights are fitted on half
//! of the recorded answers that report their tokens, and checked on the other half; `docs/limits.md` states the error.
//! JSON bodies are weighed as they are, with low weights for their structure, and long ones by samples.

use weir_types::contract::types::{
    Candidate, ChatRequest, ChatResponse, MediaPart, MediaSource, Message, Part, ResultPart, Tool,
};

/// Tokens of a message besides its text, in hundredths.
const PER_MESSAGE: u64 = 400;
/// Tokens of an image or a page if nothing better is known, in hundredths.
const PER_MEDIUM: u64 = 100_000;
/// Tokens of an answer besides its content, in hundredths.
const PER_ANSWER: u64 = 300;
/// Weight of the structure around an answer's content, in hundredths of a token.
const ENVELOPE: u64 = 6000;
/// One part of so many of an answer is taken for its content at least, so that none in a small envelope costs nothing.
const CONTENT_AT_LEAST: u64 = 8;
/// Length beyond which samples are weighed, in bytes.
const WHOLE: usize = 8 << 10;
/// Size of a sample, in bytes.
const BLOCK: usize = 256;
/// Minimum length of a run without spaces that is taken for base64 data, in bytes.
const BLOB: usize = 64;

/// Weights of bytes, in hundredths of a token; wide, so that they are added as they are read.
type Weights = [u32; 256];

static TEXT: Weights = weights(48);
static JSON: Weights = weights(12);

/// The table of weights; `structure` is the weight of JSON's structural characters.
const fn weights(structure: u32) -> Weights {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = match byte as u8 {
            b'a'..=b'z' | b'A'..=b'Z' => 19,
            b'0'..=b'9' => 77,
            b' ' => 21,
            0..=31 => 57,
            b'"' | b'{' | b'}' | b'[' | b']' | b':' | b',' | b'\\' => structure,
            // First bytes of scripts in which a character is a syllable or a word.
            0xE3.. => 40,
            0x80.. => 20,
            _ => 48,
        };
        byte += 1;
    }
    table
}

fn weigh(bytes: &[u8], weights: &Weights) -> u64 {
    let weight = |byte: &u8| weights.get(usize::from(*byte)).copied().unwrap_or_default();
    // Blocks of a known length are added without a loop.
    let (blocks, rest) = bytes.as_chunks::<32>();
    let blocks = blocks.iter().map(|block| u64::from(block.iter().map(weight).sum::<u32>()));
    blocks.sum::<u64>() + u64::from(rest.iter().map(weight).sum::<u32>())
}

/// Whole tokens of a weight, rounded up.
fn tokens(weight: u64) -> u32 {
    u32::try_from(weight.div_ceil(100)).unwrap_or(u32::MAX)
}

/// The estimated tokens of a request's JSON body, given in pieces.
pub fn body_tokens<'a>(pieces: impl Iterator<Item = &'a [u8]> + Clone) -> u32 {
    let weight = body_weight(pieces);
    tokens(weight.saturating_sub(800)).max(1)
}

/// The weight of a body: its start is weighed whole, the rest by samples.
fn body_weight<'a>(pieces: impl Iterator<Item = &'a [u8]> + Clone) -> u64 {
    let total: usize = pieces.clone().map(<[u8]>::len).sum();
    let blocks = pieces.flat_map(|piece| piece.chunks(BLOCK));
    let mut has_blobs = false;
    let mut sum = |blocks: &mut dyn Iterator<Item = &'a [u8]>| {
        let (mut weight, mut bytes) = (0, 0);
        for block in blocks {
            let words = without_blob(block);
            has_blobs |= words.len() < block.len();
            weight += weigh(words, &JSON);
            bytes += block.len() as u64;
        }
        (weight, bytes)
    };
    let (head, weighed) = sum(&mut blocks.clone().take(WHOLE / BLOCK));
    let rest = (total as u64).saturating_sub(weighed);
    let stride = rest as usize / WHOLE + 1;
    let (weight, weighed) = sum(&mut blocks.skip(WHOLE / BLOCK).step_by(stride));
    let rest = (weight * rest).checked_div(weighed).unwrap_or_default();
    head + rest + if has_blobs { PER_MEDIUM } else { 0 }
}

/// A block without the base64 data at its start or end.
fn without_blob(block: &[u8]) -> &[u8] {
    let is_other = |byte: &u8| !is_base64(*byte);
    let first = block.iter().position(is_other).unwrap_or(block.len());
    let words = if first >= BLOB { block.get(first..).unwrap_or_default() } else { block };
    let last = words.iter().rev().position(is_other).unwrap_or(words.len());
    if last >= BLOB { words.get(..words.len() - last).unwrap_or_default() } else { words }
}

/// The weight of an answer's content, summed up as it passes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Content(u64);

impl Content {
    /// Adds a text.
    pub fn text(&mut self, text: &str) {
        self.0 += text_weight(text.as_bytes());
    }

    /// Adds the inside of a JSON string, as it is written; base64 data do not count as text. Returns whether anything
    /// was added.
    pub fn string(&mut self, inside: &[u8]) -> bool {
        let weight = if inside.len() >= BLOB && is_blob(inside) { 0 } else { string_weight(inside) };
        self.0 += weight;
        weight > 0
    }

    /// Adds a part of a whole answer in JSON, content or not.
    pub fn json(&mut self, piece: &[u8]) {
        self.0 += body_weight(std::iter::once(piece));
    }

    /// Adds one token of unknown content.
    pub fn unknown(&mut self) {
        self.0 += 100;
    }

    /// Both contents.
    pub(crate) fn and(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// What is left of this content without a part of it.
    pub(crate) fn without(self, part: Self) -> Self {
        Self(self.0.saturating_sub(part.0))
    }

    /// Tokens of the texts and strings that were added.
    pub fn tokens(self) -> u32 {
        if self.0 == 0 { 0 } else { tokens(self.0 + PER_ANSWER) }
    }

    /// Tokens of the JSON that was added.
    pub fn tokens_of_json(self) -> u32 {
        tokens(self.0.saturating_sub(ENVELOPE).max(self.0 / CONTENT_AT_LEAST))
    }
}

fn is_blob(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| is_base64(*byte))
}

fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'_' | b'-')
}

/// The weight of the inside of a JSON string; an escape weighs about as much as its character.
fn string_weight(inside: &[u8]) -> u64 {
    let (mut weight, mut rest) = (0, inside);
    while let Some(at) = memchr::memchr(b'\\', rest) {
        let (before, escape) = rest.split_at(at);
        let is_unicode = escape.get(1) == Some(&b'u');
        weight += weigh(before, &TEXT) + if is_unicode { 80 } else { 40 };
        rest = escape.get(if is_unicode { 6 } else { 2 }..).unwrap_or_default();
    }
    weight + weigh(rest, &TEXT)
}

/// The estimated tokens of a whole answer's content.
pub fn answer_tokens(answer: &ChatResponse) -> u32 {
    let candidate = |candidate: &Candidate| candidate.parts.iter().map(part).sum::<u64>();
    let weight: u64 = answer.candidates.iter().map(candidate).sum();
    if weight == 0 { 0 } else { tokens(weight + PER_ANSWER) }
}

/// The estimated input tokens of a request.
pub fn input_tokens(request: &ChatRequest) -> u32 {
    let messages: u64 = request.messages.iter().map(message).sum();
    let tools: u64 = request.tools.iter().map(tool).sum();
    tokens(messages + tools + PER_ANSWER)
}

/// The estimated tokens of a text.
pub fn text_tokens(words: &str) -> u32 {
    tokens(text(words))
}

fn message(message: &Message) -> u64 {
    PER_MESSAGE + message.parts.iter().map(part).sum::<u64>()
}

fn part(part: &Part) -> u64 {
    match part {
        Part::Text(part) => text(&part.text),
        Part::Media(part) => medium(part),
        Part::ToolCall(call) => PER_MESSAGE + text(&call.name) + text(&call.arguments),
        Part::ToolResult(result) => PER_MESSAGE + result.content.iter().map(result_part).sum::<u64>(),
        Part::Reasoning(reasoning) => reasoning.text.as_deref().map_or(0, text),
        Part::Refusal(refusal) => text(refusal),
        Part::Opaque(opaque) => text(&opaque.json),
    }
}

fn result_part(part: &ResultPart) -> u64 {
    match part {
        ResultPart::Text(part) => text(&part.text),
        ResultPart::Media(part) => medium(part),
        ResultPart::Json(json) => text(json),
        ResultPart::Opaque(opaque) => text(&opaque.json),
    }
}

fn medium(part: &MediaPart) -> u64 {
    match &part.source {
        MediaSource::Text(words) => text(words),
        MediaSource::Url(_) | MediaSource::Base64(_) | MediaSource::FileId(_) => PER_MEDIUM,
    }
}

fn tool(tool: &Tool) -> u64 {
    match tool {
        Tool::Function(tool) => {
            let description = tool.description.as_deref().map_or(0, text);
            2 * PER_MESSAGE + text(&tool.name) + description + tool.parameters.as_deref().map_or(0, text)
        }
        Tool::Opaque(opaque) => text(&opaque.json),
    }
}

fn text(text: &str) -> u64 {
    text_weight(text.as_bytes())
}

fn text_weight(bytes: &[u8]) -> u64 {
    let stride = bytes.len() / WHOLE + 1;
    if stride == 1 {
        return weigh(bytes, &TEXT);
    }
    let (weight, weighed) = bytes
        .chunks(BLOCK)
        .step_by(stride)
        .fold((0, 0), |(weight, weighed), block| (weight + weigh(block, &TEXT), weighed + block.len() as u64));
    (weight * bytes.len() as u64).checked_div(weighed).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn four_letters_are_a_token_and_other_scripts_cost_more() {
        assert_eq!(text_tokens("four"), 1);
        assert_eq!(text_tokens(""), 0);
        assert_eq!(text_tokens("漢字"), 2);
        assert!(text_tokens("hello world, how are you today?") <= 8);
    }

    #[test]
    fn an_image_in_a_body_costs_what_images_cost() {
        let body = format!("{{\"text\":\"look\",\"image\":\"{}\"}}", "iVBORw0KGgo".repeat(100_000));
        let tokens = body_tokens(std::iter::once(body.as_bytes()));
        assert!((900..1100).contains(&tokens), "{tokens}");
    }

    proptest! {
        #[test]
        fn an_estimate_grows_with_the_text_and_is_never_absurd(text in "\\PC{0,400}", more in "\\PC{0,40}") {
            let both = text_tokens(&format!("{text}{more}"));
            prop_assert!(both >= text_tokens(&text));
            prop_assert!(both as usize <= text.len() + more.len() + 1, "{}", both);
            prop_assert!(both as usize * 8 + 8 >= text.chars().count(), "{}", both);
        }

        #[test]
        fn the_parts_of_a_stream_add_up(parts in prop::collection::vec("\\PC{0,40}", 0..20)) {
            let mut content = Content::default();
            for part in &parts {
                content.text(part);
            }
            let whole = text_tokens(&parts.concat());
            prop_assert!(content.tokens().abs_diff(whole) <= 3, "{:?} {}", content, whole);
        }

        #[test]
        fn samples_represent_the_whole(words in prop::collection::vec("[a-z]{1,9}", 1..20), times in 200usize..2000) {
            let text = words.join(" ").repeat(times);
            let (sampled, whole) = (text_weight(text.as_bytes()), weigh(text.as_bytes(), &TEXT));
            prop_assert!(sampled.abs_diff(whole) * 10 <= whole + 1000, "{} {}", sampled, whole);
        }

        #[test]
        fn a_string_in_json_weighs_about_as_much_as_its_text(text in "[a-z \"\n]{0,200}") {
            let json = serde_json::to_string(&text).unwrap();
            let mut content = Content::default();
            content.string(json.trim_matches('"').as_bytes());
            prop_assert!(content.tokens() <= text_tokens(&text) * 2 + 4);
        }

        #[test]
        fn no_answer_is_free(content in "[ -!#-Z^-~]{1,300}") {
            let mut answer = Content::default();
            answer.json(format!("{{\"content\":\"{content}\"}}").as_bytes());
            prop_assert!(answer.tokens_of_json() >= 1);
        }

        #[test]
        fn any_bytes_can_be_weighed(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
            let mut content = Content::default();
            content.string(&bytes);
            content.json(&bytes);
            prop_assert!(body_tokens(bytes.chunks(7)) >= 1);
        }
    }
}
