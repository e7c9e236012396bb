//! Recognises the frames of a stream that equal an earlier one but for the inside of a few strings and the digits of a
//! few numbers. Most frames are such: the earlier one had no value that matters, so this one has none either, and its
//! content lies in the same places.
//!
//! That the filter would find nothing follows from the bytes alone. It looks for quoted names before a colon. No such
//! name lies inside a string, which holds no quote but escaped ones; none ends with a string, behind which no colon
//! follows; no name has a colon or a comma, so none reaches over a number; and everywhere else the frame equals the
//! earlier one.

use std::ops::Range;

use super::content::Places;
use super::filter::Filter;
use crate::estimate::Content;
use crate::frame::nest::StringEnd;
use memchr::{memchr, memchr2};

/// Maximum number of places in which frames may differ.
const GAPS: usize = 4;
/// Maximum length of a frame that others are compared with, in bytes.
const MAX_FRAME_BYTES: usize = 4 << 10;
/// How many frames in a row may become the one to compare with while no other equals them.
const MAX_MISSES: u8 = 8;

/// A frame to compare others with.
#[derive(Debug)]
pub(super) struct Alike {
    frame: Vec<u8>,
    /// Where others may differ.
    gaps: Gaps,
    /// Whether no line ends in it.
    is_one_line: bool,
    /// How many frames may still be tried.
    left: u8,
}

/// A frame to compare others with, and its content.
#[derive(Debug, Default)]
pub(super) struct AlikeContent {
    alike: Alike,
    /// The gaps that are content.
    content: Range<usize>,
    /// The content of the frame without them.
    rest: Content,
}

/// Insides of strings and runs of digits, in order.
#[derive(Debug, Default)]
struct Gaps {
    ranges: [Range<usize>; GAPS],
    count: usize,
}

impl Gaps {
    fn all(&self) -> &[Range<usize>] {
        self.ranges.get(..self.count).unwrap_or_default()
    }

    /// The inside of the string at this offset, if there is one.
    fn of_text(data: &[u8], at: Option<usize>) -> Option<Self> {
        let mut gaps = Self::default();
        if let Some(start) = at.filter(|at| data.get(*at) == Some(&b'"')).map(|at| at + 1) {
            let length = StringEnd::default().find(data.get(start..)?)?;
            gaps.push(start..start + length)?;
        }
        Some(gaps)
    }

    /// Adds a range; `None` if there are too many.
    fn push(&mut self, range: Range<usize>) -> Option<()> {
        *self.ranges.get_mut(self.count)? = range;
        self.count += 1;
        Some(())
    }
}

impl Default for Alike {
    fn default() -> Self {
        Self { frame: Vec::new(), gaps: Gaps::default(), is_one_line: false, left: MAX_MISSES }
    }
}

impl Alike {
    /// Whether a frame equals the earlier one but for its gaps; `each` is given these, by their place in the list.
    #[inline]
    pub(super) fn compare(&mut self, data: &[u8], mut each: impl FnMut(usize, &[u8])) -> bool {
        let rest = if self.frame.is_empty() { None } else { self.compare_pieces(data, &mut each) };
        let is_equal = rest.is_some_and(<[u8]>::is_empty);
        if is_equal {
            self.left = MAX_MISSES;
        }
        is_equal
    }

    /// The length of the data at the start of these bytes that equal the earlier frame but for its gaps, if no line
    /// ends in them.
    #[inline]
    pub(super) fn length_at(&mut self, bytes: &[u8]) -> Option<usize> {
        if !self.is_one_line || self.frame.is_empty() {
            return None;
        }
        let mut breaks = false;
        let rest = self.compare_pieces(bytes, &mut |_, inside| breaks |= memchr2(b'\n', b'\r', inside).is_some())?;
        if breaks {
            return None;
        }
        let length = bytes.len() - rest.len();
        self.left = MAX_MISSES;
        Some(length)
    }

