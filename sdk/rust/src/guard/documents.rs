//! Text documents whose bytes are in base64, or in their address (`data:`): translations and providers put their text
//! into the prompt.

use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use base64::engine::{DecodePaddingMode, Engine};

const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);
/// What the media types of texts contain that are not below `text/`.
const TEXTS: [&str; 10] =
    ["json", "xml", "csv", "yaml", "toml", "markdown", "javascript", "ecmascript", "sql", "x-www-form-urlencoded"];
/// What the media types of office documents contain, whose XML is packed.
const PACKED: &str = "openxmlformats";
/// How a document begins whose readers take it apart, even where all its bytes are of ASCII.
const PDF: &str = "%PDF-";

/// The text of a document.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Document {
    pub(super) text: String,
    /// Whether its bytes are this text in UTF-8, so that those of another may stand in their place.
    pub(super) is_exact: bool,
    pub(super) is_json: bool,
}

impl Document {
    /// The document of these bytes, if it is a text: by its type or, without one, by its bytes.
    fn of(mime: Option<&str>, bytes: Vec<u8>) -> Option<Self> {
        let mime = mime.unwrap_or_default().to_ascii_lowercase();
        let is_text =
            mime.starts_with("text/") || TEXTS.iter().any(|text| mime.contains(text)) && !mime.contains(PACKED);
        let is_json = mime.contains("json");
        match String::from_utf8(bytes) {
            Ok(text) if is_text || !text.starts_with(PDF) => Some(Self { text, is_exact: true, is_json }),
            Err(error) if is_text || mime.is_empty() => {
                let text = wide(error.as_bytes());
                let text = text.or_else(|| is_text.then(|| String::from_utf8_lossy(error.as_bytes()).into_owned()))?;
                Some(Self { text, is_exact: false, is_json })
            }
            _ => None,
        }
    }

    /// The document of base64 of either alphabet. Like lenient readers, it passes over what is of neither.
    pub(super) fn of_base64(mime: Option<&str>, data: &str) -> Option<Self> {
        let digit = |byte: u8| match byte {
            b'-' => Some(b'+'),
            b'_' => Some(b'/'),
            b'+' | b'/' => Some(byte),
            _ => byte.is_ascii_alphanumeric().then_some(byte),
        };
        let digits: Vec<u8> = data.bytes().take_while(|byte| *byte != b'=').filter_map(digit).collect();
        // One digit beyond those of whole bytes says nothing.
        let whole = if digits.len() % 4 == 1 { digits.len() - 1 } else { digits.len() };
        Self::of(mime, LENIENT.decode(digits.get(..whole)?).ok()?)
    }
}

/// A text in UTF-16, if these bytes say that they are one.
fn wide(bytes: &[u8]) -> Option<String> {
    let (units, rest): (fn([u8; 2]) -> u16, _) = match bytes {
        [0xff, 0xfe, rest @ ..] => (u16::from_le_bytes, rest),
        [0xfe, 0xff, rest @ ..] => (u16::from_be_bytes, rest),
        _ => return None,
    };
    let units: Vec<u16> = rest.chunks_exact(2).filter_map(|pair| pair.try_into().ok()).map(units).collect();
    Some(String::from_utf16_lossy(&units))
}

/// A data URL of a text document.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct DataUrl {
    /// What stands between the scheme and the comma.
    pub(super) head: String,
    is_base64: bool,
    pub(super) document: Document,
}

impl DataUrl {
    /// Takes a data URL apart; `None` if it is another address, or of another medium.
    pub(super) fn read(url: &str) -> Option<Self> {
        let (scheme, rest) = url.split_at_checked(5)?;
        let (head, data) = rest.split_once(',').filter(|_| scheme.eq_ignore_ascii_case("data:"))?;
        let mut words = head.split(';').map(str::trim);
        let mime = words.next().filter(|mime| !mime.is_empty()).unwrap_or("text/plain");
        let is_base64 = words.any(|word| word.eq_ignore_ascii_case("base64"));
        let bytes = percent_decoded(data);
        let document = if is_base64 {
            Document::of_base64(Some(mime), &String::from_utf8_lossy(&bytes))
        } else {
            Document::of(Some(mime), bytes)
        };
        Some(Self { head: head.to_owned(), is_base64, document: document? })
    }

