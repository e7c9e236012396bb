//! Reads the parts of a form that are text, as those see it who judge what a form says.

use bytes::Bytes;

use super::header::Parameters;
use super::rope::Rope;
use super::{FormError, Head, boundary, each, split};

/// The largest file that is read as text: no server takes a longer one for a field.
const MAX_FILE: usize = 256 << 10;

/// A part of a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The name of the field.
    pub name: String,
    /// The name of the file, if it is one.
    pub file: Option<String>,
    /// The value, if it is text. A file may be text too: servers differ in what they take for a file.
    pub text: Option<String>,
}

/// All parts of a form in order. What is no file has to be text.
///
/// # Errors
///
/// The body is no form, or a part is neither a file nor text.
pub fn parts(body: &[Bytes], content_type: &str) -> Result<Vec<Part>, FormError> {
    let boundary = boundary(content_type)?;
    if has_other_charset(content_type) {
        return Err(FormError::ContentType);
    }
    let rope = Rope::new(body);
    let mut all = Vec::new();
    each(&rope, &boundary, |at, part| {
        let (Head { name, file, is_encoded, has_other_charset }, range) = split(&rope, at, part)?;
        let wrong = FormError::NoText { offset: at };
        if is_encoded || has_other_charset {
            return Err(wrong);
        }
        let is_read = file.is_none() || range.len() <= MAX_FILE;
        let text = is_read.then(|| String::from_utf8(rope.read(range)).ok()).flatten();
        let text = text.filter(|text| !text.contains('\0'));
        if file.is_none() && text.is_none() {
            return Err(wrong);
        }
        all.push(Part { name, file, text });
        Ok(())
    })?;
    Ok(all)
}

/// Whether a content type names a charset other than UTF-8 and its part ASCII. One that cannot be parsed might.
pub fn has_other_charset(content_type: &str) -> bool {
    let is_usual =
        |charset: &&str| ["utf-8", "utf8", "us-ascii"].iter().any(|usual| charset.eq_ignore_ascii_case(usual));
    let Some(parameters) = Parameters::parse(content_type) else {
        return content_type.to_ascii_lowercase().contains("charset");
    };
    !parameters.of(&["charset", "charset*"]).iter().all(is_usual)
}
