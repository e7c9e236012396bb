//! Converts parts of the wire to parts of the unified model: shared by a request's history and an answer.

use weir_sdk::calls::tells_failure;
use weir_sdk::json::{RawValue, Rest, Str, object, quote};
use weir_sdk::types::{
    Blob, Error, Extension, MediaKind, MediaPart, MediaSource, Opaque, Part, ReasoningPart, ResultPart, TextPart,
    ToolCall, ToolKind, ToolResult,
};

use crate::signature::{self, Carried};
use crate::wire::{self, camel, extensions, note, own};
use crate::{FORMAT, mime, resolution, write};

/// Members that qualify a part without being its content.
const ATTRIBUTES: [&str; 5] =
    ["videoMetadata", "partMetadata", "mediaResolution", "speechMetadata", "audioTranscription"];
/// Key of the note on a call or a result that came without an id.
pub const NO_ID: &str = "id";
/// Key of the note on thinking without a signature, which its issuer accepts too.
pub(crate) const UNSIGNED: &str = "thought";
/// Key of the note on a file that a client of this format gave by address.
pub(crate) const NAMED_FILE: &str = "fileData";
/// Key of the note on a medium with a name from a client of this format.
pub(crate) const NAMED: &str = "displayName";
/// Key of the extension with the signature of a medium or of a result.
pub(crate) const SIGNATURE: &str = "thoughtSignature";

/// Generates ids for calls without one: the same for the same place.
#[derive(Debug, Clone)]
pub(crate) struct Ids {
    prefix: String,
    next: u32,
}

impl Ids {
    /// Starts ids with this prefix.
    pub(crate) fn new(prefix: String) -> Self {
        Self { prefix, next: 0 }
    }

    /// Starts ids for the calls of one candidate of an answer; `answer` is the answer's id.
    pub(crate) fn of_answer(answer: &str, candidate: u32) -> Self {
        let fits = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        let mut prefix = format!("call_{}_", answer.chars().filter(fits).take(32).collect::<String>());
        if candidate > 0 {
            prefix.push_str(&candidate.to_string());
            prefix.push('_');
        }
        Self::new(prefix)
    }

    /// The id of the next call, and whether it was given.
    pub(crate) fn next(&mut self, given: Option<Str<'_>>) -> (String, bool) {
        let number = self.next;
        self.next += 1;
        match given.filter(|id| !id.is_empty()) {
            Some(id) => (id.into_string(), true),
            None => (format!("{}{number}", self.prefix), false),
        }
    }
}

/// Parses a part.
pub(crate) fn part(mut wire: wire::Part<'_>, ids: &mut Ids, blobs: &[Blob]) -> Result<Part, Error> {
    let carried = wire.signature.take().filter(|value| !value.is_empty()).map(|value| signature::unwrap(&value));
    if let Some(call) = wire.call.take() {
        return Ok(Part::ToolCall(tool_call(call, carried, wire.rest, ids)?));
    }
    if let Some(response) = wire.response.take() {
        return Ok(Part::ToolResult(tool_result(response, carried, wire.rest, blobs)?));
    }
    let thought = wire.thought == Some(true);
    if let Some(data) = wire.inline_data.take() {
        return Ok(medium(inline(data, carried, wire.rest, blobs)?, "inlineData", thought));
    }
    if let Some(data) = wire.file_data.take() {
        return Ok(medium(file(data, carried, wire.rest)?, "fileData", thought));
    }
    if wire.text.is_none() && wire.rest.0.iter().any(|(key, _)| !is_attribute(key)) {
        return Ok(Part::Opaque(opaque(&wire, carried.as_ref())));
    }
    let text = wire.text.map(Str::into_string).unwrap_or_default();
    if thought {
        return Ok(Part::Reasoning(reasoning(text, carried, wire.rest)));
    }
    let signature = carried.map(|carried| carried.signature);
    Ok(Part::Text(TextPart { signature, extensions: extensions("", wire.rest), ..TextPart::new(text) }))
}

/// Parses a part of an answer. A function's result is no message there, so only this format has it.
pub(crate) fn part_of_answer(wire: wire::Part<'_>, ids: &mut Ids) -> Result<Part, Error> {
    Ok(match part(wire, ids, &[])? {
        Part::ToolResult(result) => {
            let json = write::result_of_answer(&result);
            Part::Opaque(Opaque { format: FORMAT.into(), kind: "functionResponse".into(), json })
        }
        part => part,
    })
}

