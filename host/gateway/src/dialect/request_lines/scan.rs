//! Reads what the requests in a file name, while the form with the file comes.

use std::sync::Arc;

use super::places::{LinePlace, LinePlaces};
use crate::dialect::request_peek::{kept_id, named_models};
use crate::provenance::{FileMistake, Owners, RequestFile};
use weir_wire::form::{self, FieldScan, FilePiece, has_other_charset};
use weir_wire::peek::{Found, Hit, Peek, Scalar};

/// The scan of one form. It keeps of it what the requests name, and as much as the reader of forms does.
#[derive(Debug)]
pub(crate) struct FileScan {
    places: Arc<LinePlaces>,
    /// None once it is known that what is named cannot be.
    form: Option<FieldScan>,
    lines: Lines,
    owners: Arc<Owners>,
    tenant: Arc<str>,
    file: RequestFile,
    has_requests: bool,
}

/// The line that is being read.
#[derive(Debug)]
struct Lines {
    scan: Peek,
    number: u64,
    /// Whether anything but white space has come of it.
    has_begun: bool,
    /// Its last byte was a CR, behind which only an LF may come.
    after_return: bool,
    /// Its last bytes, of which a character beyond ASCII may consist.
    before: [u8; 2],
}

impl FileScan {
    /// A scan of a form with this content type that this tenant sends.
    pub(crate) fn new(places: &Arc<LinePlaces>, content_type: &str, owners: &Arc<Owners>, tenant: &Arc<str>) -> Self {
        let boundary = form::boundary(content_type).and_then(|boundary| {
            if has_other_charset(content_type) { Err(form::FormError::ContentType) } else { Ok(boundary) }
        });
        let mut file = RequestFile::default();
        let form = boundary.map(|boundary| FieldScan::new(&boundary, vec![places.field.clone()]).handing_out_files());
        let form = form.map_err(|error| file.fail(FileMistake::Form(error))).ok();
        let scan = places.scan();
        let lines = Lines { scan, number: 1, has_begun: false, after_return: false, before: [0; 2] };
        let (places, owners, tenant) = (Arc::clone(places), Arc::clone(owners), Arc::clone(tenant));
        Self { places, form, lines, owners, tenant, file, has_requests: false }
    }

    /// What is known so far.
    pub(crate) fn so_far(&self) -> &RequestFile {
        &self.file
    }

    /// Reads the next piece of the form.
    pub(crate) fn push(&mut self, piece: &[u8]) {
        let Some(form) = &mut self.form else { return };
        let pushed = form.push(piece);
        for piece in form.take_files() {
            match piece {
                FilePiece::Begun { is_plain: false } => self.file.fail(FileMistake::Encoded),
                FilePiece::Begun { is_plain: true } => self.lines.begin_file(),
                FilePiece::Bytes(bytes) => self.file_bytes(&bytes),
                FilePiece::Ended => self.end_line(),
            }
            if self.file.mistake().is_some() {
                break;
            }
        }
        if let Err(error) = pushed {
            self.file.fail(FileMistake::Form(error));
        }
        if self.file.mistake().is_some() {
            self.form = None;
        }
    }

    /// The form has ended.
    pub(crate) fn finish(mut self) -> RequestFile {
        if let Some(Err(error)) = self.form.as_ref().map(FieldScan::finish) {
            self.file.fail(FileMistake::Form(error));
        }
        if !self.has_requests {
            self.file.fail(FileMistake::Empty);
        }
        self.file
    }

    fn file_bytes(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && self.file.mistake().is_none() {
            let end = memchr::memchr(b'\n', bytes);
            let (line, rest) = bytes.split_at(end.unwrap_or(bytes.len()));
            if let Err(mistake) = self.lines.push(line) {
                return self.file.fail(mistake);
            }
            bytes = rest.get(1..).unwrap_or_default();
            if end.is_some() {
                self.end_line();
            }
        }
    }

