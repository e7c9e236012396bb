//! Finds ids at the places where answers have those of objects that they make, as a manifest names them: in a whole
//! answer and in each frame of a stream, in chunked bytes of any framing of text. It keeps no more than an id: frames,
//! which may be large, are not put together for it, as [`weir_wire::peek`] needs them.

use std::borrow::Cow;
use std::sync::Arc;

use memchr::memchr2;

use super::LONGEST_ID;
use weir_types::contract::about::Face;

/// The most places of a face: one bit each. The check of manifests refuses more.
const MOST: usize = 32;

/// The places of a face's answers.
#[derive(Debug, Clone)]
pub struct MadePlaces(Arc<[Vec<String>]>);

impl MadePlaces {
    /// The places that a manifest names; `None` if there are none.
    pub(crate) fn of(face: &Face) -> Option<Self> {
        let segment = |part: &str| part.replace("~1", "/").replace("~0", "~");
        let segments = |place: &str| place.split('/').skip(1).map(segment).collect();
        let places: Arc<[Vec<String>]> = face.made_ids().take(MOST).map(|(_, place)| segments(place)).collect();
        (!places.is_empty()).then_some(Self(places))
    }

    /// The places of the set that continue with this segment at this depth.
    fn going_on(&self, places: u32, depth: usize, segment: &[u8]) -> u32 {
        self.filtered(places, |place| place.get(depth).is_some_and(|part| part.as_bytes() == segment))
    }

    /// The places (a bit each) that have at least this many segments.
    fn longer(&self, places: u32, depth: usize) -> u32 {
        self.filtered(places, |place| place.len() > depth)
    }

    fn filtered(&self, places: u32, is_one: impl Fn(&[String]) -> bool) -> u32 {
        if places == 0 {
            return 0;
        }
        let bits = self.0.iter().enumerate().filter(|(number, place)| places & (1 << number) != 0 && is_one(place));
        bits.fold(0, |set, (number, _)| set | (1 << number))
    }
}

/// A container that some place leads through.
#[derive(Debug)]
struct Level {
    places: u32,
    is_array: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Text {
    Outside,
    Inside,
    Escaped,
}

/// Scans an answer piece by piece.
#[derive(Debug)]
pub(super) struct PlaceScanner {
    places: MadePlaces,
    levels: Vec<Level>,
    /// How many containers are open that no place leads through.
    skipped: u64,
    /// The places that lead to the next value.
    next: u32,
    text: Text,
    /// The string that is read: a member's name, or a value at a place.
    string: Vec<u8>,
    /// Whether the last string may be a member's name.
    is_name: bool,
}

impl PlaceScanner {
    pub(super) fn new(places: &MadePlaces) -> Self {
        let (levels, string) = (Vec::new(), Vec::new());
        let places = places.clone();
        Self { places, levels, skipped: 0, next: 0, text: Text::Outside, string, is_name: false }
    }

    /// Scans the next piece, and gives each id that it completes to `found`.
    pub(super) fn push(&mut self, bytes: &[u8], found: &mut dyn FnMut(&[u8])) {
        let mut rest = bytes;
        while let Some((byte, behind)) = rest.split_first() {
            rest = match self.text {
                Text::Outside => {
                    self.outside(*byte);
                    behind
                }
                Text::Escaped => {
                    self.text = Text::Inside;
                    self.keep(&[*byte]);
                    behind
                }
                Text::Inside => self.inside(rest, found),
            };
        }
    }

    /// Reads on in a string, up to its end or to an escape. Returns what is left.
    fn inside<'a>(&mut self, rest: &'a [u8], found: &mut dyn FnMut(&[u8])) -> &'a [u8] {
        let Some(at) = memchr2(b'"', b'\\', rest) else {
            self.keep(rest);
            return &[];
        };
        let (piece, behind) = rest.split_at(at);
        self.keep(piece);
        match behind.split_first() {
            Some((b'"', behind)) => {
                self.text = Text::Outside;
                self.string_ended(found);
                behind
            }
            Some((_, behind)) => {
                self.text = Text::Escaped;
                self.keep(b"\\");
                behind
            }
            None => behind,
        }
    }

    /// Keeps a part of a string, up to a byte more than ids and names have.
    fn keep(&mut self, piece: &[u8]) {
        if self.skipped == 0 {
            let room = (LONGEST_ID + 1).saturating_sub(self.string.len());
            self.string.extend_from_slice(piece.get(..room).unwrap_or(piece));
        }
    }

    fn outside(&mut self, byte: u8) {
        match byte {
            // Around the objects of a stream there are no strings.
            b'"' if !self.levels.is_empty() || self.skipped > 0 => {
                self.text = Text::Inside;
                self.string.clear();
            }
            b'{' | b'[' => self.open(byte == b'['),
            b'}' | b']' => self.close(),
            b',' if self.skipped == 0 => self.expect_value(),
            b':' if self.skipped == 0 && self.is_name => {
                let (depth, places) = (self.levels.len(), self.levels.last().map_or(0, |level| level.places));
                self.next = self.places.going_on(places, depth.saturating_sub(1), &self.string);
                self.is_name = false;
            }
            _ => {}
        }
    }

    fn open(&mut self, is_array: bool) {
        if self.skipped > 0 {
            self.skipped += 1;
            return;
        }
        let depth = self.levels.len();
        let places = if depth == 0 { u32::MAX } else { self.next };
        let places = self.places.longer(places, depth);
        if places == 0 {
            self.skipped = 1;
            return;
        }
        self.levels.push(Level { places, is_array });
        self.expect_value();
    }

    fn close(&mut self) {
        if self.skipped > 0 {
            self.skipped -= 1;
        } else {
            self.levels.pop();
        }
        (self.next, self.is_name) = (0, false);
    }

    /// The next value is an array's element, or a member whose name comes first.
    fn expect_value(&mut self) {
        let depth = self.levels.len().saturating_sub(1);
        let of_array = self.levels.last().filter(|level| level.is_array).map_or(0, |level| level.places);
        (self.next, self.is_name) = (self.places.going_on(of_array, depth, b"*"), false);
    }

    fn string_ended(&mut self, found: &mut dyn FnMut(&[u8])) {
        if self.skipped > 0 {
            return;
        }
        let depth = self.levels.len();
        let is_id = self.places.filtered(self.next, |place| place.len() == depth) != 0;
        if is_id && (1..=LONGEST_ID).contains(&self.string.len()) {
            found(&unescaped(&self.string));
        }
        self.is_name = self.next == 0;
        self.next = 0;
    }
}