fn is_attribute(key: &str) -> bool {
    ATTRIBUTES.contains(&camel(key).as_str())
}

/// Thinking with its signature, or as an encrypted value.
pub(crate) fn reasoning(text: String, carried: Option<Carried>, rest: Rest<'_>) -> ReasoningPart {
    let mut part = ReasoningPart { extensions: extensions("", rest), ..ReasoningPart::new(text) };
    match carried {
        None => part.extensions.push(note(UNSIGNED)),
        Some(carried) if carried.is_encrypted() => {
            part.id = carried.id;
            part.text = part.text.filter(|text| !text.is_empty());
            part.encrypted = Some(carried.signature);
        }
        Some(carried) => {
            part.id = carried.id;
            part.signature = Some(carried.signature);
        }
    }
    part
}

/// A part that only this format has: code that the service ran, a search that it made.
fn opaque(wire: &wire::Part<'_>, carried: Option<&Carried>) -> Opaque {
    let kind = wire.rest.0.iter().map(|(key, _)| camel(key)).find(|key| !ATTRIBUTES.contains(&key.as_str()));
    let mut json = String::new();
    object(&mut json, |o| {
        wire.rest.0.iter().for_each(|(key, raw)| o.raw(&camel(key), raw.get()));
        o.opt_bool("thought", wire.thought.filter(|thought| *thought));
        o.opt_str(SIGNATURE, carried.map(|carried| carried.signature.value.as_str()));
    });
    Opaque { format: FORMAT.into(), kind: kind.unwrap_or_default(), json }
}

fn tool_call(
    call: wire::FunctionCall<'_>,
    carried: Option<Carried>,
    rest: Rest<'_>,
    ids: &mut Ids,
) -> Result<ToolCall, Error> {
    let name = call.name.ok_or_else(|| missing("functionCall.name"))?.into_string();
    let (id, given) = ids.next(call.id);
    let mut own_members = extensions("", rest);
    own_members.extend(extensions("functionCall.", call.rest));
    if !given {
        own_members.push(note(NO_ID));
    }
    Ok(ToolCall {
        id,
        name,
        kind: ToolKind::Function,
        arguments: call.args.map_or("{}", RawValue::get).to_owned(),
        signature: carried.map(|carried| carried.signature),
        cache: None,
        extensions: own_members,
    })
}

fn tool_result(
    response: wire::FunctionResponse<'_>,
    carried: Option<Carried>,
    rest: Rest<'_>,
    blobs: &[Blob],
) -> Result<ToolResult, Error> {
    let name = response.name.map(Str::into_string);
    let failed = response.response.is_some_and(|raw| tells_failure(raw.get()));
    let mut content: Vec<ResultPart> =
        response.response.map(|raw| ResultPart::Json(raw.get().to_owned())).into_iter().collect();
    let mut none = Ids::new(String::new());
    for wire in response.parts.unwrap_or_default().0 {
        content.push(match part(wire, &mut none, blobs)? {
            Part::Media(media) => ResultPart::Media(media),
            Part::Text(text) => ResultPart::Text(text),
            Part::Opaque(opaque) => ResultPart::Opaque(opaque),
            _ => return Err(Error::invalid("functionResponse.parts: only media can stand here").at("parts")),
        });
    }
    let mut own_members = part_members(carried, rest, extensions("functionResponse.", response.rest));
    let call_id = response.id.map(Str::into_string).filter(|id| !id.is_empty());
    if call_id.is_none() {
        own_members.push(note(NO_ID));
    }
    let call_id = call_id.unwrap_or_default();
    let is_error = failed.then_some(true);
    Ok(ToolResult { name, content, is_error, extensions: own_members, ..ToolResult::new(call_id) })
}

/// A medium. A draft that the model made while it thought is no part of the answer, and only this format has it.
fn medium(media: MediaPart, kind: &str, thought: bool) -> Part {
    if !thought {
        return Part::Media(media);
    }
    let mut json = String::new();
    object(&mut json, |o| {
        write::media(o, &media, media.mime.as_deref());
        o.bool("thought", true);
    });
    Part::Opaque(Opaque { format: FORMAT.into(), kind: kind.into(), json })
}