    /// The line has ended: reads what its request names.
    fn end_line(&mut self) {
        if self.file.mistake().is_some() {
            return;
        }
        let line = self.lines.number;
        if std::mem::take(&mut self.lines.has_begun) {
            self.has_requests = true;
            let read = match self.lines.scan.end() {
                Ok(found) => read_line(&self.places, found, line, &mut self.file, |id| {
                    self.owners.is_own(id.as_bytes(), &self.tenant)
                }),
                Err(_) => Err(FileMistake::NoObject { line }),
            };
            if let Err(mistake) = read {
                self.file.fail(mistake);
            }
        }
        self.lines.next();
    }
}

impl Lines {
    fn begin_file(&mut self) {
        self.next();
        self.number = 1;
    }

    fn next(&mut self) {
        self.scan.reset();
        (self.has_begun, self.after_return, self.before) = (false, false, [0; 2]);
        self.number += 1;
    }

    /// Reads the next bytes of the line.
    fn push(&mut self, bytes: &[u8]) -> Result<(), FileMistake> {
        for byte in bytes {
            if self.after_return || ends_line_elsewhere(self.before, *byte) {
                return Err(FileMistake::LineEnd { line: self.number });
            }
            self.after_return = *byte == b'\r';
            self.before = [self.before[1], *byte];
        }
        self.has_begun = self.has_begun || !bytes.iter().all(u8::is_ascii_whitespace);
        self.scan.push(bytes);
        self.scan.error().map_or(Ok(()), |_| Err(FileMistake::NoObject { line: self.number }))
    }
}

/// Whether a byte behind these two is, or ends, a character at which some readers split lines: control characters and the
/// separators of lines beyond ASCII.
fn ends_line_elsewhere(before: [u8; 2], byte: u8) -> bool {
    match byte {
        0x0b | 0x0c | 0x1c..=0x1e => true,
        0x85 => before[1] == 0xc2,
        0xa8 | 0xa9 => before == [0xe2, 0x80],
        _ => false,
    }
}

