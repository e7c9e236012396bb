//! Finds the fields of a form that passes and is not kept: the same ones as in a whole body.

use bytes::{Buf as _, Bytes, BytesMut};
use memchr::memmem;

use super::{Field, FormError, Head, MAX_HEAD, MAX_PARTS, MAX_TEXT};

const BLANK: &[u8] = b"\r\n\r\n";
const LINE: &[u8] = b"\r\n";

/// The scan of one form, which is given its pieces in their order. It keeps as much of them as one head, or one short
/// text, has.
#[derive(Debug)]
pub struct FieldScan {
    delimiter: Vec<u8>,
    names: Vec<String>,
    /// What was given and is not read yet, and its offset in the body.
    rest: BytesMut,
    offset: usize,
    state: State,
    parts: usize,
    found: Vec<Field>,
    texts: Vec<String>,
    /// What has come of files since it was taken last; none if it is not handed out.
    files: Option<Vec<FilePiece>>,
}

/// What has come of a file in a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FilePiece {
    /// A file begins, or a wanted field.
    Begun {
        /// Whether its bytes are what all servers take for it: not encoded, nor in another charset than UTF-8.
        is_plain: bool,
    },
    /// Its next bytes.
    Bytes(Bytes),
    /// No more of it comes.
    Ended,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Preamble,
    /// Behind a delimiter that begins at `at`.
    Delimiter {
        at: usize,
    },
    /// In the head of the part whose delimiter begins at `at`.
    Head {
        at: usize,
    },
    Value(Value),
    End,
}

/// A value that is being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Value {
    /// Where the part's delimiter begins, and where the value does.
    at: usize,
    start: usize,
    /// The position of its name, if it is wanted.
    name: Option<usize>,
    is_file: bool,
    /// Whether its beginning is gone.
    is_long: bool,
    /// Whether it is handed out.
    is_out: bool,
}

impl FieldScan {
    /// A scan for fields of these names in a form with this boundary.
    pub fn new(boundary: &str, names: Vec<String>) -> Self {
        Self {
            delimiter: format!("--{boundary}").into_bytes(),
            names,
            rest: BytesMut::new(),
            offset: 0,
            state: State::Preamble,
            parts: 0,
            found: Vec::new(),
            texts: Vec::new(),
            files: None,
        }
    }

    /// Hands out the contents of files and of wanted fields, which are to be taken after each piece.
    #[must_use]
    pub fn handing_out_files(mut self) -> Self {
        self.files = Some(Vec::new());
        self
    }