/// Parses bytes in base64, of which other formats take the standard alphabet only. Base64 of a text becomes text, so
/// that formats without text files can take it.
fn inline(
    data: wire::InlineData<'_>,
    carried: Option<Carried>,
    rest: Rest<'_>,
    blobs: &[Blob],
) -> Result<MediaPart, Error> {
    let bytes = data.data.ok_or_else(|| missing("inlineData.data"))?.into_string();
    let mime = data.mime.map(Str::into_string);
    let kind = mime.as_deref().map_or(MediaKind::Document, mime::kind);
    let is_text = mime.as_deref().is_some_and(|mime| mime.starts_with("text/"));
    let is_blob = blobs.iter().any(|blob| blob.token == bytes);
    let bytes = if is_blob { bytes } else { signature::standard(bytes) };
    let text = signature::decoded(&bytes).filter(|text| is_text && !is_blob && signature::encoded(text) == bytes);
    let source = text.map_or(MediaSource::Base64(bytes), MediaSource::Text);
    let mut part = MediaPart { mime, ..MediaPart::new(kind, source) };
    part.extensions = part_members(carried, rest, extensions("inlineData.", data.rest));
    name(&mut part, data.name);
    resolution::read(&mut part);
    Ok(part)
}

/// Parses an address. Files of the provider's own store cannot be used by other providers.
fn file(data: wire::FileData<'_>, carried: Option<Carried>, rest: Rest<'_>) -> Result<MediaPart, Error> {
    let uri = data.uri.ok_or_else(|| missing("fileData.fileUri"))?.into_string();
    let mime = data.mime.map(Str::into_string);
    let kind = mime.as_deref().map_or(MediaKind::Document, mime::kind);
    let is_web = uri.starts_with("http") && !is_stored(&uri);
    let source = if is_web { MediaSource::Url(uri) } else { MediaSource::FileId(uri) };
    let mut part = MediaPart { mime, ..MediaPart::new(kind, source) };
    part.extensions = part_members(carried, rest, extensions("fileData.", data.rest));
    name(&mut part, data.name);
    resolution::read(&mut part);
    part.extensions.push(note(NAMED_FILE));
    Ok(part)
}

/// Whether an address is in the provider's store. Other hosts of its owner serve the web: buckets are often public.
fn is_stored(uri: &str) -> bool {
    let rest = uri.split_once("://").map(|(_, rest)| rest).unwrap_or_default();
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    host.eq_ignore_ascii_case("generativelanguage.googleapis.com")
}

fn name(part: &mut MediaPart, name: Option<Str<'_>>) {
    part.name = name.map(Str::into_string);
    part.extensions.extend(part.name.is_some().then(|| note(NAMED)));
}

/// The members of a part that has no field for them; `inner` are those of the object within it.
fn part_members(carried: Option<Carried>, rest: Rest<'_>, mut inner: Vec<Extension>) -> Vec<Extension> {
    inner.extend(extensions("", rest));
    inner.extend(carried.map(|carried| {
        let mut json = String::new();
        quote(&mut json, &carried.signature.value);
        own(SIGNATURE, json)
    }));
    inner
}