    /// The bytes after those that equal the earlier frame but for its gaps.
    #[inline]
    fn compare_pieces<'d>(&self, data: &'d [u8], each: &mut impl FnMut(usize, &[u8])) -> Option<&'d [u8]> {
        let (mut rest, mut from) = (data, 0);
        for (number, gap) in self.gaps.all().iter().enumerate() {
            let before = self.frame.get(from..gap.start)?;
            rest = after(rest, before)?;
            let length = if before.last() == Some(&b'"') { StringEnd::default().find(rest)? } else { digits(rest)? };
            let (inside, behind) = rest.split_at_checked(length)?;
            each(number, inside);
            (rest, from) = (behind, gap.end);
        }
        after(rest, self.frame.get(from..)?)
    }

    /// Makes a frame the pattern that others are compared with. They may differ from it where it differs from the frame
    /// before, and in the text at this offset, if `is_free` accepts the bytes in front of such a place.
    /// Returns whether it was taken.
    #[cold]
    pub(super) fn learn(&mut self, data: &[u8], text: Option<usize>, is_free: impl Fn(&[u8]) -> bool) -> bool {
        if self.left == 0 || data.len() > MAX_FRAME_BYTES {
            return false;
        }
        self.left -= 1;
        let from_before = if self.frame.is_empty() { None } else { differing(&self.frame, data, text) };
        let gaps = from_before.or_else(|| Gaps::of_text(data, text));
        let is_free = |gap: &Range<usize>| is_free(data.get(..gap.start).unwrap_or_default());
        let Some(gaps) = gaps.filter(|gaps| gaps.all().iter().all(is_free)) else { return false };
        self.frame.clear();
        self.frame.extend_from_slice(data);
        self.is_one_line = memchr2(b'\n', b'\r', data).is_none();
        self.gaps = gaps;
        true
    }
}

/// The bytes after this beginning, if they have it. Compared in place and in blocks, since the comparison of some C
/// libraries goes byte by byte.
#[inline]
fn after<'d>(data: &'d [u8], beginning: &[u8]) -> Option<&'d [u8]> {
    let (front, rest) = data.split_at_checked(beginning.len())?;
    let (blocks, tail) = front.as_chunks::<16>();
    let (expected, expected_tail) = beginning.as_chunks::<16>();
    let is_equal = blocks
        .iter()
        .zip(expected)
        .all(|(block, expected)| u128::from_ne_bytes(*block) == u128::from_ne_bytes(*expected));
    let has_tail = || tail.iter().zip(expected_tail).all(|(byte, expected)| byte == expected);
    (is_equal && has_tail()).then_some(rest)
}

impl AlikeContent {
    /// Adds the content of a frame that equals the earlier one but for its gaps. Returns false if it does not, or has
    /// no content there.
    #[inline]
    pub(super) fn weigh(&mut self, data: &[u8], content: &mut Content) -> bool {
        let (mut more, mut any) = (self.rest, self.rest != Content::default());
        let is_equal = self.alike.compare(data, |gap, inside| {
            if self.content.contains(&gap) {
                any |= more.string(inside);
            }
        });
        if is_equal && any {
            *content = content.and(more);
        }
        is_equal && any
    }

    /// The length of the data at the start of these bytes that equal the earlier frame but for its gaps.
    #[inline]
    pub(super) fn length_at(&mut self, bytes: &[u8]) -> Option<usize> {
        self.alike.length_at(bytes)
    }

    /// Takes a frame in which the filter found nothing as the one to compare others with.
    #[cold]
    pub(super) fn learn(&mut self, data: &[u8], places: &Places, filter: &Filter) {
        let Some(value) = places.value_range(data).filter(|_| filter.has_plain_names()) else { return };
        let is_free = |before: &[u8]| {
            let Some(before) = before.strip_suffix(b"\"") else { return true };
            !filter.names_value_behind(before) && !places.come_earlier(data, before.len(), value.start)
        };
        if !self.alike.learn(data, Some(value.start), is_free) {
            return;
        }
        let (mut all, mut inside) = (Content::default(), Content::default());
        places.weigh(data, &mut all);
        let gaps = self.alike.gaps.all();
        let is_content = |gap: &Range<usize>| value.start < gap.start && gap.end < value.end;
        let first = gaps.iter().position(is_content).unwrap_or_default();
        let last = gaps.iter().rposition(is_content).map_or(first, |last| last + 1);
        let content = gaps.get(first..last).unwrap_or_default();
        if content.iter().any(|gap| data.get(gap.start - 1) != Some(&b'"')) {
            // Numbers are no content.
            self.alike = Alike { left: self.alike.left, ..Alike::default() };
            return;
        }
        for gap in content {
            inside.string(data.get(gap.clone()).unwrap_or_default());
        }
        (self.rest, self.content) = (all.without(inside), first..last);
    }
}

