//! Reads what many answers used that stand in a list of one answer, such as a finished batch that brings its results
//! itself. Each element is an answer by itself, as each line is for [`EachTap`]; neither the list nor an element is
//! kept, however long. The list may have several places, of which the first that has one counts: answers repeat it.

use super::{CompiledTap, EachTap, ModelUse};
use weir_types::contract::about::{
    FrameTest, PointerBound, PointerEquals, PointerValues, Tap, UnitPlace, UnitSource, UsagePlace,
};

/// A longer name than this is none of a path's, in bytes.
const MAX_NAME: usize = 128;

/// What a tap says of the elements of the list that all of its figures are in.
#[derive(Debug)]
pub(super) struct Elements {
    /// The places of the list, as the names of the members that lead to it, outermost first.
    paths: Vec<Vec<String>>,
    /// Reads one element.
    tap: CompiledTap,
}

impl Elements {
    /// The tap for one element of the list; `None` if the figures are not all in one element, or differ by its place.
    pub(super) fn of(tap: &Tap) -> Option<Self> {
        let mut lists: Vec<&str> = Vec::new();
        for pointer in tap.usage.iter().flat_map(|place| &place.pointers) {
            let (list, _) = pointer.split_once("/*/")?;
            if !lists.contains(&list) {
                lists.push(list);
            }
        }
        let of_list = |list: &&str| of_element(tap, &format!("{list}/*"));
        let of_first = lists.first().map(of_list)?;
        let is_same = |list: &&str| of_list(list).usage == of_first.usage;
        if !lists.iter().all(is_same) || tap.usage.iter().any(|place| !place.headers.is_empty()) {
            return None;
        }
        let paths = lists.iter().map(|list| names(list)).collect::<Option<_>>()?;
        Some(Self { paths, tap: CompiledTap::new(&of_first).ok()? })
    }
}

/// The names of the members that a pointer leads through.
fn names(pointer: &str) -> Option<Vec<String>> {
    let names = pointer.strip_prefix('/')?.split('/');
    Some(names.map(|name| name.replace("~1", "/").replace("~0", "~")).collect())
}

/// A pointer as it is within an element of the list.
fn within(at: &str, pointer: &str) -> Option<String> {
    pointer.strip_prefix(at).filter(|rest| rest.starts_with('/')).map(str::to_owned)
}

fn of_element(tap: &Tap, at: &str) -> Tap {
    let all = |pointers: &[String]| pointers.iter().filter_map(|pointer| within(at, pointer)).collect::<Vec<_>>();
    let usage = |place: &UsagePlace| UsagePlace { pointers: all(&place.pointers), ..place.clone() };
    let units = |place: &UnitPlace| {
        let source = match &place.source {
            UnitSource::Number(pointers) => UnitSource::Number(all(pointers)),
            UnitSource::Matches(test) => UnitSource::Matches(test_within(at, test)?),
        };
        Some(UnitPlace { source, ..place.clone() })
    };
    let region = |place: &PointerValues| Some(PointerValues { pointer: within(at, &place.pointer)?, ..place.clone() });
    Tap {
        usage: tap.usage.iter().map(usage).collect(),
        units: tap.units.iter().filter_map(units).collect(),
        model: all(&tap.model),
        service_tier: all(&tap.service_tier),
        batch: tap.batch.iter().filter_map(|test| test_within(at, test)).collect(),
        region: tap.region.iter().filter_map(region).collect(),
        ..Tap::default()
    }
}

fn test_within(at: &str, test: &FrameTest) -> Option<FrameTest> {
    let bound = |one: &PointerBound| Some(PointerBound { pointer: within(at, &one.pointer)?, ..one.clone() });
    Some(match test {
        FrameTest::Event(_) | FrameTest::Data(_) => return None,
        FrameTest::Present(pointer) => FrameTest::Present(within(at, pointer)?),
        FrameTest::Fractional(pointer) => FrameTest::Fractional(within(at, pointer)?),
        FrameTest::Equals(one) => {
            FrameTest::Equals(PointerEquals { pointer: within(at, &one.pointer)?, ..one.clone() })
        }
        FrameTest::OtherThan(one) => {
            FrameTest::OtherThan(PointerValues { pointer: within(at, &one.pointer)?, ..one.clone() })
        }
        FrameTest::Above(one) => FrameTest::Above(bound(one)?),
        FrameTest::Below(one) => FrameTest::Below(bound(one)?),
    })
}

