//! Looks for ids of other clients' objects in a body to an endpoint that no adapter declares, while it passes: where
//! such a body names objects is not known, so that every word counts, wherever it stands.

use std::sync::Arc;

use bytes::Bytes;
use memchr::memchr;

use super::client_body::Watch;
use crate::provenance::{Owners, SentWords, Words, may_be_owned};
use weir_types::fault::Fault;
use weir_upstream::UploadError;
use weir_wire::form;

/// Why a body does not go on.
const ANOTHERS: &str = "the request's body names an object that is not here, or not this client's";

/// Why a body does not go on whose characters may stand for others.
const UNREADABLE: &str = "the request's body is in an encoding in which it cannot be read: send UTF-8, and forms without a \
                          content-transfer-encoding";
/// Encodings of a form's parts that change nothing.
const PLAIN: [&[u8]; 3] = [b"7bit", b"8bit", b"binary"];
const ENCODING: &[u8] = b"content-transfer-encoding";
/// The most bytes of a line that are looked at.
const LINE: usize = 256;

/// A body whose words are looked at.
pub(crate) struct ObjectWatch {
    owners: Arc<Owners>,
    tenant: Arc<str>,
    words: Words,
    /// Words with spaces in them: some services name objects so.
    phrases: Words,
    /// Keeps the words for the objects that the answer names.
    sent: Arc<SentWords>,
    /// What else is looked for in it.
    further: Option<Box<dyn Watch>>,
    encoding: Encoding,
}

/// How the characters of a body may be encoded.
#[derive(Debug)]
enum Encoding {
    /// Any way: it is no text.
    Any,
    /// In UTF-8, where nothing has come yet, or something has.
    Utf8 { has_begun: bool },
    /// A form: each part names its own encoding.
    Parts(PartHeads),
}

impl ObjectWatch {
    /// A watch of a tenant's body, and perhaps another one of it.
    pub(crate) fn new(owners: &Arc<Owners>, tenant: &Arc<str>, further: Option<Box<dyn Watch>>) -> Self {
        let (owners, tenant) = (Arc::clone(owners), Arc::clone(tenant));
        let (words, phrases) = (Words::default(), Words::with_spaces());
        Self { owners, tenant, words, phrases, sent: Arc::default(), further, encoding: Encoding::Any }
    }

    /// Has the body refused where words could be written so that they are not found: in other encodings of JSON, or of
    /// no stated type, and in parts of forms.
    pub(crate) fn with_encoding(mut self, content_type: &str) -> Self {
        self.encoding = Encoding::of(content_type);
        self
    }

    /// The words that have passed so far.
    pub(crate) fn sent(&self) -> Arc<SentWords> {
        Arc::clone(&self.sent)
    }
}

/// Refuses a body in which words could be written so that they are not found.
pub(crate) fn refuse_encoded(content_type: &str, body: &[Bytes]) -> Result<(), Fault> {
    let mut encoding = Encoding::of(content_type);
    if body.iter().all(|piece| encoding.is_plain(piece)) { Ok(()) } else { Err(Fault::invalid(UNREADABLE)) }
}

impl Watch for ObjectWatch {
    fn passes(&mut self, piece: &[u8], is_last: bool) -> Result<bool, UploadError> {
        let Self { owners, tenant, words, phrases, sent, further, encoding } = self;
        if !encoding.is_plain(piece) {
            return Err(UploadError::Refused(UNREADABLE));
        }
        let mut is_anothers = false;
        let mut look = |word: &[u8]| {
            sent.add(word);
            is_anothers |= may_be_owned(word) && owners.is_anothers(word, tenant);
        };
        words.push(piece, &mut look);
        phrases.push(piece, &mut |phrase| sent.add(phrase));
        if is_last {
            words.end(&mut look);
            phrases.end(&mut |phrase| sent.add(phrase));
        }
        if is_anothers {
            return Err(UploadError::Refused(ANOTHERS));
        }
        if let Some(watch) = further
            && !watch.passes(piece, is_last)?
        {
            *further = None;
        }
        Ok(true)
    }
}

