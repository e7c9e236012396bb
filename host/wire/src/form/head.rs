//! The head of a form's part.

use super::header::Parameters;
use super::{FormError, parts};

/// The field that names the charset of all others (RFC 7578 section 4.6).
const DEFAULT_CHARSET: &str = "_charset_";

/// The relevant contents of a part's head.
pub(super) struct Head {
    pub(super) name: String,
    /// The names of its file, if it is one; usually it has one.
    pub(super) file: Option<String>,
    pub(super) is_encoded: bool,
    /// Whether its text is not in UTF-8.
    pub(super) has_other_charset: bool,
}

impl Head {
    /// Parses a head; `None` if parsers may disagree about it.
    pub(super) fn read(head: &str) -> Option<Self> {
        let (mut disposition, mut is_encoded, mut has_other_charset) = (None, false, false);
        for line in head.split("\r\n").filter(|line| !line.is_empty()) {
            let (name, value) = line.split_once(':')?;
            let is_token = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic());
            if !is_token || value.contains(['\r', '\n', '\0']) {
                return None;
            }
            if name.eq_ignore_ascii_case("content-disposition") {
                let is_second = disposition.replace(Parameters::parse(value)?).is_some();
                if is_second {
                    return None;
                }
            }
            let plain = ["7bit", "8bit", "binary"].iter().any(|plain| value.trim().eq_ignore_ascii_case(plain));
            is_encoded |= name.eq_ignore_ascii_case("content-transfer-encoding") && !plain;
            has_other_charset |= name.eq_ignore_ascii_case("content-type") && parts::has_other_charset(value);
        }
        let disposition = disposition?;
        if !disposition.value.eq_ignore_ascii_case("form-data") || disposition.is_split("name") {
            return None;
        }
        let name = disposition.only("name").ok()??.to_owned();
        let files = disposition.of(&["filename", "filename*"]);
        let file = (!files.is_empty()).then(|| files.join("\n"));
        Some(Self { name, file, is_encoded, has_other_charset })
    }

    /// The position of the part's name among those that are wanted, in the part at `at`.
    ///
    /// # Errors
    ///
    /// Some servers take another name for a wanted one, or read its text otherwise.
    pub(super) fn wanted(&self, names: &[impl AsRef<str>], at: usize) -> Result<Option<usize>, FormError> {
        let is_like = |wanted: &str| self.name.trim().eq_ignore_ascii_case(wanted);
        let Some(name) = names.iter().position(|wanted| is_like(wanted.as_ref())) else {
            return if is_like(DEFAULT_CHARSET) { Err(FormError::NoText { offset: at }) } else { Ok(None) };
        };
        if self.is_encoded || names.get(name).is_none_or(|wanted| wanted.as_ref() != self.name) {
            return Err(FormError::Head { offset: at });
        }
        if self.has_other_charset { Err(FormError::NoText { offset: at }) } else { Ok(Some(name)) }
    }
}