/// Follows the answers in the list of an answer.
#[derive(Debug)]
pub struct ListTap {
    /// One for each place of the list.
    places: Vec<(Cutter, EachTap)>,
}

impl ListTap {
    /// Creates the state for the start of an answer; `None` if the tap's figures are not all in one list.
    pub fn new(tap: &CompiledTap) -> Option<Self> {
        let Elements { paths, tap } = &**tap.elements.as_ref()?;
        let places = paths.iter().map(|path| (Cutter::new(path.clone()), EachTap::new(tap)));
        Some(Self { places: places.collect() })
    }

    /// Takes the next chunk.
    pub fn push(&mut self, chunk: &[u8]) {
        for (cutter, each) in &mut self.places {
            cutter.push(chunk, |piece, has_ended| {
                each.push_line(piece);
                if has_ended {
                    each.end_line();
                }
            });
        }
    }

    /// What all elements have used; `None` if there was no such list, or it was cut off.
    pub fn finish(self) -> Option<Vec<ModelUse>> {
        let (_, each) = self.places.into_iter().find(|(cutter, _)| cutter.list == ListPlace::Behind)?;
        each.finish()
    }
}

/// Cuts the elements of one list out of JSON that comes in pieces.
#[derive(Debug)]
struct Cutter {
    path: Vec<String>,
    /// How many objects and lists are open, and how many of the path's members lead to the innermost of them that is on
    /// it.
    depth: usize,
    matched: usize,
    place: Place,
    /// The string that is being read, where it may be the name of a member of the path.
    name: Vec<u8>,
    /// Whether the last string was the path's next name, and whether its value is expected next.
    is_name: bool,
    expects: bool,
    list: ListPlace,
}

/// Where the scan is, seen from the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ListPlace {
    Before,
    Within,
    Behind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Outside,
    Inside,
    Escaped,
}

/// What a byte does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Goes,
    /// Opens the list.
    Opens,
    /// Ends an element.
    Ends,
}

impl Cutter {
    fn new(path: Vec<String>) -> Self {
        Self {
            path,
            depth: 0,
            matched: 0,
            place: Place::Outside,
            name: Vec::new(),
            is_name: false,
            expects: false,
            list: ListPlace::Before,
        }
    }

    /// Gives the pieces of elements to `out`, and whether each is the last of its element.
    fn push(&mut self, chunk: &[u8], mut out: impl FnMut(&[u8], bool)) {
        let mut begun = self.is_in_list().then_some(0);
        for (at, byte) in chunk.iter().enumerate() {
            match self.step(*byte) {
                Step::Goes => continue,
                Step::Opens => {}
                Step::Ends => out(begun.and_then(|from| chunk.get(from..at)).unwrap_or_default(), true),
            }
            begun = self.is_in_list().then_some(at + 1);
        }
        if let Some(rest) = begun.and_then(|from| chunk.get(from..)) {
            out(rest, false);
        }
    }

    fn step(&mut self, byte: u8) -> Step {
        match (self.place, byte) {
            (Place::Outside, b'"') => {
                self.place = Place::Inside;
                self.expects = false;
                self.name.clear();
            }
            (Place::Outside, _) => return self.outside(byte),
            (Place::Inside, b'"') => {
                self.place = Place::Outside;
                let next = self.path.get(self.matched).filter(|_| self.is_on_path());
                self.is_name = next.is_some_and(|next| next.as_bytes() == self.name);
            }
            (Place::Inside, _) => {
                self.place = if byte == b'\\' { Place::Escaped } else { Place::Inside };
                if self.name.len() <= MAX_NAME && self.is_on_path() {
                    self.name.push(byte);
                }
            }
            (Place::Escaped, _) => self.place = Place::Inside,
        }
        Step::Goes
    }

    fn is_in_list(&self) -> bool {
        self.list == ListPlace::Within
    }

    /// Whether the innermost open object is one that the path leads through.
    fn is_on_path(&self) -> bool {
        !self.is_in_list() && self.depth == self.matched + 1
    }

