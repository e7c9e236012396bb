//! Skips frames without relevant values, without a scan.
//!
//! A frame needs a scan only if one of the pointers' names occurs in it, with a value that could matter. Most frames of
//! a stream have these names with `null`, or not at all, and searching for all names at once takes less than a tenth
//! of the time of a scan.
//!
//! The price: in streams, a name spelled with escapes (`"us\u0061ge"`) is missed. No provider does that.

use crate::peek::{Scalar, Test};
use aho_corasick::packed::Searcher;
use memchr::memmem::Finder;
use weir_types::contract::about::FrameTest;

/// Names to search for, both while they are collected and in use.
#[derive(Debug, Default)]
pub(super) struct Filter {
    needles: Vec<Needle>,
    /// Pointers of figures, for which common names are chosen.
    figures: Vec<Vec<String>>,
    /// Whether some pointer has no name at all, so that every frame passes.
    everything: bool,
    /// Finds all names in one pass; `None` before it is built, and for processors that cannot.
    together: Option<Searcher>,
}

#[derive(Debug, Clone)]
struct Needle {
    /// The name with its quotes.
    finder: Finder<'static>,
    /// Values that matter; `None` means any except null.
    values: Vec<Option<Scalar>>,
}

impl Filter {
    /// Adds a pointer with a value that matters; `None` means any except null.
    pub(super) fn value(&mut self, pointer: &str, value: Option<Scalar>) {
        match names(pointer).pop() {
            Some(name) => self.needle(&name, value),
            None => self.everything = true,
        }
    }

    /// Adds the pointer of a test.
    pub(super) fn test(&mut self, source: &FrameTest, test: &Test) {
        match (source, test) {
            (FrameTest::Equals(equals), Test::Equals(_, value)) => self.value(&equals.pointer, Some(value.clone())),
            (FrameTest::Present(pointer) | FrameTest::Fractional(pointer), _) => self.value(pointer, None),
            (FrameTest::OtherThan(values), _) => self.value(&values.pointer, None),
            (FrameTest::Above(limit) | FrameTest::Below(limit), _) => self.value(&limit.pointer, None),
            _ => {}
        }
    }

    /// Adds the pointers of figures. Most of them are in one object, whose name then covers all of them.
    pub(super) fn figures(&mut self, pointers: &[String]) {
        self.figures.extend(pointers.iter().map(|pointer| names(pointer)));
    }

    /// Builds the filter from the pointers collected so far.
    pub(super) fn build(&self) -> Self {
        let mut built = Self { needles: self.needles.clone(), everything: self.everything, ..Self::default() };
        let mut open: Vec<&Vec<String>> = self.figures.iter().collect();
        while let Some(first) = open.first() {
            // The name shared by most of them; of several, the innermost.
            let shared = |name: &&String| open.iter().filter(|names| names.contains(name)).count();
            let Some(name) = first.iter().max_by_key(shared).cloned() else {
                built.everything = true;
                break;
            };
            open.retain(|names| !names.contains(&name));
            built.needle(&name, None);
        }
        if built.needles.len() > 1 {
            built.together = Searcher::new(built.needles.iter().map(|needle| needle.finder.needle()));
        }
        built
    }

    /// Whether the data may contain a relevant value.
    pub(super) fn passes(&self, data: &[u8]) -> bool {
        if self.everything {
            return true;
        }
        let Some(together) = &self.together else { return self.needles.iter().any(|needle| needle.passes(data)) };
        let mut found = together.find_iter(data);
        found.any(|name| {
            let needle = self.needles.get(name.pattern().as_usize());
            needle.is_some_and(|needle| needle.may_matter(data.get(name.end()..).unwrap_or_default()))
        })
    }

    /// Whether the value behind these data may be one that matters, since they end with one of the names and its colon.
    pub(super) fn names_value_behind(&self, data: &[u8]) -> bool {
        let Some(name) = data.trim_ascii_end().strip_suffix(b":").map(<[u8]>::trim_ascii_end) else { return false };
        self.needles.iter().any(|needle| name.ends_with(needle.finder.needle()))
    }

