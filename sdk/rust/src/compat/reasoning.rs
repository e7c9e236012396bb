//! Thinking in the spellings of compatible servers: `reasoning_content`, `reasoning`, `reasoning_details` (C-29 to
//! C-36, C-77).
//!
//! Only `reasoning_details` holds opaque values, each with the family that issued it, so that a client can send them
//! back.

use crate::compat::wire::{Content, Detail, FORMAT};
use crate::json::{self, Array, Object, RawValue, Rest, Str};
use crate::losses::{extension, extensions};
use crate::types::{Extension, MediaKind, MediaPart, ReasoningPart, Signature};

/// The issuer of values that name none.
pub const UNKNOWN: &str = "unknown";

const SUMMARY: &str = "reasoning.summary";
const ENCRYPTED: &str = "reasoning.encrypted";

/// Families and their names in `reasoning_details[].format`.
const FORMATS: [(&str, &str); 5] = [
    ("anthropic", "anthropic-claude-v1"),
    ("gemini", "google-gemini-v1"),
    ("openai", "openai-responses-v1"),
    ("openai", "azure-openai-responses-v1"),
    ("xai", "xai-responses-v1"),
];

/// Parses a message's thinking. Details replace the plain text, which repeats them.
pub fn read(details: Vec<Detail<'_>>, plain: [Option<Content<'_>>; 2], family: &str) -> Vec<ReasoningPart> {
    let mut parts: Vec<ReasoningPart> = Vec::new();
    for detail in details {
        let part = read_detail(detail, family);
        match parts.last_mut() {
            Some(last) if same_item(last, &part) => last.encrypted = part.encrypted,
            Some(last) if vouches(&part, last) => last.signature = part.signature,
            _ => parts.push(part),
        }
    }
    let plain = plain.into_iter().flatten().map(Content::into_text).find(|text| !text.is_empty());
    if let Some(text) = plain.filter(|_| parts.iter().all(|part| part.text.is_none())) {
        match parts.first_mut() {
            // The text of a signature in the details.
            Some(first) if first.signature.is_some() => first.text = Some(text),
            _ => parts.insert(0, ReasoningPart::new(text)),
        }
    }
    parts
}

/// Parses one entry; `family` is the issuer if the entry names none.
pub fn read_detail(detail: Detail<'_>, family: &str) -> ReasoningPart {
    let issuer = issuer(detail.format.as_deref(), family);
    let signed = |value: Str<'_>| Signature { issuer: issuer.clone(), value: value.into_string() };
    let encrypted = detail.kind.as_deref() == Some(ENCRYPTED) || detail.data.is_some();
    let mut rest = detail.rest;
    let index = rest.take("index").map(RawValue::get);
    let mut kept = extensions(FORMAT, rest);
    if detail.kind.as_deref() == Some(SUMMARY) {
        kept.push(note("type", SUMMARY));
    }
    kept.extend(detail.format.as_deref().map(|format| note("format", format)));
    kept.extend(index.filter(|index| *index != "null").map(|index| note("index", index)));
    ReasoningPart {
        id: detail.id.filter(|id| !id.is_empty()).map(Str::into_string),
        text: detail.text.or(detail.summary).map(Str::into_string),
        signature: detail.signature.filter(|value| !value.is_empty()).map(signed),
        encrypted: encrypted.then(|| signed(detail.data.unwrap_or_default())),
        extensions: kept,
    }
}

/// A note of how an entry was spelled, for the same format. Its value is null, so other formats do not report it as
/// lost.
pub fn note(key: &str, text: &str) -> Extension {
    Extension { format: FORMAT.to_owned(), key: format!("{key}={text}"), json: "null".to_owned() }
}

/// Finds a note.
pub fn noted<'a>(extensions: &'a [Extension], key: &str) -> Option<&'a str> {
    let mut notes = extensions.iter().filter(|note| note.format == FORMAT && note.json == "null");
    notes.find_map(|note| note.key.strip_prefix(key)?.strip_prefix('='))
}

/// The family for a name in `format`.
pub fn issuer(format: Option<&str>, family: &str) -> String {
    let Some(format) = format.filter(|format| *format != UNKNOWN) else { return family.to_owned() };
    FORMATS.iter().find(|(_, name)| *name == format).map_or(format, |(family, _)| family).to_owned()
}

/// Whether two entries with one id are a text and its encrypted form.
fn same_item(last: &ReasoningPart, next: &ReasoningPart) -> bool {
    let halves = last.text.is_some() && last.encrypted.is_none() && next.text.is_none() && next.encrypted.is_some();
    halves && last.id.is_some() && last.id == next.id
}

/// Whether an entry has nothing but the signature of the text before it, as it comes in streams and as clients that
/// collect the pieces send it back.
fn vouches(part: &ReasoningPart, text: &ReasoningPart) -> bool {
    let alone = part.text.as_ref().is_none_or(String::is_empty) && part.signature.is_some() && part.encrypted.is_none();
    let unsigned = text.text.is_some() && text.signature.is_none() && text.encrypted.is_none();
    let same = noted(&part.extensions, "index") == noted(&text.extensions, "index");
    alone && unsigned && same && (part.id.is_none() || part.id == text.id)
}