fn missing(member: &str) -> Error {
    Error::invalid(format!("{member} is missing")).at(member)
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_sdk::json::parse;

    fn read(json: &str) -> Part {
        part(parse(json).unwrap(), &mut Ids::new("c_".into()), &[]).unwrap()
    }

    #[test]
    fn c31_only_the_member_thought_marks_a_part_as_thinking() {
        assert!(
            matches!(read(r#"{"text":"a","thoughtSignature":"AA=="}"#), Part::Text(text) if text.signature.is_some())
        );
        assert!(matches!(read(r#"{"text":"a","thought":true}"#), Part::Reasoning(part) if part.signature.is_none()));
        assert!(matches!(read(r#"{"text":"a","thought":false}"#), Part::Text(_)));
    }

    #[test]
    fn c87_both_spellings_mean_the_same() {
        for (camel, snake) in [
            (
                r#"{"inlineData":{"mimeType":"image/png","data":"AA=="}}"#,
                r#"{"inline_data":{"mime_type":"image/png","data":"AA=="}}"#,
            ),
            (r#"{"fileData":{"fileUri":"https://x"}}"#, r#"{"file_data":{"file_uri":"https://x"}}"#),
            (r#"{"functionCall":{"name":"f","args":{"a_b":1}}}"#, r#"{"function_call":{"name":"f","args":{"a_b":1}}}"#),
            (r#"{"text":"t","thoughtSignature":"AA=="}"#, r#"{"text":"t","thought_signature":"AA=="}"#),
        ] {
            assert_eq!(read(camel), read(snake));
        }
    }

    #[test]
    fn c79_code_that_the_service_ran_is_carried_as_it_is() {
        let Part::Opaque(code) = read(r#"{"executableCode":{"code":"1"},"thoughtSignature":"AA=="}"#) else { panic!() };
        assert_eq!(code.kind, "executableCode");
        assert_eq!(code.json, r#"{"executableCode":{"code":"1"},"thoughtSignature":"AA=="}"#);
    }

    #[test]
    fn c89_text_files_are_read_as_text() {
        let Part::Media(file) = read(r#"{"inlineData":{"mimeType":"text/csv","data":"YSxi"}}"#) else { panic!() };
        assert_eq!(file.source, MediaSource::Text("a,b".into()));
        let Part::Media(pdf) = read(r#"{"inlineData":{"mimeType":"application/pdf","data":"YSxi"}}"#) else { panic!() };
        assert_eq!(pdf.source, MediaSource::Base64("YSxi".into()));
    }

    #[test]
    fn c89_the_alphabet_of_urls_becomes_the_standard_one() {
        let source = |mime: &str, data: &str| {
            let json = format!(r#"{{"inlineData":{{"mimeType":"{mime}","data":"{data}"}}}}"#);
            let Part::Media(file) = read(&json) else { panic!() };
            file.source
        };
        assert_eq!(source("image/jpeg", "_9j_-A=="), MediaSource::Base64("/9j/+A==".into()));
        assert_eq!(source("image/jpeg", "_9j_-AA"), MediaSource::Base64("/9j/+AA=".into()));
        assert_eq!(source("text/plain", "Pz8-"), MediaSource::Text("??>".into()));
        let blob = Blob { token: "weirblob_1".into(), length: 9000, head: String::new() };
        let json = r#"{"inlineData":{"mimeType":"image/jpeg","data":"weirblob_1"}}"#;
        let lifted = part(parse(json).unwrap(), &mut Ids::new("c_".into()), &[blob]).unwrap();
        assert!(matches!(lifted, Part::Media(file) if file.source == MediaSource::Base64("weirblob_1".into())));
    }

    #[test]
    fn an_images_resolution_is_its_detail_where_other_formats_have_the_level() {
        let image = |level: &str| {
            let json = format!(
                r#"{{"inlineData":{{"mimeType":"image/png","data":"AAAA"}},"mediaResolution":{{"level":"{level}"}}}}"#
            );
            let Part::Media(media) = read(&json) else { panic!() };
            let mut back = String::new();
            object(&mut back, |o| write::media(o, &media, media.mime.as_deref()));
            assert_eq!(back, json);
            (media.detail, media.extensions.iter().filter(|own| own.json != "null").count())
        };
        assert_eq!(image("MEDIA_RESOLUTION_LOW"), (Some("low".into()), 0));
        assert_eq!(image("MEDIA_RESOLUTION_HIGH"), (Some("high".into()), 0));
        assert_eq!(image("MEDIA_RESOLUTION_MEDIUM"), (None, 1));
        assert_eq!(image("MEDIA_RESOLUTION_ULTRA_HIGH"), (None, 1));
    }

    #[test]
    fn drafts_of_an_image_are_thinking_and_come_back() {
        let draft = concat!(
            r#"{"inlineData":{"mimeType":"image/jpeg","data":"AAAA"},"#,
            r#""thoughtSignature":"AA==","thought":true}"#
        );
        let Part::Opaque(opaque) = read(draft) else { panic!("a draft") };
        assert_eq!((opaque.format.as_str(), opaque.kind.as_str()), (FORMAT, "inlineData"));
        assert_eq!(opaque.json, draft);
        let file = r#"{"fileData":{"mimeType":"image/png","fileUri":"https://a.example"},"thought":true}"#;
        assert!(matches!(read(file), Part::Opaque(opaque) if opaque.json == file));
        let image = r#"{"inlineData":{"mimeType":"image/jpeg","data":"BBBB"},"thoughtSignature":"AA=="}"#;
        assert!(matches!(read(image), Part::Media(_)));
    }
}
