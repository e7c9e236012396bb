//! Shared code for requests of both formats, parsed and rendered: images, the answer's format, labels.

use weir_sdk::compat::completions;
use weir_sdk::compat::media::{at_url, sniff};
use weir_sdk::json::{Object, RawValue, Str, text};
use weir_sdk::losses::{Losses, asks_nothing};
use weir_sdk::schema::described_within;
use weir_sdk::spelling;
use weir_sdk::types::{
    Blob, ChatRequest, Extension, JsonSchema, MediaKind, MediaPart, MediaSource, Opaque, OutputFormat, Part,
};

use crate::{CHAT, is_own, options};

/// The loss's text for members that have no place here.
pub(crate) const NO_PLACE: &str = "the format has no place for it";
/// Members that `/api/generate` has and `/api/chat` lacks.
pub(crate) const ONLY_GENERATE: [&str; 4] = ["template", "raw", "suffix", "context"];

/// Whether an extension is the `suffix` of a legacy completion, which has the same meaning here.
pub(crate) fn is_suffix(extension: &Extension) -> bool {
    extension.format == completions::FORMAT && extension.key == "suffix" && extension.json != "null"
}

/// An image: bare base64, whose first bytes show the media type. Some clients keep the prefix of a data URL.
pub(crate) fn image(data: &str, blobs: &[Blob]) -> Part {
    if data.starts_with("data:") {
        return Part::Media(at_url(MediaKind::Image, data));
    }
    let head = blobs.iter().find(|blob| blob.token == data).map_or(data, |blob| blob.head.as_str());
    let mime = sniff(head).filter(|mime| mime.starts_with("image/")).map(str::to_owned);
    Part::Media(MediaPart { mime, ..MediaPart::new(MediaKind::Image, MediaSource::Base64(data.to_owned())) })
}

/// The parts of a text with images. Images come first, as models get them before the text.
pub(crate) fn parts(images: Option<Vec<Str<'_>>>, words: Option<Str<'_>>, blobs: &[Blob]) -> Vec<Part> {
    let mut parts: Vec<Part> = images.unwrap_or_default().iter().map(|data| image(data, blobs)).collect();
    let words = words.map(Str::into_string).unwrap_or_default();
    if !words.is_empty() || parts.is_empty() {
        parts.push(Part::text(words));
    }
    parts
}

/// Parses `format`: `json`, a schema, or nothing.
pub(crate) fn output(raw: &RawValue) -> Option<OutputFormat> {
    match text(raw).as_deref() {
        Some("") => None,
        Some("json") => Some(OutputFormat::Json),
        None if raw.get().starts_with('{') => {
            let schema = raw.get().to_owned();
            Some(OutputFormat::Schema(JsonSchema { name: None, description: None, schema, strict: None }))
        }
        _ => Some(OutputFormat::Opaque(Opaque { format: CHAT.into(), kind: "format".into(), json: raw.get().into() })),
    }
}

/// Writes `format`.
pub(crate) fn write_output(o: &mut Object<'_>, output: Option<&OutputFormat>, losses: &mut Losses) {
    match output {
        None | Some(OutputFormat::Plain) => {}
        Some(OutputFormat::Json) => o.str("format", "json"),
        Some(OutputFormat::Schema(schema)) => o.raw("format", &described_within(schema, losses)),
        Some(OutputFormat::Opaque(opaque)) if opaque.format == CHAT => o.raw("format", &opaque.json),
        Some(OutputFormat::Opaque(_)) => losses.dropped("response_format", "it belongs to another format"),
    }
}

/// Writes log probabilities, options, labels and members that only this family has.
pub(crate) fn write_rest(o: &mut Object<'_>, request: &ChatRequest, generates: bool, losses: &mut Losses) {
    o.opt_bool("logprobs", request.sampling.logprobs);
    o.opt_num("top_logprobs", request.sampling.top_logprobs);
    options::write(o, request, losses);
    let reported = |one: &&Extension| !asks_nothing(one) && one.format != spelling::FORMAT && !options::is_option(one);
    for extension in request.extensions.iter().filter(reported) {
        let has_place = generates || !ONLY_GENERATE.contains(&extension.key.as_str());
        match is_own(extension) {
            true if has_place => o.raw(&extension.key, &extension.json),
            true => losses.dropped(extension.key.as_str(), "only `/api/generate` takes it"),
            // The renderer of the prompt writes it.
            false if generates && is_suffix(extension) => {}
            false => losses.dropped(extension.key.as_str(), &format!("only {} has it", extension.format)),
        }
    }
    let is_plain = |tier: &str| matches!(tier, "auto" | "default");
    losses.dropped_if(request.end_user.is_some(), "user", NO_PLACE);
    losses.dropped_if(request.metadata.as_deref().is_some_and(|json| json != "{}"), "metadata", NO_PLACE);
    losses.dropped_if(request.service_tier.as_deref().is_some_and(|tier| !is_plain(tier)), "service_tier", NO_PLACE);
    losses.dropped_if(request.cache_key.is_some(), "prompt_cache_key", "the server caches by itself");
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_sdk::json::{object, parse};

    fn written(output: Option<&OutputFormat>) -> String {
        let mut out = String::new();
        object(&mut out, |o| write_output(o, output, &mut Losses::default()));
        out
    }

    #[test]
    fn c88_formats_of_every_kind_come_back() {
        for json in [r#""json""#, r#"{"type":"object"}"#, r#""other""#] {
            let read = output(parse(json).unwrap());
            assert_eq!(written(read.as_ref()), format!(r#"{{"format":{json}}}"#));
        }
        assert_eq!(output(parse(r#""""#).unwrap()), None);
    }

    #[test]
    fn c88_the_description_of_an_answer_stands_in_its_schema() {
        let schema = |schema: &str| {
            let (description, schema) = (Some("A person.".to_owned()), schema.to_owned());
            OutputFormat::Schema(JsonSchema { name: Some("n".to_owned()), description, schema, strict: None })
        };
        let described = r#"{"type":"object","description":"A person."}"#;
        assert_eq!(written(Some(&schema(r#"{"type":"object"}"#))), format!(r#"{{"format":{described}}}"#));
        let own = r#"{"description":"Anyone."}"#;
        assert_eq!(written(Some(&schema(own))), format!(r#"{{"format":{own}}}"#));
    }

    #[test]
    fn images_are_known_by_their_first_bytes() {
        let mime = |data: &str, blobs: &[Blob]| match image(data, blobs) {
            Part::Media(media) => media.mime,
            _ => None,
        };
        assert_eq!(mime("iVBORw0KGgo=", &[]).as_deref(), Some("image/png"));
        assert_eq!(mime("data:image/webp;base64,AAAA", &[]).as_deref(), Some("image/webp"));
        let blob = Blob { token: "t".into(), length: 9000, head: "/9j/4AAQ".into() };
        assert_eq!(mime("t", &[blob]).as_deref(), Some("image/jpeg"));
        assert_eq!(mime("AAAA", &[]), None);
    }
}
