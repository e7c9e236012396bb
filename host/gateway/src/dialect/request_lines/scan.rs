//! Reads what the requests in a file name, and how much they ask for, while the form with the file comes.

use std::sync::Arc;

use super::places::{LinePlace, LinePlaces};
use crate::dialect::request_peek::counts::number;
use crate::dialect::request_peek::{MAX_CANDIDATES, kept_id, named_models};
use crate::provenance::{Asks, FileMistake, Owners, RequestFile};
use weir_wire::form::{self, FieldScan, FilePiece, has_other_charset};
use weir_wire::media::CountedLength;
use weir_wire::peek::{Found, Hit, Peek, Scalar};

/// The scan of one form. It keeps only what the requests name, and what the form's reader needs.
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

/// The client for whom a file is read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FileReader<'a> {
    pub(crate) owners: &'a Arc<Owners>,
    pub(crate) tenant: &'a Arc<str>,
    /// Whether the client is restricted: then the file has to name models and objects so that all servers read the
    /// same.
    pub(crate) is_bound: bool,
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
    /// Whether characters that only some servers take for its end are mistakes.
    is_bound: bool,
    length: CountedLength,
}

impl FileScan {
    /// A scan of a form with this content type.
    pub(crate) fn new(places: &Arc<LinePlaces>, content_type: &str, reader: FileReader<'_>) -> Self {
        let FileReader { owners, tenant, is_bound } = reader;
        let boundary = form::boundary(content_type).and_then(|boundary| {
            if has_other_charset(content_type) { Err(form::FormError::ContentType) } else { Ok(boundary) }
        });
        let mut file = RequestFile::new(is_bound);
        let form = boundary.map(|boundary| FieldScan::new(&boundary, vec![places.field.clone()]).handing_out_files());
        let form = form.map_err(|error| file.fail(FileMistake::Form(error))).ok();
        let (scan, length) = (places.scan(), CountedLength::default());
        let (has_begun, after_return, before) = (false, false, [0; 2]);
        let lines = Lines { scan, number: 1, has_begun, after_return, before, is_bound, length };
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

    /// Ends the scan with the form.
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

    /// Ends a line: reads what its request names.
    fn end_line(&mut self) {
        if self.file.mistake().is_some() {
            return;
        }
        let line = self.lines.number;
        if std::mem::take(&mut self.lines.has_begun) {
            self.has_requests = true;
            let length = std::mem::take(&mut self.lines.length).finish();
            let may_name = |id: &str| !self.file.is_bound() || self.owners.is_own(id.as_bytes(), &self.tenant);
            let read = match self.lines.scan.end() {
                Ok(found) => read_line(&self.places, found, line, may_name)
                    .map(|read| self.file.add(&read.models, line, Asks::of_one(length, read.limit, read.candidates))),
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
        self.length = CountedLength::default();
        self.number += 1;
    }

    /// Reads the next bytes of the line.
    fn push(&mut self, bytes: &[u8]) -> Result<(), FileMistake> {
        for byte in bytes.iter().filter(|_| self.is_bound) {
            if self.after_return || ends_line_elsewhere(self.before, *byte) {
                return Err(FileMistake::LineEnd { line: self.number });
            }
            self.after_return = *byte == b'\r';
            self.before = [self.before[1], *byte];
        }
        self.has_begun = self.has_begun || !bytes.iter().all(u8::is_ascii_whitespace);
        self.scan.push(bytes);
        self.length.push(bytes);
        self.scan.error().map_or(Ok(()), |_| Err(FileMistake::NoObject { line: self.number }))
    }
}

/// Whether a byte behind these two is, or ends, a character at which some readers split lines: control characters and
/// the separators of lines beyond ASCII.
fn ends_line_elsewhere(before: [u8; 2], byte: u8) -> bool {
    match byte {
        0x0b | 0x0c | 0x1c..=0x1e => true,
        0x85 => before[1] == 0xc2,
        0xa8 | 0xa9 => before == [0xe2, 0x80],
        _ => false,
    }
}

/// What one request names, the model that it is for first, and how much it asks for.
struct LineRead {
    models: Vec<String>,
    limit: Option<u64>,
    candidates: u64,
}

/// Reads one request.
fn read_line(
    places: &LinePlaces,
    found: &Found,
    line: u64,
    may_name: impl Fn(&str) -> bool,
) -> Result<LineRead, FileMistake> {
    if found.object().is_none() {
        return Err(FileMistake::NoObject { line });
    }
    let odd = |member: &str| FileMistake::Odd { line, member: member.chars().take(64).collect::<String>().into() };
    let odd_at =
        |hit: &Hit| odd(found.pointers().text(hit.pointer).and_then(|at| at.rsplit('/').next()).unwrap_or_default());
    if let Some((name, _)) = found.variants().first() {
        return Err(odd(name));
    }
    let (mut models, mut limit, mut candidates) = (Vec::new(), None, None);
    for hit in found.hits() {
        match places.place(hit.pointer) {
            LinePlace::Model(place) => {
                let name = hit.value.as_text().filter(|name| !name.is_empty()).ok_or_else(|| odd_at(hit))?;
                let prefix = places.prefixes.get(place).map(String::as_str).unwrap_or_default();
                models.push(name.strip_prefix(prefix).unwrap_or(name).to_owned());
            }
            LinePlace::Limit => limit = limit.max(number(&hit.value).map_err(|_| odd_at(hit))?),
            LinePlace::Candidates => candidates = candidates.max(number(&hit.value).map_err(|_| odd_at(hit))?),
            LinePlace::Object => match &hit.value {
                Scalar::Text(name) => {
                    if let Some(id) = kept_id(name).filter(|id| !may_name(id)) {
                        return Err(FileMistake::Object { line, id: id.into() });
                    }
                }
                Scalar::Long => return Err(odd_at(hit)),
                _ => {}
            },
            LinePlace::Further => {}
        }
    }
    if models.is_empty() {
        return Err(FileMistake::NoModel { line });
    }
    let further = named_models::in_found(found, places.before_further());
    models.extend(further.map_err(|unreadable| odd(unreadable.member))?);
    Ok(LineRead { models, limit, candidates: candidates.unwrap_or(1).clamp(1, MAX_CANDIDATES) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_types::contract::about::{BodyKind, Face, ModelPlace, ModelPointer, Operation};

    fn places() -> Arc<LinePlaces> {
        let plain = Face::unread("f", Operation::Other("x".into()), "POST", "/x".to_owned());
        let model = ModelPointer { pointer: "/up/*/call/brain".into(), prefix: "b/".into() };
        let object_ids = vec!["/up/*/call/things/*".to_owned()];
        let [output_limit, candidates] = ["/up/*/call/most", "/up/*/call/times"].map(|place| vec![place.to_owned()]);
        let model = vec![ModelPlace::Pointer(model)];
        let face = Face { body: BodyKind::Raw, model, object_ids, output_limit, candidates, ..plain };
        Arc::new(LinePlaces::new(&face).unwrap())
    }

    /// What is known of a file, cut into pieces of this size.
    fn read_of(is_bound: bool, file: &str, size: usize) -> RequestFile {
        let form =
            format!("--x\r\ncontent-disposition: form-data; name=\"up\"; filename=\"f\"\r\n\r\n{file}\r\n--x--\r\n");
        let owners = Arc::new(Owners::new(1 << 16));
        owners.keep(crate::provenance::ObjectKind::Object, b"thing-1", &"t".into());
        let reader = FileReader { owners: &owners, tenant: &"t".into(), is_bound };
        let mut scan = FileScan::new(&places(), "multipart/form-data; boundary=x", reader);
        form.as_bytes().chunks(size).for_each(|piece| scan.push(piece));
        scan.finish()
    }

    fn read(file: &str, size: usize) -> (Vec<(String, u64)>, Option<FileMistake>) {
        let file = read_of(true, file, size);
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
    fn what_requests_ask_for_is_summed_by_model_wherever_the_form_is_cut() {
        let call =
            |model: &str, more: &str| format!(r#"{{"call":{{"brain":"{model}"{more}}},"x":"{}"}}"#, "y".repeat(97));
        let lines = [
            call("a", r#","most":100"#),
            call("a", r#","most":"50","times":3,"most":null"#),
            call("b", ""),
            call("b", r#","times":2,"models":["a","b"]"#),
        ];
        let file = lines.join("\n");
        let input = |at: usize| lines[at].len().div_ceil(4) as u64;
        for size in [1, 3, 50, 10_000] {
            let read = read_of(false, &file, size);
            let asks: Vec<(&str, Asks)> = read.models().iter().map(|named| (&*named.name, named.asks)).collect();
            let of_a = Asks { requests: 2, input: input(0) + input(1) + input(3), output: 250, unlimited: 2 };
            let of_b = Asks { requests: 2, input: input(2) + input(3), output: 0, unlimited: 3 };
            assert_eq!(asks, [("a", of_a), ("b", of_b)], "{size}");
            assert_eq!(read.mistake(), None);
        }
        let odd = read_of(false, &call("a", r#","most":"many""#), 100);
        assert_eq!(odd.mistake(), Some(&FileMistake::Odd { line: 1, member: "most".into() }));
    }

    #[test]
    fn only_the_rights_of_a_bound_client_depend_on_objects_and_on_other_ends_of_lines() {
        for line in
            [r#"{"call":{"brain":"a","things":["thing-2"]}}"#, "{\"call\":{\"brain\":\"a\",\"text\":\"\u{2028}\"}}"]
        {
            let [bound, free] = [true, false].map(|is_bound| read_of(is_bound, line, 100));
            assert!(bound.mistake().is_some() && free.mistake().is_none(), "{line}");
            assert!(bound.is_bound() && !free.is_bound());
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