    fn outside(&mut self, byte: u8) -> Step {
        let (expects, is_name) = (std::mem::take(&mut self.expects), std::mem::take(&mut self.is_name));
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' => (self.expects, self.is_name) = (expects, is_name),
            b':' => self.expects = is_name,
            b'{' | b'[' => {
                self.depth += 1;
                let is_last = self.matched + 1 == self.path.len();
                if expects && byte == b'{' && !is_last {
                    self.matched += 1;
                } else if expects && byte == b'[' && is_last {
                    self.list = ListPlace::Within;
                    return Step::Opens;
                }
            }
            b'}' | b']' => {
                self.depth = self.depth.saturating_sub(1);
                if self.is_in_list() && self.depth == self.path.len() {
                    self.list = ListPlace::Behind;
                    return Step::Ends;
                }
                if !self.is_in_list() && self.matched > 0 && self.depth == self.matched {
                    self.matched -= 1;
                }
            }
            b',' if self.is_in_list() && self.depth == self.path.len() + 1 => return Step::Ends,
            _ => {}
        }
        Step::Goes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tap::each::tests::{Summed, shown};
    use crate::tap::tests::place;
    use weir_types::contract::about::{Bucket, Merge};

    fn tap() -> CompiledTap {
        let of = |bucket, member: &str| {
            let [first, copy] = ["/done/all", "/copy"].map(|list| format!("{list}/*/it/usage/{member}"));
            place(bucket, &[&first, &copy], Merge::Sum, &[])
        };
        CompiledTap::new(&Tap {
            usage: vec![of(Bucket::Input, "in"), of(Bucket::Output, "out")],
            model: vec!["/done/all/*/it/model".into()],
            batch: vec![FrameTest::Present("/done/all/*/it".into()), FrameTest::Present("/elsewhere".into())],
            ..Tap::default()
        })
        .unwrap()
    }

    /// What is read of a text, wherever the bytes are cut.
    fn read(text: &str) -> Option<Vec<Summed>> {
        let all = |pieces: &mut dyn Iterator<Item = &[u8]>| {
            let mut list = ListTap::new(&tap()).unwrap();
            pieces.for_each(|piece| list.push(piece));
            list.finish()
        };
        let whole = all(&mut std::iter::once(text.as_bytes()));
        assert_eq!(all(&mut text.as_bytes().chunks(1)), whole, "wherever it is cut");
        Some(shown(whole?))
    }

    fn element(model: &str, input: u32) -> String {
        format!(
            r#" {{"it": {{"model":"{model}","text":"\"done\":{{\"all\":[1,2]}}\\","usage":{{"in":{input},"out":1}}}},"x":[1,[2]]}}"#
        )
    }

    #[test]
    fn every_element_counts_for_its_own_model_however_many_there_are() {
        let failed = r#"{"error":{"message":"usage, ]}"}}"#.to_owned();
        let mut elements = vec![element("m", 3), failed, element("n", 7)];
        elements.extend(std::iter::repeat_n(element("m", 1), 1_000));
        let list = elements.join(",");
        let text = format!(
            r#"{{"name":"done","no":{{"all":[{{"it":{{"usage":{{"in":9}}}}}}]}},"all":[9], "done" : {{"x":"all","all" :
            [{list} ] , "more":[{{}}]}},"all":[1],"copy":[{list}]}}"#
        );
        let sums = [("m".into(), Some(1_003), Some(1_001), Some(true)), ("n".into(), Some(7), Some(1), Some(true))];
        assert_eq!(read(&text).unwrap(), sums);
        assert_eq!(read(&format!(r#"{{"copy":[{list}]}}"#)).unwrap(), sums);
    }

    #[test]
    fn an_answer_without_the_list_has_no_sum_and_an_empty_list_has_an_empty_one() {
        for text in ["{}", r#"{"done":{"all":{}}}"#, r#"{"done":["all",[1]]}"#, r#"{"done":{"x":{"all":[1]}}}"#] {
            assert_eq!(read(text), None, "{text}");
        }
        assert_eq!(read(r#"{"done":{"all":[]}}"#), Some(Vec::new()));
        assert_eq!(read(&format!(r#"{{"done":{{"all":[{},"#, element("m", 3))), None, "it breaks off");
    }

    #[test]
    fn figures_outside_of_one_list_have_no_elements() {
        for pointers in [vec!["/usage/in"], vec!["/a/*/in", "/b/*/other"], vec!["/a/*/in", "/in"], vec![]] {
            let usage = pointers.iter().map(|pointer| place(Bucket::Input, &[pointer], Merge::Sum, &[])).collect();
            assert!(ListTap::new(&CompiledTap::new(&Tap { usage, ..Tap::default() }).unwrap()).is_none());
        }
    }
}