/// The number of digits at the start, if there are any.
fn digits(data: &[u8]) -> Option<usize> {
    let count = data.iter().take_while(|byte| byte.is_ascii_digit()).count();
    (count > 0).then_some(count)
}

/// The gaps between two frames, and the text at this offset, as ranges of the second. `None` if they differ elsewhere.
fn differing(one: &[u8], other: &[u8], text: Option<usize>) -> Option<Gaps> {
    let (mut one, mut at, mut gaps) = (one, 0, Gaps::default());
    loop {
        let rest = other.get(at..)?;
        let Some(quote) = memchr(b'"', rest) else {
            return after_numbers(one, rest, at, &mut gaps)?.is_empty().then_some(gaps);
        };
        let (between, inside) = rest.split_at_checked(quote + 1)?;
        one = after_numbers(one, between, at, &mut gaps)?;
        let (string, behind) = inside.split_at_checked(StringEnd::default().find(inside)?)?;
        let (old, after) = one.split_at_checked(StringEnd::default().find(one)?)?;
        let start = at + quote + 1;
        let is_name = behind.get(1..)?.trim_ascii_start().first() == Some(&b':');
        if !is_name && (old != string || Some(start - 1) == text) {
            gaps.push(start..start + string.len())?;
        } else if old != string {
            return None;
        }
        one = after.get(1..)?;
        at = start + string.len() + 1;
    }
}

/// What follows in `one` after bytes that equal `between` but for digits. `at` is the offset of `between` in its frame.
fn after_numbers<'a>(mut one: &'a [u8], mut between: &[u8], mut at: usize, gaps: &mut Gaps) -> Option<&'a [u8]> {
    loop {
        if let Some(after) = one.strip_prefix(between) {
            return Some(after);
        }
        let equal = one.iter().zip(between).take_while(|(one, other)| one == other).count();
        let start = between.get(..equal)?.iter().rposition(|byte| !byte.is_ascii_digit()).map_or(0, |last| last + 1);
        let (old, new) = (one.get(start..)?, between.get(start..)?);
        let length = digits(new)?;
        gaps.push(at + start..at + start + length)?;
        (one, between, at) = (old.get(digits(old)?..)?, new.get(length..)?, at + start + length);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranges<'a>(one: &str, other: &'a str, text: usize) -> Option<Vec<&'a str>> {
        let gaps = differing(one.as_bytes(), other.as_bytes(), Some(text))?;
        Some(gaps.all().iter().map(|range| &other[range.clone()]).collect())
    }

    #[test]
    fn frames_may_differ_in_strings_and_digits() {
        let one = r#"{"say":"a","n":1,"id":"x"}"#;
        assert_eq!(ranges(one, r#"{"say":"b \"c\"","n":1,"id":"x"}"#, 99), Some(vec![r#"b \"c\""#]));
        assert_eq!(ranges(one, r#"{"say":"a","n":1,"id":"yy"}"#, 7), Some(vec!["a", "yy"]));
        assert_eq!(ranges(one, r#"{"say":"a","n":20,"id":"yy"}"#, 7), Some(vec!["a", "20", "yy"]));
        assert_eq!(ranges("[1.25,-3]", "[10.3,-3]", 99), Some(vec!["10", "3"]));
        assert_eq!(ranges(one, one, 99), Some(Vec::new()));
        for other in [
            r#"{"say":"a","n":null,"id":"x"}"#,
            r#"{"say":"a","n":-1,"id":"x"}"#,
            r#"{"sag":"a","n":1,"id":"x"}"#,
            r#"{"say":"a","n":1,"id":"x"} "#,
            r#"{"say":"a","n":1,"id":"x"#,
            r#"{"say":"a","n":1,"id" :"x"}"#,
            "",
        ] {
            assert_eq!(ranges(one, other, 99), None, "{other}");
        }
        let many = |word: &str| format!("[{}\"\"]", format!("\"{word}\",").repeat(GAPS + 1));
        assert_eq!(ranges(&many("a"), &many("b"), 99), None, "too many");
    }
}