impl Encoding {
    /// The encoding of a body of this type.
    fn of(content_type: &str) -> Self {
        let kind = content_type.trim().to_ascii_lowercase();
        if kind.starts_with("multipart/") {
            // Where the boundary is not known, each line that begins as one counts.
            Self::Parts(PartHeads::new(&form::boundary(content_type).unwrap_or_default()))
        } else if kind.is_empty() || kind.contains("json") || kind.starts_with("text/") {
            Self::Utf8 { has_begun: false }
        } else {
            Self::Any
        }
    }

    /// Whether each character of the next piece stands for itself.
    fn is_plain(&mut self, piece: &[u8]) -> bool {
        match self {
            Self::Any => true,
            Self::Utf8 { has_begun } => {
                // The marks of the order of bytes in UTF-16 and UTF-32 begin so, as no UTF-8 does.
                let is_marked = !*has_begun && matches!(piece.first(), Some(0xfe | 0xff));
                *has_begun |= !piece.is_empty();
                !is_marked && !piece.contains(&0)
            }
            Self::Parts(heads) => heads.are_plain(piece),
        }
    }
}

/// Reads the heads of a form's parts.
#[derive(Debug)]
struct PartHeads {
    /// What the line begins with in front of a part's head.
    begin: Vec<u8>,
    line: Vec<u8>,
    is_in_head: bool,
}

impl PartHeads {
    fn new(boundary: &str) -> Self {
        Self { begin: format!("--{boundary}").into_bytes(), line: Vec::new(), is_in_head: false }
    }

    fn are_plain(&mut self, piece: &[u8]) -> bool {
        let (mut are_plain, mut rest) = (true, piece);
        while let Some(at) = memchr(b'\n', rest) {
            let (line, behind) = rest.split_at(at);
            self.keep(line);
            are_plain &= self.line_ended();
            self.line.clear();
            rest = behind.get(1..).unwrap_or_default();
        }
        self.keep(rest);
        are_plain
    }

    fn keep(&mut self, piece: &[u8]) {
        let room = LINE.saturating_sub(self.line.len());
        self.line.extend_from_slice(piece.get(..room).unwrap_or(piece));
    }

    /// Whether the line that has ended leaves its part as it is.
    fn line_ended(&mut self) -> bool {
        let Self { begin, line, is_in_head } = self;
        if line.starts_with(begin) {
            *is_in_head = true;
        } else if line.trim_ascii().is_empty() {
            *is_in_head = false;
        }
        let Some(colon) = line.iter().position(|byte| *byte == b':').filter(|_| *is_in_head) else { return true };
        let (name, value) = line.split_at(colon);
        let value = value.trim_ascii_start().strip_prefix(b":").unwrap_or(value).trim_ascii();
        !name.trim_ascii().eq_ignore_ascii_case(ENCODING) || PLAIN.iter().any(|plain| plain.eq_ignore_ascii_case(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_encodings_in_which_each_character_is_itself_pass() {
        let is_plain = |kind: &str, body: &[u8]| {
            let mut watch = ObjectWatch::new(&Arc::new(Owners::new(0)), &"t".into(), None).with_encoding(kind);
            body.iter().all(|byte| watch.encoding.is_plain(&[*byte]))
        };
        let utf16 = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
        for kind in ["", "application/json", "text/plain"] {
            assert!(is_plain(kind, "{\"a\":\"é\"}".as_bytes()), "{kind}");
            assert!(
                !is_plain(kind, &utf16("{\"a\":1}")) && !is_plain(kind, b"\xff\xfe{") && !is_plain(kind, b"\xfe\xff{")
            );
        }
        assert!(is_plain("application/octet-stream", b"\xff\0"));
        for (head, plain) in [
            ("content-type: text/plain", true),
            ("Content-Transfer-Encoding: 8bit", true),
            ("content-transfer-encoding:binary", true),
            ("Content-Transfer-Encoding: base64", false),
            ("content-transfer-encoding : quoted-printable", false),
            ("content-transfer-encoding:\r\n base64", false),
        ] {
            let form = format!("--x\r\n{head}\r\n\r\na: b\r\ncontent-transfer-encoding: base64\r\n--x--\r\n");
            assert_eq!(is_plain("multipart/form-data; boundary=x", form.as_bytes()), plain, "{head}");
        }
    }
}