    /// Puts it together again.
    pub(super) fn write(&self) -> String {
        let text = &self.document.text;
        let data = if self.is_base64 { encoded(text) } else { percent_encoded(text) };
        format!("data:{},{data}", self.head)
    }
}

/// A text in base64.
pub(super) fn encoded(text: &str) -> String {
    STANDARD.encode(text)
}

fn percent_decoded(text: &str) -> Vec<u8> {
    let (mut out, mut rest) = (Vec::with_capacity(text.len()), text.as_bytes());
    while let Some((first, after)) = rest.split_first() {
        let digits = after.get(..2).filter(|_| *first == b'%').and_then(|digits| std::str::from_utf8(digits).ok());
        if let Some(byte) = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            out.push(byte);
            rest = after.get(2..).unwrap_or_default();
        } else {
            out.push(*first);
            rest = after;
        }
    }
    out
}

fn percent_encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push('%');
            for digit in [byte >> 4, byte & 0xf] {
                out.extend(char::from_digit(digit.into(), 16).map(|digit| digit.to_ascii_uppercase()));
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(mime: Option<&str>, bytes: &[u8]) -> Option<(String, bool)> {
        let found = Document::of_base64(mime, &STANDARD.encode(bytes))?;
        Some((found.text, found.is_exact))
    }

    #[test]
    fn documents_are_texts_by_their_type_or_their_bytes() {
        let exact = |text: &str| Some((text.to_owned(), true));
        for mime in [Some("text/plain; charset=utf-8"), Some("Text/X"), Some("application/json"), Some("a/b+xml"), None]
        {
            assert_eq!(text(mime, "säy".as_bytes()), exact("säy"), "{mime:?}");
        }
        assert_eq!(text(Some("application/octet-stream"), b"hush"), exact("hush"));
        assert_eq!(text(Some("text/plain"), b"hush \xff"), Some(("hush \u{fffd}".to_owned(), false)));
        assert_eq!(text(None, b"\xff\xfeh\0\xfc\0"), Some(("hü".to_owned(), false)));
        assert_eq!(text(Some("text/csv"), b"\xfe\xff\0h\0u"), Some(("hu".to_owned(), false)));
        for (mime, bytes) in
            [(None, &b"\x89PNG"[..]), (Some("image/jpeg"), b"\xff\xd8\xff"), (Some("application/pdf"), b"%PDF-1.7")]
        {
            assert_eq!(text(mime, bytes), None, "{mime:?}");
        }
    }

    #[test]
    fn base64_is_read_as_lenient_readers_do() {
        for data in ["aHVzaD8_", "aHVz\naD8/", "aHVzaD8_A", "aHVz aD8_====x"] {
            let found = Document::of_base64(Some("text/plain"), data);
            assert_eq!(found.map(|found| found.text).as_deref(), Some("hush??"), "{data}");
        }
    }

    #[test]
    fn data_urls_are_taken_apart_and_put_together() {
        for (url, text, again) in [
            ("data:text/plain;base64,aHVzaA==", "hush", "data:text/plain;base64,aHVzaA=="),
            ("DATA:;charset=utf-8;BASE64,aHVz%61A%3D%3D", "hush", "data:;charset=utf-8;BASE64,aHVzaA=="),
            ("data:,h%75sh%20a%", "hush a%", "data:,hush%20a%25"),
        ] {
            let read = DataUrl::read(url).unwrap();
            assert_eq!((read.document.text.as_str(), read.write().as_str()), (text, again));
        }
        for other in ["https://example.org/a,b", "data:image/png;base64,iVBORw0KGgo=", "data", "dätä:,"] {
            assert_eq!(DataUrl::read(other), None, "{other}");
        }
    }
}
