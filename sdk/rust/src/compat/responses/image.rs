//! Images that a model made, which are calls of the tool for them here (`image_generation_call`).

use super::{FORMAT, inner};
use crate::compat::reasoning::{self, EXTRA};
use crate::compat::wire::rest_json;
use crate::json::{Object, Rest, Str};
use crate::losses::{ITEM, extension};
use crate::types::{Extension, MediaKind, MediaPart, MediaSource};

/// The type of such an item.
pub(super) const KIND: &str = "image_generation_call";

/// Reads the image of an item; `None` if the item has none, such as one that only names an earlier image. The item's
/// other members are kept for this format.
pub(super) fn read(mut item: Rest<'_>) -> Option<MediaPart> {
    let data = item.str("result").filter(|data| !data.is_empty())?.into_string();
    let signature = item.get(EXTRA).and_then(|raw| reasoning::read_extra(raw.get()));
    let signed = signature.and_then(|signature| reasoning::image_member(&signature));
    if signed.is_some() {
        item.take(EXTRA);
    }
    let mime = item.get("output_format").and_then(crate::json::text).map(|format| format!("image/{}", &*format));
    item.0.retain(|(key, value)| value.get() != "null" && &**key != "type");
    let own = Extension { format: FORMAT.to_owned(), key: ITEM.to_owned(), json: rest_json(&item) };
    let media = MediaPart::new(MediaKind::Image, MediaSource::Base64(data));
    Some(MediaPart { mime, extensions: [Some(own), signed].into_iter().flatten().collect(), ..media })
}

/// Whether this format has a place for a medium of an answer.
pub fn has_place(media: &MediaPart) -> bool {
    media.kind == MediaKind::Image && matches!(media.source, MediaSource::Base64(_))
}

/// Whether a medium came as an item of this format.
pub fn is_item(media: &MediaPart) -> bool {
    has_place(media) && extension(&media.extensions, FORMAT, ITEM).is_some()
}

/// The id of the item that the medium came as.
pub fn id(media: &MediaPart) -> Option<String> {
    Rest::parse(extension(&media.extensions, FORMAT, ITEM)?).ok()?.str("id").map(Str::into_string)
}

/// Writes an image as an item; one that did not come as an item gets this id.
pub fn write(o: &mut Object<'_>, media: &MediaPart, id: impl FnOnce() -> String) {
    let members = extension(&media.extensions, FORMAT, ITEM).and_then(inner);
    let has = |key: &str| members.is_some_and(|members| members.contains(key));
    o.str("type", KIND);
    if !has("\"id\":") {
        o.str("id", &id());
    }
    if !has("\"status\":") {
        o.str("status", "completed");
    }
    if let Some(members) = members {
        o.members(members);
    }
    if let MediaSource::Base64(data) = &media.source {
        o.str("result", data);
    }
}

/// Writes an image of an answer as an item, with the signature that its issuer wants back.
pub fn write_signed(o: &mut Object<'_>, media: &MediaPart, id: impl FnOnce() -> String) {
    write(o, media, id);
    if let Some(signature) = reasoning::of_image(media) {
        reasoning::write_extra(o, &signature);
    }
}

/// Writes the item of an image that is about to come.
pub fn write_begun(o: &mut Object<'_>, id: &str) {
    o.str("type", KIND);
    o.str("id", id);
    o.str("status", "in_progress");
    o.null("result");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json;

    #[test]
    fn an_item_is_an_image_for_other_formats_and_comes_back_as_it_was() {
        let item = r#"{"type":"image_generation_call","id":"ig_1","status":"completed","size":"1024x1024","output_format":"webp","result":"AAAA"}"#;
        let image = read(Rest::parse(item).unwrap()).unwrap();
        assert_eq!((image.kind, image.mime.as_deref()), (MediaKind::Image, Some("image/webp")));
        assert_eq!((&image.source, id(&image)), (&MediaSource::Base64("AAAA".into()), Some("ig_1".into())));
        let mut out = String::new();
        json::object(&mut out, |o| write(o, &image, || unreachable!()));
        assert_eq!(out, item);
    }

    #[test]
    fn an_image_of_another_format_has_what_the_specification_requires() {
        let image = MediaPart::new(MediaKind::Image, MediaSource::Base64("AAAA".into()));
        let mut out = String::new();
        json::object(&mut out, |o| write(o, &image, || "ig_2".into()));
        assert_eq!(out, r#"{"type":"image_generation_call","id":"ig_2","status":"completed","result":"AAAA"}"#);
    }

    #[test]
    fn c32_a_signed_image_comes_back_to_its_issuer() {
        let member = |value: &str| Extension {
            format: "gemini.generate".into(),
            key: "thoughtSignature".into(),
            json: value.into(),
        };
        let image = MediaPart::new(MediaKind::Image, MediaSource::Base64("AAAA".into()));
        let image = MediaPart { extensions: vec![member(r#""S=""#)], ..image };
        let (mut answered, mut asked) = (String::new(), String::new());
        json::object(&mut answered, |o| write_signed(o, &image, || "ig_2".into()));
        assert!(answered.ends_with(r#""extra_content":{"google":{"thought_signature":"S="}}}"#), "{answered}");
        let back = read(Rest::parse(&answered).unwrap()).unwrap();
        assert_eq!(back.extensions[1..], [member(r#""S=""#)]);
        // A server of this format does not know the member.
        json::object(&mut asked, |o| write(o, &back, || unreachable!()));
        assert_eq!(asked, r#"{"type":"image_generation_call","id":"ig_2","status":"completed","result":"AAAA"}"#);
    }

    #[test]
    fn an_item_without_a_result_is_no_image() {
        for item in [r#"{"id":"ig_1"}"#, r#"{"id":"ig_1","result":null}"#, r#"{"id":"ig_1","result":""}"#] {
            assert_eq!(read(Rest::parse(item).unwrap()), None, "{item}");
        }
    }
}
