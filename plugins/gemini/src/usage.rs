//! Token counts: `usageMetadata` to the disjoint buckets and back. The prompt's count includes cached tokens and
//! excludes those from the provider's own tools; the candidates' count excludes thoughts (C-60).

use weir_sdk::json::{self, Object, Rest, Str, parse};
use weir_sdk::losses::Losses;
use weir_sdk::tier;
use weir_sdk::types::{Extension, Usage};

use crate::wire::{self, extensions, is_noted, note, own};

/// Tokens that the service's tools added to the prompt.
const TOOL_USE: &str = "toolUsePromptTokenCount";

/// The member that tells the kinds of the prompt's tokens apart. The second name is that of recorded answers with
/// vectors.
pub(crate) const PROMPT_DETAILS: [&str; 2] = ["promptTokensDetails", "promptTokenDetails"];

/// The member with the kind of traffic, in both spellings.
const TRAFFIC: [&str; 2] = ["trafficType", "traffic_type"];

/// Parses usage; the service tier is a separate field in the unified model.
pub(crate) fn read(wire: wire::Usage<'_>) -> (Usage, Option<String>) {
    let count = |count: Option<json::Count>| count.map(|count| count.0);
    let (prompt, cached, tool_use) = (count(wire.prompt), count(wire.cached), count(wire.tool_use));
    let thoughts = count(wire.thoughts);
    let rest = [prompt, tool_use, thoughts].into_iter().flatten().fold(0, u32::saturating_add);
    // The service omits a count of zero in its JSON: if the total is the sum of the others, there was no output. A
    // later report may replace such a zero.
    let nothing = (thoughts.is_some() && count(wire.total) == Some(rest)).then_some(0);
    let cached = cached.map(|cached| prompt.map_or(cached, |prompt| cached.min(prompt)));
    let input = prompt.map(|prompt| prompt - cached.unwrap_or(0));
    let figures = Figures { prompt, cached, tool_use, candidates: count(wire.candidates).or(nothing) };
    let prompt_parts = Modalities::of(&wire.rest, &PROMPT_DETAILS);
    let prompt_parts = prompt_parts.without(Modalities::of(&wire.rest, &["cacheTokensDetails"]));
    let (input, input_parts) = prompt_parts.taken_from(input);
    let (output, output_parts) =
        Modalities::of(&wire.rest, &["candidatesTokensDetails"]).taken_from(figures.candidates);
    // Vertex's word for the tier. It is the bill's alone, and stays among the format's own members.
    let traffic = TRAFFIC.iter().find_map(|name| wire.rest.get(name)).and_then(json::text).map(Str::into_string);
    let mut own_members = details(wire.rest, figures);
    own_members.extend(tool_use.map(|tokens| own(TOOL_USE, tokens.to_string())));
    let usage = Usage {
        input: sum(input, tool_use),
        input_audio: input_parts.audio(),
        input_image: input_parts.image(),
        cache_read: cached,
        output,
        output_audio: output_parts.audio(),
        output_image: output_parts.image(),
        reasoning: thoughts,
        service_tier: traffic,
        extensions: own_members,
        ..Usage::default()
    };
    (usage, wire.tier.map(Str::into_string))
}

fn sum(a: Option<u32>, b: Option<u32>) -> Option<u32> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.saturating_add(b)),
        (a, b) => a.or(b),
    }
}

/// The kinds of content in the order of their numbers, for clients that request enums as numbers.
pub(crate) const MODALITIES: [&str; 6] = ["MODALITY_UNSPECIFIED", "TEXT", "IMAGE", "VIDEO", "AUDIO", "DOCUMENT"];

/// What of a figure is audio, and what images or video.
#[derive(Debug, Clone, Copy, Default)]
struct Modalities {
    audio: u32,
    image: u32,
}