/// Whether a part needs `reasoning_details`.
pub fn is_opaque(part: &ReasoningPart) -> bool {
    part.signature.is_some() || part.encrypted.is_some() || noted(&part.extensions, "format").is_some()
}

/// Writes a part as entries of `reasoning_details`; `index` is the part's number.
pub fn write_details(a: &mut Array<'_>, part: &ReasoningPart, index: u32) {
    let kept = |key| noted(&part.extensions, key);
    let entry = |o: &mut Object<'_>, issuer: Option<&Signature>| {
        let family = issuer.map(|signature| format_name(&signature.issuer)).filter(|name| *name != UNKNOWN);
        o.opt_str("format", kept("format").or(family));
        o.opt_str("id", part.id.as_deref().or_else(|| kept("id")));
        match kept("index") {
            Some(index) => o.raw("index", index),
            None => o.num("index", index),
        }
        let others = part.extensions.iter().filter(|e| e.format == FORMAT && e.json != "null");
        others.for_each(|other| o.raw(&other.key, &other.json));
    };
    if part.text.is_some() || part.signature.is_some() || part.encrypted.is_none() {
        let summary = kept("type").is_some();
        a.object(|o| {
            o.str("type", if summary { SUMMARY } else { "reasoning.text" });
            o.opt_str(if summary { "summary" } else { "text" }, part.text.as_deref());
            o.opt_str("signature", part.signature.as_ref().map(|signature| signature.value.as_str()));
            entry(o, part.signature.as_ref().or(part.encrypted.as_ref()));
        });
    }
    if let Some(encrypted) = &part.encrypted {
        a.object(|o| {
            o.str("type", ENCRYPTED);
            o.opt_str("data", Some(encrypted.value.as_str()).filter(|value| !value.is_empty()));
            entry(o, Some(encrypted));
        });
    }
}

/// The name of a family in `format`.
fn format_name(issuer: &str) -> &str {
    FORMATS.iter().find(|(family, _)| *family == issuer).map_or(issuer, |(_, name)| name)
}

/// The member with what one vendor's models have beside the format.
pub(super) const EXTRA: &str = "extra_content";

/// Families and their vendor's name in `extra_content`.
const VENDORS: [(&str, &str); 1] = [("gemini", "google")];

/// Reads `extra_content.google.thought_signature` and its like.
pub fn read_extra(json: &str) -> Option<Signature> {
    Rest::parse(json).ok()?.0.into_iter().find_map(|(vendor, value)| {
        let signature = Rest::parse(value.get()).ok()?.str("thought_signature")?;
        let issuer = VENDORS.iter().find(|(_, name)| *name == &*vendor).map_or(&*vendor, |(family, _)| family);
        Some(Signature { issuer: issuer.to_owned(), value: signature.into_string() })
    })
}

/// Writes a signature as `extra_content`.
pub fn write_extra(o: &mut Object<'_>, signature: &Signature) {
    let vendor = VENDORS.iter().find(|(family, _)| *family == signature.issuer).map_or(&*signature.issuer, |v| v.1);
    o.object(EXTRA, |o| o.object(vendor, |o| o.str("thought_signature", &signature.value)));
}

/// The families that sign images, with the format and the member in which their images have the signature.
const IMAGES: [(&str, &str, &str); 1] = [("gemini", "gemini.generate", "thoughtSignature")];

/// The signature of an image.
pub fn of_image(image: &MediaPart) -> Option<Signature> {
    IMAGES.iter().find_map(|(family, format, member)| {
        let value = json::parse::<Str<'_>>(extension(&image.extensions, format, member)?).ok()?;
        Some(Signature { issuer: (*family).to_owned(), value: value.into_string() })
    })
}

/// The member in which its issuer looks for the signature of an image; `None` if the issuer signs none.
pub fn image_member(signature: &Signature) -> Option<Extension> {
    let (_, format, member) = IMAGES.iter().find(|(family, ..)| *family == signature.issuer)?;
    let mut json = String::with_capacity(signature.value.len() + 2);
    json::quote(&mut json, &signature.value);
    Some(Extension { format: (*format).to_owned(), key: (*member).to_owned(), json })
}

/// Moves the signature of an image that a client has sent back, or a server of this format has sent, from
/// `extra_content` to the place where its issuer looks for it.
pub fn sign_image(image: &mut MediaPart) {
    for own in image.extensions.iter_mut().filter(|own| own.key == EXTRA) {
        if let Some(signed) = read_extra(&own.json).and_then(|signature| image_member(&signature)) {
            *own = signed;
        }
    }
}