    /// Whether no name has an escape, a colon or a comma, so that it is found only where a whole string equals it.
    pub(super) fn has_plain_names(&self) -> bool {
        let is_plain = |needle: &Needle| !needle.finder.needle().iter().any(|byte| matches!(byte, b'\\' | b':' | b','));
        !self.everything && self.needles.iter().all(is_plain)
    }

    fn needle(&mut self, name: &str, value: Option<Scalar>) {
        let quoted = serde_json::Value::from(name).to_string();
        let known = self.needles.iter_mut().find(|needle| needle.finder.needle() == quoted.as_bytes());
        match known {
            Some(needle) if needle.values.contains(&value) => {}
            Some(needle) => needle.values.push(value),
            None => self.needles.push(Needle { finder: Finder::new(&quoted).into_owned(), values: vec![value] }),
        }
    }
}

impl Needle {
    fn passes(&self, data: &[u8]) -> bool {
        let length = self.finder.needle().len();
        self.finder.find_iter(data).any(|at| self.may_matter(data.get(at + length..).unwrap_or_default()))
    }

    /// Whether the data behind the name begin with a value that matters.
    fn may_matter(&self, behind: &[u8]) -> bool {
        let value = behind.trim_ascii_start().strip_prefix(b":").map(<[u8]>::trim_ascii_start);
        value.is_some_and(|value| self.values.iter().any(|wanted| could_be(value, wanted.as_ref())))
    }
}

/// The names in a pointer, outermost first. Numbers are left out, because they may be indices.
pub(super) fn names(pointer: &str) -> Vec<String> {
    let segments = pointer.split('/').skip(1).filter(|segment| *segment != "*" && segment.parse::<u32>().is_err());
    segments.map(|segment| segment.replace("~1", "/").replace("~0", "~")).collect()
}

/// Whether the value that starts here could be the wanted one, judged by its first bytes.
fn could_be(value: &[u8], wanted: Option<&Scalar>) -> bool {
    let empty = |open, close| {
        let inside = value.strip_prefix(open).map(<[u8]>::trim_ascii_start);
        inside.is_some_and(|inside| inside.starts_with(close))
    };
    match wanted {
        None => !value.starts_with(b"null"),
        Some(Scalar::Null) => value.starts_with(b"null"),
        Some(Scalar::Bool(true)) => value.starts_with(b"true"),
        Some(Scalar::Bool(false)) => value.starts_with(b"false"),
        Some(Scalar::Number(_)) => value.first().is_some_and(|first| matches!(first, b'-' | b'0'..=b'9')),
        Some(Scalar::Text(text)) => value.strip_prefix(b"\"").is_some_and(|value| could_be_text(value, text)),
        Some(Scalar::Object { .. }) => empty(b"{", b"}"),
        Some(Scalar::Array { .. }) => empty(b"[", b"]"),
        Some(Scalar::Long) => false,
    }
}

/// Whether a string could be this text; a string with escapes always could.
fn could_be_text(value: &[u8], text: &str) -> bool {
    let start = value.get(..text.len()).unwrap_or(value);
    start == text.as_bytes() && value.get(text.len()) == Some(&b'"') || start.contains(&b'\\')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_together_as_they_are_one_by_one() {
        let mut filter = Filter::default();
        for (pointer, value) in
            [("/a/bill", None), ("/state", Some(Scalar::Bool(true))), ("/x/state", None), ("/kind", Some(Scalar::Null))]
        {
            filter.value(pointer, value);
        }
        let (apart, together) = (Filter { together: None, ..filter.build() }, filter.build());
        assert!(together.together.is_some() || cfg!(not(any(target_arch = "x86_64", target_arch = "aarch64"))));
        let long = format!("{{\"text\":\"{}\",\"bill\" : 3}}", "word ".repeat(50));
        for (data, passes) in [
            (r#"{"bill":null,"state":null,"other":"a text that is long enough to be searched by blocks"}"#, false),
            (r#"{"bill":null,"state":false}"#, true),
            (r#"{"kind": null}"#, true),
            (r#"{"kind":"bill","of":"state"}"#, false),
            (r#"{"kind":"a","bill":{}}"#, true),
            ("", false),
            (&long, true),
        ] {
            assert_eq!(together.passes(data.as_bytes()), passes, "{data}");
            assert_eq!(apart.passes(data.as_bytes()), passes, "{data}");
        }
    }
}
