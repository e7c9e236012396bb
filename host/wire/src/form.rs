//! Finds a few fields of a `multipart/form-data` body (RFC 7578, RFC 2046 section 5.1) without copying it, or reads all
//! of its texts.
//!
//! The provider's parser must find the same fields as this scan, or a request could name one model here and another
//! there. So everything that parsers are known to read differently is refused: a boundary that is not a delimiter on
//! its own line, line ends other than CRLF, names with `name*=` or odd escapes, encoded fields. Clients' libraries
//! produce none of these.
//!
//! | file | does |
//! |---|---|
//! | `parts` | reads all parts that are text |
//! | `scan` | finds fields in a body that passes and is not kept |
//! | `rope` | searches and reads across the chunks of a body |
//! | `head` | reads the head of a part |
//! | `header` | parses values with parameters: `form-data; name="x"` |

mod head;
mod header;
mod parts;
mod rope;
mod scan;

use std::ops::Range;

use bytes::Bytes;

use self::head::Head;
use self::header::Parameters;
pub use self::parts::{Part, has_other_charset, parts};
use self::rope::Rope;
pub use self::scan::{FieldScan, FilePiece};

/// Maximum number of parts, and maximum size of a part's head in bytes.
const MAX_PARTS: usize = 4096;
const MAX_HEAD: usize = 8 << 10;
/// Maximum length of a boundary: RFC 2046 allows 70 characters.
const MAX_BOUNDARY: usize = 70;
/// Maximum length of a wanted field that is read, in bytes.
const MAX_TEXT: usize = 1 << 10;

/// A field that was searched for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Index in the list of names.
    pub name: usize,
    /// Range of its value in the body, in bytes.
    pub range: Range<usize>,
    /// The value, if it is short text and not a file.
    pub text: Option<String>,
}

/// Why a body cannot be scanned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FormError {
    /// The content type is not `multipart/form-data` with a boundary.
    #[error("its content type is not `multipart/form-data` with a boundary")]
    ContentType,
    /// The body does not begin with its boundary.
    #[error("it does not begin with its boundary")]
    NoParts,
    /// The last delimiter is missing.
    #[error("it ends without its closing boundary")]
    Truncated,
    /// The boundary does not stand alone on a line.
    #[error("its boundary stands within a part, at byte {offset}")]
    Boundary {
        /// Offset of the boundary in the body.
        offset: usize,
    },
    /// A part's head is invalid or ambiguous.
    #[error("the head of the part at byte {offset} cannot be read")]
    Head {
        /// Offset of the part in the body.
        offset: usize,
    },
    /// A part is neither a file nor text in UTF-8, or is encoded.
    #[error("the part at byte {offset} is neither a file nor plain text in UTF-8")]
    NoText {
        /// Offset of the part in the body.
        offset: usize,
    },
    /// There are more parts than the limit.
    #[error("it has more than {MAX_PARTS} parts")]
    TooManyParts,
}

/// Parses the boundary out of a content type.
pub fn boundary(content_type: &str) -> Result<String, FormError> {
    let parameters = Parameters::parse(content_type).ok_or(FormError::ContentType)?;
    let boundary = parameters.only("boundary").ok().flatten().filter(|boundary| is_boundary(boundary));
    let boundary = boundary.filter(|_| !parameters.is_split("boundary"));
    if !parameters.value.eq_ignore_ascii_case("multipart/form-data") {
        return Err(FormError::ContentType);
    }
    boundary.map(str::to_owned).ok_or(FormError::ContentType)
}

fn is_boundary(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(&byte);
    (1..=MAX_BOUNDARY).contains(&text.len()) && !text.ends_with(' ') && text.bytes().all(is_part)
}

/// The fields of these names in order, including repeated ones.
pub fn fields(body: &[Bytes], boundary: &str, names: &[&str]) -> Result<Vec<Field>, FormError> {
    let rope = Rope::new(body);
    let mut found = Vec::new();
    each(&rope, boundary, |at, part| {
        found.extend(field(&rope, at, part, names)?);
        Ok(())
    })?;
    Ok(found)
}

/// Calls `see` with each part: where its delimiter begins, and its range from that one's end to the next delimiter.
fn each(
    rope: &Rope<'_>,
    boundary: &str,
    mut see: impl FnMut(usize, Range<usize>) -> Result<(), FormError>,
) -> Result<(), FormError> {
    let delimiter = format!("--{boundary}");
    let mut parts = 0;
    let mut at = rope.find(delimiter.as_bytes(), 0).ok_or(FormError::NoParts)?;
    let mut open = line(rope, at, delimiter.len())?;
    while let Delimiter::Open { end } = open {
        parts += 1;
        if parts > MAX_PARTS {
            return Err(FormError::TooManyParts);
        }
        let next = rope.find(delimiter.as_bytes(), end).ok_or(FormError::Truncated)?;
        open = line(rope, next, delimiter.len())?;
        see(at, end..next)?;
        at = next;
    }
    // After the closing delimiter anything is allowed except another one.
    match rope.find(delimiter.as_bytes(), at + delimiter.len()) {
        Some(offset) => Err(FormError::Boundary { offset }),
        None => Ok(()),
    }
}

/// A line that holds the boundary.
enum Delimiter {
    /// A part begins. `end` is before the line's own CRLF, which may be half of the blank line.
    Open {
        end: usize,
    },
    Close,
}

/// The kind of the delimiter at `at`, where the boundary was found.
fn line(rope: &Rope<'_>, at: usize, len: usize) -> Result<Delimiter, FormError> {
    let wrong = FormError::Boundary { offset: at };
    let begins_line = at == 0 || at.checked_sub(2).is_some_and(|start| rope.is_at(start, b"\r\n"));
    if !begins_line {
        return Err(wrong);
    }
    let end = at + len;
    if rope.is_at(end, b"\r\n") {
        return Ok(Delimiter::Open { end });
    }
    if end == rope.len() {
        return Err(FormError::Truncated);
    }
    let closes = rope.is_at(end, b"--") && (rope.len() == end + 2 || rope.is_at(end + 2, b"\r\n"));
    if closes { Ok(Delimiter::Close) } else { Err(wrong) }
}

/// The field of a part, if it is wanted. The part reaches from its delimiter's CRLF to the next delimiter.
fn field(rope: &Rope<'_>, at: usize, part: Range<usize>, names: &[&str]) -> Result<Option<Field>, FormError> {
    let (head, range) = split(rope, at, part)?;
    let Some(name) = head.wanted(names, at)? else { return Ok(None) };
    let is_short = head.file.is_none() && range.len() <= MAX_TEXT;
    let text = is_short.then(|| String::from_utf8(rope.read(range.clone()))).and_then(Result::ok);
    Ok(Some(Field { name, range, text }))
}

/// The head of a part, and the range of its value.
fn split(rope: &Rope<'_>, at: usize, part: Range<usize>) -> Result<(Head, Range<usize>), FormError> {
    let wrong = FormError::Head { offset: at };
    // Its last CRLF belongs to the next delimiter.
    let end = part.end - 2;
    let head = rope.read(part.start..end.min(part.start.saturating_add(MAX_HEAD)));
    let blank = memchr::memmem::find(&head, b"\r\n\r\n").ok_or(wrong)?;
    let head = head.get(..blank).and_then(|head| std::str::from_utf8(head).ok()).ok_or(wrong)?;
    Ok((Head::read(head).ok_or(wrong)?, part.start + blank + 4..end))
}

#[cfg(test)]
mod tests;