    /// Takes what has come of files since the last call.
    pub fn take_files(&mut self) -> Vec<FilePiece> {
        self.files.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// The wanted fields that have ended, in order.
    pub fn found(&self) -> &[Field] {
        &self.found
    }

    /// Takes the short texts of all fields that have ended since the last call and are no files.
    pub fn take_texts(&mut self) -> Vec<String> {
        std::mem::take(&mut self.texts)
    }

    /// Reads the next piece.
    ///
    /// # Errors
    ///
    /// The body is no form, or one that servers may read differently.
    pub fn push(&mut self, piece: &[u8]) -> Result<(), FormError> {
        self.rest.extend_from_slice(piece);
        while self.step()? {}
        Ok(())
    }

    /// The body has ended.
    ///
    /// # Errors
    ///
    /// It ends within the form.
    pub fn finish(&self) -> Result<(), FormError> {
        match self.state {
            State::End => Ok(()),
            State::Delimiter { .. } if &*self.rest == b"--" => Ok(()),
            State::Preamble => Err(FormError::NoParts),
            _ => Err(FormError::Truncated),
        }
    }

    /// The bytes that it keeps.
    #[cfg(test)]
    pub(super) fn kept(&self) -> usize {
        self.rest.len()
    }

    /// Reads on as far as the state stays the same; whether it has changed.
    fn step(&mut self) -> Result<bool, FormError> {
        match self.state {
            State::Preamble => {
                let Some(at) = self.find() else { return Ok(self.let_go()) };
                if self.offset + at != 0 && !self.begins_line(at) {
                    return Err(FormError::Boundary { offset: self.offset + at });
                }
                Ok(self.pass_delimiter(at))
            }
            State::Delimiter { at } => self.behind_delimiter(at),
            State::Head { at } => self.head(at),
            State::Value(value) => self.value(value),
            State::End => match self.find() {
                Some(at) => Err(FormError::Boundary { offset: self.offset + at }),
                None => Ok(self.let_go()),
            },
        }
    }

    fn behind_delimiter(&mut self, at: usize) -> Result<bool, FormError> {
        let closing: &[u8] = b"--\r\n";
        if self.rest.starts_with(LINE) {
            self.parts += 1;
            if self.parts > MAX_PARTS {
                return Err(FormError::TooManyParts);
            }
            self.state = State::Head { at };
            return Ok(true);
        }
        if self.rest.starts_with(closing) {
            self.skip(closing.len());
            self.state = State::End;
            return Ok(true);
        }
        let may_go_on = LINE.starts_with(&self.rest) || closing.starts_with(&self.rest);
        if may_go_on { Ok(false) } else { Err(FormError::Boundary { offset: at }) }
    }

    fn head(&mut self, at: usize) -> Result<bool, FormError> {
        let wrong = FormError::Head { offset: at };
        let head = self.rest.get(..MAX_HEAD).unwrap_or(&self.rest);
        let Some(blank) = memmem::find(head, BLANK) else {
            return if head.len() == MAX_HEAD || self.find().is_some() { Err(wrong) } else { Ok(false) };
        };
        let head = head.get(..blank).unwrap_or_default();
        if memmem::find(head, &self.delimiter).is_some() {
            return Err(wrong);
        }
        let head = std::str::from_utf8(head).ok().and_then(Head::read).ok_or(wrong)?;
        let name = head.wanted(&self.names, at)?;
        self.skip(blank + BLANK.len());
        let is_file = head.file.is_some();
        let is_out = self.files.is_some() && (is_file || name.is_some());
        let is_plain = !head.is_encoded && !head.has_other_charset;
        self.hand_out(is_out, FilePiece::Begun { is_plain });
        let value = Value { at, start: self.offset, name, is_file, is_long: false, is_out };
        self.state = State::Value(value);
        Ok(true)
    }

    fn value(&mut self, value: Value) -> Result<bool, FormError> {
        let Value { at: of_part, start, name, is_file, is_long, is_out } = value;
        let Some(at) = self.find() else {
            if is_file || is_out || self.rest.len() > MAX_TEXT + self.overlap() {
                let is_long = self.rest.len() > self.overlap() || is_long;
                self.state = State::Value(Value { is_long, ..value });
                self.pass_content(self.rest.len().saturating_sub(self.overlap()), is_out);
            }
            return Ok(false);
        };
        if self.offset + at == start {
            // The line's end before the delimiter is the blank line's, so that the head has none.
            return Err(FormError::Head { offset: of_part });
        }
        if !self.begins_line(at) {
            return Err(FormError::Boundary { offset: self.offset + at });
        }
        let end = at - LINE.len();
        let is_short = !is_file && !is_long && end <= MAX_TEXT;
        let text = self.rest.get(..end).filter(|_| is_short).and_then(|text| String::from_utf8(text.to_vec()).ok());
        if let Some(name) = name {
            self.found.push(Field { name, range: start..self.offset + end, text: text.clone() });
        }
        self.texts.extend(text);
        self.pass_content(end, is_out);
        self.hand_out(is_out, FilePiece::Ended);
        Ok(self.pass_delimiter(at - end))
    }

    /// Passes bytes of a value.
    fn pass_content(&mut self, bytes: usize, is_out: bool) {
        if !is_out {
            return self.skip(bytes);
        }
        let content = self.rest.split_to(bytes).freeze();
        self.offset += bytes;
        self.hand_out(!content.is_empty(), FilePiece::Bytes(content));
    }

    fn hand_out(&mut self, is_out: bool, piece: FilePiece) {
        if let Some(files) = self.files.as_mut().filter(|_| is_out) {
            files.push(piece);
        }
    }

    /// Where the next delimiter is in what is there.
    fn find(&self) -> Option<usize> {
        memmem::find(&self.rest, &self.delimiter)
    }

    /// Whether a line ends before this place.
    fn begins_line(&self, at: usize) -> bool {
        self.rest.get(..at).is_some_and(|before| before.ends_with(LINE))
    }

    fn pass_delimiter(&mut self, at: usize) -> bool {
        let begins = self.offset + at;
        self.skip(at + self.delimiter.len());
        self.state = State::Delimiter { at: begins };
        true
    }

    /// What may be the beginning of a delimiter, with the line's end before it.
    fn overlap(&self) -> usize {
        self.delimiter.len() - 1 + LINE.len()
    }

    /// Drops what can be no part of a delimiter; the state stays.
    fn let_go(&mut self) -> bool {
        self.skip(self.rest.len().saturating_sub(self.overlap()));
        false
    }

    fn skip(&mut self, bytes: usize) {
        self.rest.advance(bytes);
        self.offset += bytes;
    }
}
