//! Finds the ids of objects that an answer made, in chunked bytes: the members `id`, and those whose names end in
//! `_id`, of the outermost objects. Texts of a client or a model are nested deeper, or in strings.

/// The most bytes of an id that belongs to a client. Some services give the whole state of a task as its id.
pub(crate) const LONGEST_ID: usize = 512;

/// Which ids of an answer count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Ids in members `id`.
    Own,
    /// All members: `id`, and those whose names end in `_id`.
    All,
    /// Ids in members `id`, and behind the last slash in members `name`.
    OwnOrName,
}

/// Scans an answer piece by piece.
#[derive(Debug)]
pub(super) struct MadeScanner {
    /// The greatest depth of an object that counts.
    deepest: u32,
    wanted: Wanted,
    /// Names of members with ids of what the object was made of.
    inputs: Vec<String>,
    depth: u32,
    place: Place,
    /// The string that is being read.
    text: Vec<u8>,
    /// Whether the last string may be the name of a member that counts.
    name: bool,
    /// Whether the value of such a member is expected next.
    expects: bool,
    /// Whether that member is a `name`, which is one of an object only if it has a slash.
    is_path: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Outside,
    Inside,
    Escaped,
}

impl MadeScanner {
    /// A scanner for answers whose outermost objects have at most this depth.
    pub(super) fn new(deepest: u32, wanted: Wanted) -> Self {
        let (inputs, place, text) = (Vec::new(), Place::Outside, Vec::new());
        Self { deepest, wanted, inputs, depth: 0, place, text, name: false, expects: false, is_path: false }
    }

    /// Leaves out ids in members of these names: the object was made of what they name.
    pub(super) fn without(mut self, inputs: Vec<String>) -> Self {
        self.inputs = inputs;
        self
    }

    /// Scans the next piece.
    pub(super) fn push(&mut self, bytes: &[u8], found: &mut dyn FnMut(&[u8])) {
        for byte in bytes {
            match (self.place, byte) {
                (Place::Outside, b'"') => {
                    self.place = Place::Inside;
                    self.text.clear();
                }
                (Place::Outside, _) => self.outside(*byte),
                (Place::Inside, b'"') => {
                    self.place = Place::Outside;
                    self.string_ended(found);
                }
                (Place::Inside, b'\\') => {
                    self.place = Place::Escaped;
                    self.take(b'\\');
                }
                (Place::Inside, _) => self.take(*byte),
                (Place::Escaped, _) => {
                    self.place = Place::Inside;
                    self.take(*byte);
                }
            }
        }
    }

    fn outside(&mut self, byte: u8) {
        match byte {
            b'{' | b'[' => self.depth = self.depth.saturating_add(1),
            b'}' | b']' => self.depth = self.depth.saturating_sub(1),
            b':' => {
                self.expects = std::mem::take(&mut self.name);
                return;
            }
            b' ' | b'\t' | b'\r' | b'\n' => return,
            _ => {}
        }
        (self.name, self.expects) = (false, false);
    }

    fn take(&mut self, byte: u8) {
        // A longer string is neither an id nor a name that counts.
        if self.text.len() <= LONGEST_ID {
            self.text.push(byte);
        }
    }

    fn string_ended(&mut self, found: &mut dyn FnMut(&[u8])) {
        let is_near = (1..=self.deepest).contains(&self.depth);
        if std::mem::take(&mut self.expects) {
            let id = if self.is_path { behind_slash(&self.text) } else { Some(&*self.text) };
            if let Some(id) = id.filter(|_| is_near && self.text.len() <= LONGEST_ID) {
                found(id);
            }
            return;
        }
        self.is_path = self.wanted == Wanted::OwnOrName && self.text == b"name";
        let is_other = self.wanted == Wanted::All && self.text.ends_with(b"_id");
        let is_input = || self.inputs.iter().any(|name| name.as_bytes() == self.text);
        self.name = self.text == b"id" || self.is_path || is_other && !is_input();
    }
}

/// What stands behind the last slash of a name.
fn behind_slash(name: &[u8]) -> Option<&[u8]> {
    let at = name.iter().rposition(|byte| *byte == b'/')?;
    name.get(at + 1..)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(text: &str, deepest: u32, wanted: Wanted) -> Vec<String> {
        let all = |pieces: &mut dyn Iterator<Item = &[u8]>| {
            let (mut scanner, mut ids) = (MadeScanner::new(deepest, wanted), Vec::new());
            pieces.for_each(|piece| {
                scanner.push(piece, &mut |id| ids.push(String::from_utf8_lossy(id).into_owned()));
            });
            ids
        };
        let whole = all(&mut std::iter::once(text.as_bytes()));
        assert_eq!(all(&mut text.as_bytes().chunks(1)), whole, "wherever it is cut");
        whole
    }

    #[test]
    fn the_ids_of_the_outermost_object_are_found_and_no_others() {
        let text = r#"{"object":"batch", "id" : "batch-1","input_file_id":"file-1","metadata":{"id":"of-another"},
            "output":[{"id":"item-1","text":"\"id\":\"written\""}],"errors":null,"output_file_id":"file-2","valid":"id"}"#;
        assert_eq!(ids(text, 1, Wanted::All), ["batch-1", "file-1", "file-2"]);
        assert_eq!(ids(text, 1, Wanted::Own), ["batch-1"]);
        let (mut scanner, mut made) =
            (MadeScanner::new(1, Wanted::All).without(vec!["input_file_id".into()]), Vec::new());
        scanner.push(text.as_bytes(), &mut |id| made.push(id.to_vec()));
        assert_eq!(made, [b"batch-1".to_vec(), b"file-2".to_vec()]);
        assert_eq!(ids(r#"{"id":7,"x":"y"}"#, 1, Wanted::All), [""; 0]);
        assert_eq!(ids(r#"["id","x",{"id":["x"]}]"#, 2, Wanted::All), [""; 0]);
        let named =
            r#"{"name":"a name","file_id":"file-1","id":"id-1","name":"things/of/thing-1","x":{"name":"things/2"}}"#;
        assert_eq!(ids(named, 1, Wanted::OwnOrName), ["id-1", "thing-1"]);
        assert_eq!(ids(named, 1, Wanted::Own), ["id-1"]);
    }

    #[test]
    fn long_ids_are_found_up_to_a_bound() {
        let of_length = |length: usize| ids(&format!(r#"{{"id":"{}"}}"#, "x".repeat(length)), 1, Wanted::Own);
        assert_eq!(of_length(LONGEST_ID), ["x".repeat(LONGEST_ID)]);
        assert!(of_length(LONGEST_ID + 1).is_empty());
    }

    #[test]
    fn in_a_stream_the_object_is_inside_its_event() {
        let text = "event: begun\ndata: {\"type\":\"begun\",\"response\":{\"id\":\"resp-1\",\"metadata\":{\"id\":\"x\"}}}\n\n\
                    event: more\ndata: {\"type\":\"more\",\"item\":{\"id\":\"item-1\"}}\n\n";
        assert_eq!(ids(text, 2, Wanted::Own), ["resp-1", "item-1"]);
    }
}