/// A string's content as its reader has it, without escapes, which some servers write for signs such as `=`.
fn unescaped(string: &[u8]) -> Cow<'_, [u8]> {
    if !string.contains(&b'\\') {
        return Cow::Borrowed(string);
    }
    let text = [b"\"", string, b"\""].concat();
    serde_json::from_slice::<String>(&text).map_or(Cow::Borrowed(string), |text| Cow::Owned(text.into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_types::contract::about::Operation;

    fn ids(places: &[&str], text: &str) -> Vec<String> {
        let plain = Face::unread("f", Operation::Chat, "POST", "/x".to_owned());
        let object_ids = places.iter().map(|place| format!("{{ask}}{place}")).collect();
        let places = MadePlaces::of(&Face { object_ids, ..plain }).unwrap();
        let all = |size: usize| {
            let (mut scanner, mut ids) = (PlaceScanner::new(&places), Vec::new());
            let mut found = |id: &[u8]| ids.push(String::from_utf8_lossy(id).into_owned());
            text.as_bytes().chunks(size).for_each(|piece| scanner.push(piece, &mut found));
            ids
        };
        let whole = all(text.len());
        assert_eq!(all(1), whole, "wherever it is cut");
        assert_eq!(all(7), whole, "wherever it is cut");
        whole
    }

    #[test]
    fn ids_are_found_at_their_places_and_nowhere_else() {
        let text = r#"{"id":"no","list":[{"x":"no","said":{"data":"\"id\":\"no\"","id" : "sound-1","deeper":{"id":"no"}},"id":"no"},
            {"said":{"id":"sound-2"}},{"said":null},{"said":[{"id":"no"}]},{"args":{"list":[{"said":{"id":"no"}}]}}],
            "said":{"id":"no"},"box":{"id":"box-1"},"many":["a-1",["no"],{"id":"no"},"a-2"],"one":7,"none":"no"}"#;
        let places = ["/list/*/said/id", "/box/id", "/many/*"];
        assert_eq!(ids(&places, text), ["sound-1", "sound-2", "box-1", "a-1", "a-2"]);
        assert!(ids(&["/list/id", "/none/id", "/"], text).is_empty());
    }

    #[test]
    fn each_frame_of_a_stream_is_an_answer() {
        let text = ": a \" in a comment\n\nevent: begin\ndata: {\"part\":{\"id\":\"x-1\"}}\n\ndata: {\"part\":\ndata: {\"id\":\"x-2\",\n\
                    data: \"more\":[[[{\"part\":{\"id\":\"no\"}}]]]}}\n\ndata: [DONE]\n\ndata: {\"part\":{\"id\":\"x-3\"}}\n\n";
        assert_eq!(ids(&["/part/id"], text), ["x-1", "x-2", "x-3"]);
    }

    #[test]
    fn an_id_is_found_as_its_reader_has_it() {
        let text = r#"{"id":"a\u003d\/b\\"}{"id":"broken\x"}{"\u0069d":"no"}"#;
        assert_eq!(ids(&["/id"], text), [r"a=/b\", r"broken\x"]);
    }

    #[test]
    fn long_strings_are_no_ids() {
        let of_length = |length: usize| ids(&["/id"], &format!(r#"{{"id":"{}"}}"#, "x".repeat(length)));
        assert_eq!(of_length(LONGEST_ID), ["x".repeat(LONGEST_ID)]);
        assert!(of_length(LONGEST_ID + 1).is_empty() && of_length(0).is_empty());
    }
}