impl Modalities {
    /// As the first of these members that is there tells them apart.
    fn of(rest: &Rest<'_>, members: &[&str]) -> Self {
        let list = members
            .iter()
            .find_map(|member| rest.get(member))
            .and_then(|raw| parse::<Vec<wire::Modality<'_>>>(raw.get()).ok());
        let mut found = Self::default();
        for entry in list.unwrap_or_default() {
            let count = entry.count.map_or(0, |count| count.0);
            match entry.kind.as_ref().map(|word| word.name(&MODALITIES)) {
                Some("AUDIO") => found.audio = found.audio.saturating_add(count),
                Some("IMAGE" | "VIDEO") => found.image = found.image.saturating_add(count),
                _ => {}
            }
        }
        found
    }

    fn without(self, other: Self) -> Self {
        Self { audio: self.audio.saturating_sub(other.audio), image: self.image.saturating_sub(other.image) }
    }

    /// What is left of a figure, and the parts, which are no more than it.
    fn taken_from(self, figure: Option<u32>) -> (Option<u32>, Self) {
        let Some(figure) = figure else { return (None, Self::default()) };
        let audio = self.audio.min(figure);
        let image = self.image.min(figure - audio);
        (Some(figure - audio - image), Self { audio, image })
    }

    fn audio(self) -> Option<u32> {
        Some(self.audio).filter(|tokens| *tokens > 0)
    }

    fn image(self) -> Option<u32> {
        Some(self.image).filter(|tokens| *tokens > 0)
    }
}

/// The figures that have details.
#[derive(Debug, Clone, Copy)]
struct Figures {
    prompt: Option<u32>,
    cached: Option<u32>,
    tool_use: Option<u32>,
    candidates: Option<u32>,
}

impl Figures {
    fn of(self, details: &str) -> Option<u32> {
        match details {
            "promptTokensDetails" => self.prompt,
            "cacheTokensDetails" => self.cached,
            "toolUsePromptTokensDetails" => self.tool_use,
            "candidatesTokensDetails" => self.candidates,
            _ => None,
        }
    }
}

/// The details. Most report all tokens as text: a note is enough for these.
fn details(rest: Rest<'_>, figures: Figures) -> Vec<Extension> {
    let mut kept = extensions("", rest);
    for member in &mut kept {
        if figures.of(&member.key).is_some_and(|figure| is_all_text(&member.json, figure)) {
            *member = note(&member.key);
        }
    }
    kept
}

fn is_all_text(json: &str, figure: u32) -> bool {
    let list: Vec<wire::Modality<'_>> = parse(json).unwrap_or_default();
    let [only] = list.as_slice() else { return false };
    // An enum as a number is kept as it is.
    let is_text = only.kind.as_ref().is_some_and(|word| word.name(&[]) == "TEXT");
    is_text && only.count.is_some_and(|count| count.0 == figure) && only.rest.0.is_empty()
}

/// Writes `usageMetadata`; `input` is the estimate for an unknown input.
pub(crate) fn write(o: &mut Object<'_>, usage: &Usage, input: Option<u32>, tier: Option<&str>, losses: &mut Losses) {
    let tool_use = members(usage).find(|own| own.key == TOOL_USE).and_then(|own| own.json.parse::<u32>().ok());
    let prompt = usage.input_total().or(input).map(|all| all.saturating_sub(tool_use.unwrap_or(0)));
    let output = usage.output_visible();
    let figures = Figures { prompt, cached: usage.cache_read, tool_use, candidates: output };
    o.object("usageMetadata", |o| {
        o.opt_num("promptTokenCount", prompt);
        o.opt_num("cachedContentTokenCount", usage.cache_read);
        o.opt_num("candidatesTokenCount", output);
        o.opt_num("toolUsePromptTokenCount", tool_use);
        o.opt_num("thoughtsTokenCount", usage.reasoning);
        let all = [prompt, output, tool_use, usage.reasoning];
        if all.iter().any(Option::is_some) {
            o.num("totalTokenCount", all.into_iter().flatten().fold(0, u32::saturating_add));
        }
        for own in usage.extensions.iter().filter(|own| own.format == crate::FORMAT && own.key != TOOL_USE) {
            match figures.of(&own.key).filter(|_| is_noted(&usage.extensions, &own.key)) {
                Some(figure) => o.array(&own.key, |a| a.object(|o| all_text(o, figure))),
                None if own.json == "null" => {}
                None => o.raw(&own.key, &own.json),
            }
        }
        write_parts(o, usage);
        o.opt_str("serviceTier", tier::answered(tier, &["standard", "flex", "priority"], losses));
    });
}

/// Audio and images that a foreign provider told apart.
fn write_parts(o: &mut Object<'_>, usage: &Usage) {
    let parts = [
        ("promptTokensDetails", [("TEXT", usage.input), ("AUDIO", usage.input_audio), ("IMAGE", usage.input_image)]),
        (
            "candidatesTokensDetails",
            [("TEXT", usage.output), ("AUDIO", usage.output_audio), ("IMAGE", usage.output_image)],
        ),
    ];
    for (member, parts) in parts {
        let names: &[&str] = if member == PROMPT_DETAILS[0] { &PROMPT_DETAILS } else { &[member] };
        let is_named = |key: &str| names.contains(&key);
        let is_own = usage.extensions.iter().any(|own| own.format == crate::FORMAT && is_named(&own.key));
        let is_split = parts.iter().skip(1).any(|(_, tokens)| tokens.is_some());
        if is_own || !is_split {
            continue;
        }
        o.array(member, |a| {
            for (modality, tokens) in parts.into_iter().filter_map(|(name, tokens)| Some((name, tokens?))) {
                a.object(|o| {
                    o.str("modality", modality);
                    o.num("tokenCount", tokens);
                });
            }
        });
    }
}

fn all_text(o: &mut Object<'_>, figure: u32) {
    o.str("modality", "TEXT");
    o.num("tokenCount", figure);
}

fn members(usage: &Usage) -> impl Iterator<Item = &Extension> {
    usage.extensions.iter().filter(|own| own.format == crate::FORMAT && own.json != "null")
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_sdk::json::object;

    #[test]
    fn c60_the_buckets_are_disjoint_and_come_back() {
        let json = concat!(
            r#"{"promptTokenCount":100,"cachedContentTokenCount":30,"candidatesTokenCount":20,"#,
            r#""toolUsePromptTokenCount":7,"thoughtsTokenCount":50,"totalTokenCount":177,"#,
            r#""promptTokensDetails":[{"modality":"TEXT","tokenCount":100}],"#,
            r#""cacheTokensDetails":[{"modality":"IMAGE","tokenCount":30}],"serviceTier":"standard"}"#
        );
        let (usage, tier) = read(parse(json).unwrap());
        assert_eq!((usage.input, usage.cache_read), (Some(77), Some(30)));
        assert_eq!((usage.output, usage.reasoning), (Some(20), Some(50)));
        let mut out = String::new();
        object(&mut out, |o| write(o, &usage, None, tier.as_deref(), &mut Losses::default()));
        assert_eq!(out, format!(r#"{{"usageMetadata":{json}}}"#));
    }

    #[test]
    fn audio_and_images_are_buckets_of_their_own() {
        let json = concat!(
            r#"{"promptTokenCount":100,"cachedContentTokenCount":30,"candidatesTokenCount":20,"totalTokenCount":120,"#,
            r#""promptTokensDetails":[{"modality":"TEXT","tokenCount":20},{"modality":"AUDIO","tokenCount":80}],"#,
            r#""cacheTokensDetails":[{"modality":"AUDIO","tokenCount":30}],"#,
            r#""candidatesTokensDetails":[{"modality":"IMAGE","tokenCount":15}]}"#
        );
        let (usage, _) = read(parse(json).unwrap());
        assert_eq!((usage.input, usage.input_audio, usage.cache_read), (Some(20), Some(50), Some(30)));
        assert_eq!((usage.output, usage.output_image), (Some(5), Some(15)));
        let mut out = String::new();
        object(&mut out, |o| write(o, &usage, None, None, &mut Losses::default()));
        assert_eq!(out, format!(r#"{{"usageMetadata":{json}}}"#));
        let foreign = Usage { input: Some(1), input_audio: Some(2), output: Some(3), ..Usage::default() };
        let mut out = String::new();
        object(&mut out, |o| write(o, &foreign, None, None, &mut Losses::default()));
        let parts = r#"[{"modality":"TEXT","tokenCount":1},{"modality":"AUDIO","tokenCount":2}]"#;
        assert!(out.contains(parts) && out.contains(r#""promptTokenCount":3"#), "{out}");
    }

    #[test]
    fn kinds_of_content_are_known_under_the_name_that_vectors_have_for_them() {
        let json = concat!(
            r#"{"promptTokenCount":270,"totalTokenCount":270,"#,
            r#""promptTokenDetails":[{"modality":"TEXT","tokenCount":12},{"modality":"IMAGE","tokenCount":258}]}"#
        );
        let (usage, _) = read(parse(json).unwrap());
        assert_eq!((usage.input, usage.input_image), (Some(12), Some(258)));
        let mut out = String::new();
        object(&mut out, |o| write(o, &usage, None, None, &mut Losses::default()));
        assert_eq!(out, format!(r#"{{"usageMetadata":{json}}}"#));
    }

    #[test]
    fn kinds_of_content_may_be_numbers() {
        let of = |names: [&str; 4]| {
            let [text, image, video, audio] = names;
            let json = format!(
                r#"{{"promptTokenCount":100,"candidatesTokenCount":20,"promptTokensDetails":[{{"modality":{text},"tokenCount":10}},
                {{"modality":{image},"tokenCount":20}},{{"modality":{video},"tokenCount":30}},{{"modality":{audio},"tokenCount":40}}],
                "candidatesTokensDetails":[{{"modality":{audio},"tokenCount":15}}]}}"#
            );
            read(parse(&json).unwrap()).0
        };
        let usage = of(["1", "2", "3", "4"]);
        assert_eq!((usage.input, usage.input_image, usage.input_audio), (Some(10), Some(50), Some(40)));
        assert_eq!((usage.output, usage.output_audio), (Some(5), Some(15)));
        let named = of([r#""TEXT""#, r#""IMAGE""#, r#""VIDEO""#, r#""AUDIO""#]);
        assert_eq!(named.input_total(), usage.input_total());
        assert_eq!((named.input_image, named.output_audio), (usage.input_image, usage.output_audio));
    }

    #[test]
    fn a_cache_figure_that_exceeds_the_prompt_is_cut() {
        let (usage, _) = read(parse(r#"{"promptTokenCount":10,"cachedContentTokenCount":30}"#).unwrap());
        assert_eq!((usage.input, usage.cache_read), (Some(0), Some(10)));
    }

    #[test]
    fn c82_an_omitted_count_is_zero_if_the_total_shows_it() {
        let output = |json: &str| read(parse(json).unwrap()).0.output;
        assert_eq!(output(r#"{"promptTokenCount":87,"totalTokenCount":165,"thoughtsTokenCount":78}"#), Some(0));
        assert_eq!(output(r#"{"promptTokenCount":87,"totalTokenCount":87}"#), None, "nothing is known yet");
    }

    #[test]
    fn c82_foreign_usage_is_written_whole() {
        let usage = Usage { input: Some(5), cache_write: Some(2), output: Some(3), ..Usage::default() };
        let mut out = String::new();
        object(&mut out, |o| write(o, &usage, None, None, &mut Losses::default()));
        let counts = r#"{"promptTokenCount":7,"candidatesTokenCount":3,"totalTokenCount":10}"#;
        assert_eq!(out, format!(r#"{{"usageMetadata":{counts}}}"#));
    }
}