/// Reads what one request names.
fn read_line(
    places: &LinePlaces,
    found: &Found,
    line: u64,
    file: &mut RequestFile,
    is_own: impl Fn(&str) -> bool,
) -> Result<(), FileMistake> {
    if found.object().is_none() {
        return Err(FileMistake::NoObject { line });
    }
    let odd = |member: &str| FileMistake::Odd { line, member: member.chars().take(64).collect::<String>().into() };
    let odd_at =
        |hit: &Hit| odd(found.pointers().text(hit.pointer).and_then(|at| at.rsplit('/').next()).unwrap_or_default());
    if let Some((name, _)) = found.variants().first() {
        return Err(odd(name));
    }
    let mut names_model = false;
    for hit in found.hits() {
        match places.place(hit.pointer) {
            LinePlace::Model(place) => {
                let name = hit.value.as_text().filter(|name| !name.is_empty()).ok_or_else(|| odd_at(hit))?;
                let prefix = places.prefixes.get(place).map(String::as_str).unwrap_or_default();
                file.name(name.strip_prefix(prefix).unwrap_or(name), line);
                names_model = true;
            }
            LinePlace::Object => match &hit.value {
                Scalar::Text(name) => {
                    if let Some(id) = kept_id(name).filter(|id| !is_own(id)) {
                        return Err(FileMistake::Object { line, id: id.into() });
                    }
                }
                Scalar::Long => return Err(odd_at(hit)),
                _ => {}
            },
            LinePlace::Further => {}
        }
    }
    if !names_model {
        return Err(FileMistake::NoModel { line });
    }
    let further = named_models::in_found(found, places.before_further());
    further.map_err(|unreadable| odd(unreadable.member))?.iter().for_each(|model| file.name(model, line));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_types::contract::about::{BodyKind, Face, ModelPlace, ModelPointer, Operation};

    fn places() -> Arc<LinePlaces> {
        let plain = Face::unread("f", Operation::Other("x".into()), "POST", "/x".to_owned());
        let model = ModelPointer { pointer: "/up/*/call/brain".into(), prefix: "b/".into() };
        let object_ids = vec!["/up/*/call/things/*".to_owned()];
        let face = Face { body: BodyKind::Raw, model: vec![ModelPlace::Pointer(model)], object_ids, ..plain };
        Arc::new(LinePlaces::new(&face).unwrap())
    }

    /// What is known of a file, cut into pieces of this size.
    fn read(file: &str, size: usize) -> (Vec<(String, u64)>, Option<FileMistake>) {
        let form =
            format!("--x\r\ncontent-disposition: form-data; name=\"up\"; filename=\"f\"\r\n\r\n{file}\r\n--x--\r\n");
        let owners = Arc::new(Owners::new(1 << 16));
        owners.keep(crate::provenance::ObjectKind::Object, b"thing-1", &"t".into());
        let mut scan = FileScan::new(&places(), "multipart/form-data; boundary=x", &owners, &"t".into());
        form.as_bytes().chunks(size).for_each(|piece| scan.push(piece));
        let file = scan.finish();
        let models = file.models().iter().map(|named| (named.name.to_string(), named.line)).collect();
        (models, file.mistake().cloned())
    }

    #[test]
    fn what_requests_name_is_found_wherever_the_form_is_cut() {
        let call = |more: &str| format!(r#"{{"call":{{"text":"\u2028 é","brain":"a"{more}}}}}"#);
        for (file, models, mistake) in [
            (call(""), vec![("a", 1)], None),
            (format!("{}\r\n \t\n{}\n", call(""), call(r#","brain":"b/c""#)), vec![("a", 1), ("c", 3)], None),
            (call(r#","models":["d"],"tools":[{"model":"e"}]"#), vec![("a", 1), ("d", 1), ("e", 1)], None),
            (call(r#","things":["thing-1",7,null,"https://x.example/1"]"#), vec![("a", 1)], None),
            (
                format!("{}\n{}", call(""), call(r#","things":["x/thing-2"]"#)),
                vec![("a", 1)],
                Some(FileMistake::Object { line: 2, id: "thing-2".into() }),
            ),
            (call("").replace('é', "\u{85}"), vec![], Some(FileMistake::LineEnd { line: 1 })),
            (format!("{}\r{}", call(""), call("")), vec![], Some(FileMistake::LineEnd { line: 1 })),
            (call(r#","Brain":"z""#), vec![], Some(FileMistake::Odd { line: 1, member: "Brain".into() })),
            (r#"{"Call":{}}"#.to_owned(), vec![], Some(FileMistake::Odd { line: 1, member: "Call".into() })),
            (r#"{"call":{"brain":""}}"#.to_owned(), vec![], Some(FileMistake::Odd { line: 1, member: "brain".into() })),
            (r#"{"call":{}}"#.to_owned(), vec![], Some(FileMistake::NoModel { line: 1 })),
            (format!("{}\n{{", call("")), vec![("a", 1)], Some(FileMistake::NoObject { line: 2 })),
            (" \n".to_owned(), vec![], Some(FileMistake::Empty)),
        ] {
            let models: Vec<(String, u64)> = models.into_iter().map(|(name, line)| (name.to_owned(), line)).collect();
            for size in [1, 3, 50, 10_000] {
                assert_eq!(read(&file, size), (models.clone(), mistake.clone()), "{size}: {file}");
            }
        }
    }

    #[test]
    fn only_so_many_models_are_kept() {
        let lines = |count: usize| (0..count).map(|n| format!(r#"{{"call":{{"brain":"{n}"}}}}"#)).collect::<Vec<_>>();
        assert_eq!(read(&lines(64).join("\n"), 100).1, None);
        let (models, mistake) = read(&lines(70).join("\n"), 100);
        assert_eq!((models.len(), mistake), (64, Some(FileMistake::TooMany)));
    }
}