/// The members of a medium that the model made, but the signature of an image, for which answers have a place.
pub fn beside_signature(media: &MediaPart) -> Vec<Extension> {
    let signs = |own: &&Extension| {
        let is_it = |(_, format, member): &(_, &str, &str)| own.format == *format && own.key == *member;
        media.kind == MediaKind::Image && IMAGES.iter().any(is_it)
    };
    media.extensions.iter().filter(|own| !signs(own)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::MediaSource;

    fn there_and_back(text: &str) -> String {
        let details = json::parse::<Vec<Detail<'_>>>(text).unwrap();
        let parts = read(details, [None, None], "unknown");
        let mut out = String::new();
        json::array(&mut out, |a| (0..).zip(&parts).for_each(|(index, part)| write_details(a, part, index)));
        out
    }

    #[test]
    fn c32_opaque_values_return_as_they_came() {
        let text = r#"[{"type":"reasoning.text","text":"hm","signature":"S","format":"anthropic-claude-v1","index":0},{"type":"reasoning.encrypted","data":"D","format":"google-gemini-v1","id":"t1","index":1}]"#;
        assert_eq!(there_and_back(text), text);
    }

    #[test]
    fn an_empty_id_is_none() {
        let details = json::parse(r#"[{"type":"reasoning.text","text":"a","id":""}]"#).unwrap();
        assert_eq!(read(details, [None, None], UNKNOWN)[0].id, None);
    }

    #[test]
    fn two_entries_of_one_id_are_one_item() {
        let text = r#"[{"type":"reasoning.summary","summary":"s","format":"openai-responses-v1","id":"rs_1","index":0},
            {"type":"reasoning.encrypted","data":"D","format":"openai-responses-v1","id":"rs_1","index":0}]"#;
        let parts = read(json::parse(text).unwrap(), [None, None], "unknown");
        assert_eq!(parts.len(), 1);
        assert_eq!(parts[0].encrypted.as_ref().unwrap().issuer, "openai");
        assert!(there_and_back(text).contains(r#""data":"D""#));
    }

    #[test]
    fn c29_a_signature_by_itself_is_that_of_the_text_before_it() {
        let read_all = |text: &str| read(json::parse(text).unwrap(), [None, None], "openrouter");
        let entry = |members: &str| format!(r#"{{"type":"reasoning.text",{members},"format":"anthropic-claude-v1"}}"#);
        let text = entry(r#""text":"hm","index":0"#);
        for signature in [r#""signature":"S","index":0"#, r#""text":"","signature":"S","index":0"#] {
            let parts = read_all(&format!("[{text},{}]", entry(signature)));
            let [part] = parts.as_slice() else { panic!("{parts:?}") };
            assert_eq!((part.text.as_deref(), part.signature.as_ref().map(|it| &*it.value)), (Some("hm"), Some("S")));
        }
        assert_eq!(read_all(&format!("[{text},{}]", entry(r#""signature":"S","index":1"#))).len(), 2);
    }

    #[test]
    fn c77_details_and_their_plain_text_are_read_once() {
        let text = r#"[{"type":"reasoning.text","text":"hm","signature":null,"format":"unknown","index":0}]"#;
        let plain = Content::Text(Str("hm".into()));
        let parts = read(json::parse(text).unwrap(), [Some(plain), None], "openrouter");
        assert_eq!(parts.len(), 1);
        assert_eq!(parts[0].text.as_deref(), Some("hm"));
    }

    #[test]
    fn extra_content_names_its_vendor() {
        let signature = read_extra(r#"{"google":{"thought_signature":"S"}}"#).unwrap();
        assert_eq!(signature.issuer, "gemini");
        let mut out = String::new();
        json::object(&mut out, |o| write_extra(o, &signature));
        assert_eq!(out, r#"{"extra_content":{"google":{"thought_signature":"S"}}}"#);
    }

    #[test]
    fn c32_a_signed_image_carries_its_signature_there_and_back() {
        let own = |format: &str, key: &str, json: &str| Extension {
            format: format.to_owned(),
            key: key.to_owned(),
            json: json.to_owned(),
        };
        let image = |extensions: &[Extension]| {
            let media = MediaPart::new(MediaKind::Image, MediaSource::Base64("AAAA".to_owned()));
            MediaPart { extensions: extensions.to_vec(), ..media }
        };
        let signature = own("gemini.generate", "thoughtSignature", r#""S=""#);
        let other = own("gemini.generate", "videoMetadata", "{}");
        let signed = image(&[other.clone(), signature.clone()]);
        let found = of_image(&signed).unwrap();
        assert_eq!((&*found.issuer, &*found.value), ("gemini", "S="));
        assert_eq!(beside_signature(&signed), [other]);
        let mut sent_back = image(&[own(FORMAT, "extra_content", r#"{"google":{"thought_signature":"S="}}"#)]);
        sign_image(&mut sent_back);
        assert_eq!(sent_back, image(&[signature]));
        let foreign = image(&[own(FORMAT, "extra_content", r#"{"other":{"thought_signature":"S="}}"#)]);
        let mut same = foreign.clone();
        sign_image(&mut same);
        assert_eq!((of_image(&same), same), (None, foreign));
    }
}
