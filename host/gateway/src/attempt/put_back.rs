//! Puts long values that were lifted out of a request back where a guard or a provider has to read them: a text without
//! spaces looks like base64, and text documents are sent as base64.

use std::collections::HashSet;

use base64::alphabet::STANDARD;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use base64::engine::{DecodePaddingMode, Engine};
use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use weir_translate::unified::Request;
use weir_types::contract::types::{EmbeddingInput, MediaPart, MediaSource, Part, Signature};
use weir_types::fault::Fault;
use weir_wire::blob::{self, Lifted};

use super::media::media_of;

/// Prefixes of media types that are no texts: sounds, films and office documents.
const CLASSES: [&str; 3] = ["audio/", "video/", "application/vnd.openxmlformats-officedocument."];
/// Other media types that are no texts. Of every other type, guards read what they can.
const BINARY: [&str; 12] = [
    "image/png",
    "image/jpeg",
    "image/jpg",
    "image/gif",
    "image/webp",
    "image/heic",
    "image/heif",
    "image/avif",
    "image/bmp",
    "image/tiff",
    "application/pdf",
    "application/octet-stream",
];
/// The first bytes of a document that is no text, even if all of its bytes are ASCII.
const PDF: &[u8] = b"%PDF-";
/// The byte order marks of UTF-16.
const WIDE: [[u8; 2]; 2] = [[0xff, 0xfe], [0xfe, 0xff]];
/// Digits of base64 that are decoded at a time.
const DIGITS: usize = 4096;

const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Puts lifted values back into a request that guards are to see, except media that are no text.
pub(super) fn for_guards(request: &mut Request, lifted: &Lifted, limits: &blob::Limits) -> Result<(), Fault> {
    put_back(request, lifted, limits, |place, value| match place {
        Place::Medium { mime } => holds_no_text(mime, value),
        Place::Opaque => false,
    })
}

/// Puts lifted values back into a request that a provider's adapter will write, except media and opaque values. The
/// adapter may join, cut or clean a text, and the rest of a value's placeholder would be sent to the provider.
pub(super) fn for_provider(request: &mut Request, lifted: &Lifted, limits: &blob::Limits) -> Result<(), Fault> {
    put_back(request, lifted, limits, |_, _| true)
}

/// A place whose value adapters pass on as it is.
#[derive(Debug, Clone, Copy)]
enum Place<'a> {
    /// The bytes of a medium.
    Medium { mime: Option<&'a str> },
    /// A value that only its issuer can read.
    Opaque,
}

/// Puts all lifted values back, except those for which `stays` holds.
fn put_back(
    request: &mut Request,
    lifted: &Lifted,
    limits: &blob::Limits,
    stays: impl Fn(Place<'_>, &[u8]) -> bool,
) -> Result<(), Fault> {
    if lifted.is_empty() {
        return Ok(());
    }
    let mut tokens = Vec::new();
    each_place(request, &mut |place, text| {
        let is_kept = lifted.value(text).is_some_and(|value| stays(place, value));
        tokens.push(is_kept.then(|| std::mem::take(text)));
    });
    if tokens.iter().flatten().collect::<HashSet<_>>().len() < lifted.len() {
        match request {
            Request::Chat(chat) | Request::CountTokens(chat) => *chat = whole_again(chat, lifted, limits)?,
            Request::Embeddings(asked) => *asked = whole_again(asked, lifted, limits)?,
            Request::Rerank(asked) => *asked = whole_again(asked, lifted, limits)?,
            Request::Models(_) => {}
        }
    }
    let mut tokens = tokens.into_iter();
    each_place(request, &mut |_, text| {
        if let Some(Some(token)) = tokens.next() {
            *text = token;
        }
    });
    Ok(())
}

/// Calls `each` with every place of a request whose value adapters pass on as it is, always in the same order.
fn each_place(request: &mut Request, each: &mut dyn FnMut(Place<'_>, &mut String)) {
    match request {
        Request::Chat(chat) | Request::CountTokens(chat) => {
            for part in chat.messages.iter_mut().flat_map(|message| &mut message.parts) {
                for medium in media_of(part) {
                    bytes_of(medium, each);
                }
                for signature in signatures_of(part) {
                    each(Place::Opaque, &mut signature.value);
                }
            }
        }
        Request::Embeddings(asked) => {
            for input in &mut asked.inputs {
                if let EmbeddingInput::Media(medium) = input {
                    bytes_of(medium, each);
                }
            }
        }
        Request::Rerank(_) | Request::Models(_) => {}
    }
}

fn bytes_of(medium: &mut MediaPart, each: &mut dyn FnMut(Place<'_>, &mut String)) {
    if let MediaSource::Base64(text) = &mut medium.source {
        each(Place::Medium { mime: medium.mime.as_deref() }, text);
    }
}

fn signatures_of(part: &mut Part) -> Vec<&mut Signature> {
    match part {
        Part::Text(text) => text.signature.iter_mut().collect(),
        Part::ToolCall(call) => call.signature.iter_mut().collect(),
        Part::Reasoning(thought) => thought.signature.iter_mut().chain(&mut thought.encrypted).collect(),
        _ => Vec::new(),
    }
}

/// Whether a medium is nothing that guards could read, by its type and its bytes.
fn holds_no_text(mime: Option<&str>, value: &[u8]) -> bool {
    let mime = mime.unwrap_or_default().to_ascii_lowercase();
    let is_binary = CLASSES.iter().any(|class| mime.starts_with(class)) || BINARY.contains(&&*mime);
    let is_known = mime.is_empty() || is_binary;
    let first = decoded(value.get(..DIGITS).unwrap_or(value));
    is_known
        && !(mime.is_empty() && WIDE.iter().any(|mark| first.starts_with(mark)))
        && (first.starts_with(PDF) || !is_utf8(value))
}

/// Whether base64 encodes a text in UTF-8. The first bytes of most media show that they are none.
fn is_utf8(value: &[u8]) -> bool {
    let mut rest = Vec::new();
    for digits in value.chunks(DIGITS) {
        rest.append(&mut decoded(digits));
        let whole = match std::str::from_utf8(&rest) {
            Ok(text) => text.len(),
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            Err(_) => return false,
        };
        rest.drain(..whole);
    }
    rest.is_empty()
}

/// The bytes of base64 in either alphabet, without what is left over at its end.
fn decoded(digits: &[u8]) -> Vec<u8> {
    let standard = digits.iter().take_while(|digit| **digit != b'=').map(|digit| match digit {
        b'-' => b'+',
        b'_' => b'/',
        other => *other,
    });
    let mut standard: Vec<u8> = standard.collect();
    if standard.len() % 4 == 1 {
        standard.pop();
    }
    LENIENT.decode(standard).unwrap_or_default()
}

/// Puts lifted values back into all places of a request.
pub(super) fn whole_again<T>(value: &T, lifted: &Lifted, limits: &blob::Limits) -> Result<T, Fault>
where
    T: Serialize + DeserializeOwned,
{
    let failed = |error: &dyn std::fmt::Display| Fault::internal(format!("lifted values cannot be put back: {error}"));
    let json = Bytes::from(serde_json::to_vec(value).map_err(|error| failed(&error))?);
    let chunks = lifted.splice(&json, limits).map_err(|error| failed(&error))?;
    serde_json::from_slice(&chunks.concat()).map_err(|error| failed(&error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE};
    use weir_types::contract::types::{ChatRequest, MediaKind, Message, ReasoningPart, Role, TextPart};

    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";

    fn limits() -> blob::Limits {
        blob::Limits { min_len: 1, max_uses: 8, max_len: 1 << 20 }
    }

    #[test]
    fn lifted_values_return_to_their_places() {
        let mut lifted = Lifted::default();
        let token = lifted.add(Bytes::from_static(b"QUJD")).unwrap();
        let of = |text: &str| {
            let parts = vec![Part::Text(TextPart::plain(text)), Part::Text(TextPart::plain("\"{}\n"))];
            ChatRequest::plain("m", vec![Message::plain(Role::User, parts)])
        };
        assert_eq!(whole_again(&of(&token), &lifted, &limits()).unwrap(), of("QUJD"));
    }

    #[test]
    fn only_media_stay_out_that_are_no_texts() {
        let mut lifted = Lifted::default();
        let mut add = |value: &str| lifted.add(Bytes::from(value.to_owned())).unwrap();
        let (image, text) = (STANDARD_NO_PAD.encode(PNG), STANDARD_NO_PAD.encode("a secret"));
        let tokens = [add(&image), add(&text), add("AKIA-as-it-is")];
        let medium = |mime: &str, data: &str| {
            let source = MediaSource::Base64(data.to_owned());
            let (mime, extensions) = (Some(mime.to_owned()), Vec::new());
            let kind = MediaKind::Document;
            Part::Media(MediaPart { kind, source, mime, name: None, detail: None, cache: None, extensions })
        };
        let of = |image: &str, text: &str, words: &str| {
            let parts =
                vec![medium("image/png", image), medium("text/plain", text), Part::Text(TextPart::plain(words))];
            Request::Chat(ChatRequest::plain("m", vec![Message::plain(Role::User, parts)]))
        };
        let mut request = of(&tokens[0], &tokens[1], &tokens[2]);
        for_guards(&mut request, &lifted, &limits()).unwrap();
        assert_eq!(request, of(&tokens[0], &text, "AKIA-as-it-is"));
        let mut request = of(&tokens[0], &tokens[1], &tokens[2]);
        for_provider(&mut request, &lifted, &limits()).unwrap();
        assert_eq!(request, of(&tokens[0], &tokens[1], "AKIA-as-it-is"));
    }

    #[test]
    fn opaque_values_stay_out_for_providers_and_return_for_guards() {
        let mut lifted = Lifted::default();
        let tokens = ["QUJD", "QUJE", "QUJF"].map(|value| lifted.add(Bytes::from_static(value.as_bytes())).unwrap());
        let of = |signature: &str, encrypted: &str, words: &str| {
            let value = |value: &str| Some(Signature { issuer: "zeta".to_owned(), value: value.to_owned() });
            let thought = ReasoningPart {
                id: None,
                text: Some(words.to_owned()),
                signature: value(signature),
                encrypted: value(encrypted),
                extensions: Vec::new(),
            };
            let text = TextPart { signature: value(signature), ..TextPart::plain(words) };
            let parts = vec![Part::Reasoning(thought), Part::Text(text)];
            Request::Chat(ChatRequest::plain("m", vec![Message::plain(Role::Assistant, parts)]))
        };
        let mut request = of(&tokens[0], &tokens[1], &tokens[2]);
        for_provider(&mut request, &lifted, &limits()).unwrap();
        assert_eq!(request, of(&tokens[0], &tokens[1], "QUJF"));
        for_guards(&mut request, &lifted, &limits()).unwrap();
        assert_eq!(request, of("QUJD", "QUJE", "QUJF"));
    }

    #[test]
    fn media_are_no_texts_by_their_type_and_bytes() {
        let long = "é".repeat(DIGITS);
        let cases: [(Option<&str>, &[u8], bool); 10] = [
            (Some("image/png"), PNG, true),
            (None, PNG, true),
            (Some("application/pdf"), b"%PDF-1.7 all of it is ASCII", true),
            (Some("image/png"), b"words", false),
            (None, b"words", false),
            (Some("application/octet-stream"), long.as_bytes(), false),
            (Some("text/plain"), PNG, false),
            (Some("application/pdf"), b"words", false),
            (None, b"\xff\xfew\0o\0", false),
            (Some("x/y"), PNG, false),
        ];
        for (mime, bytes, expected) in cases {
            for value in [STANDARD_NO_PAD.encode(bytes), URL_SAFE.encode(bytes)] {
                assert_eq!(holds_no_text(mime, value.as_bytes()), expected, "{mime:?} {value:.20}");
            }
        }
    }
}
