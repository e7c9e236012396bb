//! Hides credentials in answers of providers: some repeat the key that they refuse, whole, truncated, or with its
//! middle replaced.
//!
//! Each hidden byte becomes a star, so that announced lengths stay right. A text that does not look like a key
//! (`not-needed`) is hidden in errors only, because normal answers may contain it.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use aho_corasick::packed;
use http::{HeaderMap, HeaderValue};
use memchr::memmem::{self, Finder};

use super::encode_segment;
use weir_config::secret::Secret;

/// Minimum length of a secret to be searched for, in bytes.
const MIN_SECRET_BYTES: usize = 8;
/// Minimum length of a random secret whose parts are searched for, too, in bytes.
const MIN_IN_PARTS: usize = 16;
/// Length from which any text counts as a key, in bytes.
const LONG: usize = 24;
/// Maximum length of a filler in place of a key's middle, in bytes.
const FILLER: usize = 128;
/// Minimum length of a key's start that is not taken for a coincidence, in bytes.
const BEGINNING: usize = 4;
/// The byte that replaces a hidden one.
const COVER: u8 = b'*';

/// Secrets that must appear in no answer. Clones share them.
#[derive(Clone, Default)]
pub struct Redactor(Arc<SecretSet>);

/// The secrets of one redactor.
#[derive(Default)]
struct SecretSet {
    hidden: Vec<Hidden>,
    /// Finds whether there is a piece of any of the secrets, in one pass over a text: nearly always there is none.
    any: Option<packed::Searcher>,
    /// The least that any of the secrets must show to be hidden, in bytes.
    least: usize,
}

/// Which secrets are searched for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All secrets: for errors.
    All,
    /// Only secrets that are certainly keys: for normal answers.
    Keys,
}

impl Scope {
    /// The scope for an answer of this status.
    pub fn of(status: http::StatusCode) -> Self {
        if status.as_u16() >= 400 { Self::All } else { Self::Keys }
    }
}

/// A secret in JSON that is safe within a page, as some libraries write it by default: `+` as `\u002B`.
fn escaped(secret: &str, is_upper: bool) -> String {
    let spelled = |letter: char| match letter {
        '+' | '&' | '\'' | '<' | '>' | '=' if is_upper => format!("\\u{:04X}", u32::from(letter)),
        '+' | '&' | '\'' | '<' | '>' | '=' => format!("\\u{:04x}", u32::from(letter)),
        _ => letter.to_string(),
    };
    secret.chars().map(spelled).collect()
}

impl Redactor {
    /// Creates a redactor over these secrets, as they are and as they are written in urls and in JSON.
    pub fn of<'a>(secrets: impl IntoIterator<Item = &'a str>) -> Self {
        let spellings = |secret: &'a str| {
            let [lower, upper] = [false, true].map(|is_upper| escaped(secret, is_upper));
            [secret.to_owned(), encode_segment(secret).into_owned(), secret.replace('/', "\\/"), lower, upper]
        };
        let mut all: Vec<String> = secrets.into_iter().flat_map(spellings).collect();
        all.sort_unstable();
        all.dedup();
        let hidden: Vec<Hidden> = all.iter().filter_map(|text| Hidden::new(text)).collect();
        let any = packed::Searcher::new(hidden.iter().flat_map(Hidden::pieces));
        let least = hidden.iter().map(|hidden| hidden.enough).min().unwrap_or_default();
        Self(Arc::new(SecretSet { hidden, any, least }))
    }

    /// Whether there is nothing to hide.
    pub fn is_empty(&self) -> bool {
        self.0.hidden.is_empty()
    }

    /// Hides the secrets in a text.
    pub fn redact(&self, text: &mut String) {
        let found = self.find(text.as_bytes(), Scope::All);
        if found.is_empty() {
            return;
        }
        let mut bytes = std::mem::take(text).into_bytes();
        cover(&mut bytes, &found);
        *text = String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
    }

    /// Hides the secrets in the values of headers.
    pub(crate) fn redact_headers(&self, headers: &mut HeaderMap, scope: Scope) {
        for value in headers.values_mut() {
            let found = self.find(value.as_bytes(), scope);
            if !found.is_empty() {
                let mut bytes = value.as_bytes().to_vec();
                cover(&mut bytes, &found);
                *value = HeaderValue::from_bytes(&bytes).unwrap_or(HeaderValue::from_static("*"));
            }
        }
    }

    /// Hides the secrets in bytes, and returns whether any was found.
    pub(crate) fn redact_bytes(&self, bytes: &mut [u8], scope: Scope) -> bool {
        let found = self.find(bytes, scope);
        cover(bytes, &found);
        !found.is_empty()
    }

    /// The ranges that must be hidden.
    pub(super) fn find(&self, bytes: &[u8], scope: Scope) -> Vec<Range<usize>> {
        let mut found = Vec::new();
        if self.0.has_none(bytes) {
            return found;
        }
        self.sought(scope).for_each(|hidden| hidden.find(bytes, &mut found));
        found
    }

    /// How many bytes at the end may be the start of a secret.
    pub(super) fn open_end(&self, bytes: &[u8], scope: Scope) -> usize {
        self.sought(scope).map(|hidden| hidden.open_end(bytes)).max().unwrap_or_default()
    }

    fn sought(&self, scope: Scope) -> impl Iterator<Item = &Hidden> {
        self.0.hidden.iter().filter(move |hidden| scope == Scope::All || hidden.is_key)
    }
}

impl SecretSet {
    /// Whether a text certainly has no piece of a secret. Short texts are left to the search for each.
    fn has_none(&self, bytes: &[u8]) -> bool {
        let long = self.any.as_ref().filter(|any| bytes.len() >= any.minimum_len());
        bytes.len() < self.least || long.is_some_and(|any| any.find(bytes).is_none())
    }
}

/// Replaces the bytes of these ranges.
pub(super) fn cover(bytes: &mut [u8], places: &[Range<usize>]) {
    for place in places {
        bytes.get_mut(place.clone()).into_iter().flatten().for_each(|byte| *byte = COVER);
    }
}

/// One spelling of one secret.
struct Hidden {
    secret: Secret,
    /// Pieces of the secret with their offsets in it. Any part of `enough` bytes contains at least one of them whole.
    anchors: Vec<(usize, Finder<'static>)>,
    /// How many bytes of the secret must be hidden, in a row or at both ends of a filler.
    enough: usize,
    /// Whether the text is certainly a key.
    is_key: bool,
}

impl Hidden {
    fn new(text: &str) -> Option<Self> {
        let len = text.len();
        if len < MIN_SECRET_BYTES {
            return None;
        }
        let is_telling = text.bytes().any(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase());
        let enough = if len >= MIN_IN_PARTS && is_random(text) { len.div_ceil(2) } else { len };
        let piece = enough.div_ceil(2);
        let mut starts: Vec<usize> = (0..=len - piece).step_by(piece).chain([len - piece]).collect();
        starts.dedup();
        let anchor = |at: usize| Some((at, Finder::new(text.as_bytes().get(at..at + piece)?).into_owned()));
        let anchors = starts.into_iter().filter_map(anchor).collect();
        Some(Self { secret: Secret::new(text), anchors, enough, is_key: is_telling || len >= LONG })
    }

    fn bytes(&self) -> &[u8] {
        self.secret.expose().as_bytes()
    }

    /// The pieces of which any part that must be hidden has one.
    fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        self.anchors.iter().map(|(_, piece)| piece.needle())
    }

    fn find(&self, hay: &[u8], found: &mut Vec<Range<usize>>) {
        if hay.len() < self.enough {
            return;
        }
        for (start, anchor) in &self.anchors {
            let hits = anchor.find_iter(hay).filter_map(|at| self.around(hay, at..at + anchor.needle().len(), *start));
            found.extend(hits);
        }
    }

    /// The range to hide around a piece of the secret found at `piece`, if enough of the secret is there.
    fn around(&self, hay: &[u8], piece: Range<usize>, start: usize) -> Option<Range<usize>> {
        let (secret, len) = (self.bytes(), piece.len());
        let (before, after) = (hay.get(..piece.start)?, hay.get(piece.end..)?);
        let left = common_end(before, secret.get(..start)?);
        let right = common_start(after, secret.get(start + len..)?);
        let (first, last) = (start - left, start + len + right);
        let (from, to) = (piece.start - left, piece.end + right);
        let run = last - first;
        // The match may continue beyond a filler that replaces the middle.
        let (fill, more) = match (first, last) {
            (0, last) if last < secret.len() => self.end_behind(hay.get(to..)?),
            (first, last) if first > 0 && last == secret.len() => self.beginning_before(hay.get(..from)?),
            _ => (0, 0),
        };
        let beside = if more > 0 { fill + more } else { 0 };
        let place = if first == 0 { from..to + beside } else { from - beside..to };
        (run + more >= self.enough).then_some(place)
    }

    /// Length of the filler at the start of a text, and of the secret's end after it.
    fn end_behind(&self, rest: &[u8]) -> (usize, usize) {
        let most = rest.iter().take(FILLER).take_while(|byte| is_filler(**byte)).count();
        // Bytes that could be filler may also belong to the secret's end.
        let ends = (1..=most).filter_map(|fill| Some((fill, longest_end(rest.get(fill..)?, self.bytes()))));
        ends.max_by_key(|(_, end)| *end).unwrap_or_default()
    }

    /// Length of the filler at the end of a text, and of the secret's start before it.
    fn beginning_before(&self, rest: &[u8]) -> (usize, usize) {
        let most = rest.iter().rev().take(FILLER).take_while(|byte| is_filler(**byte)).count();
        let starts =
            (1..=most).filter_map(|fill| Some((fill, longest_start(rest.get(..rest.len() - fill)?, self.bytes()))));
        starts.max_by_key(|(_, start)| *start).unwrap_or_default()
    }

    /// How many bytes at the end may be the start of a match.
    fn open_end(&self, hay: &[u8]) -> usize {
        let secret = self.bytes();
        if self.enough == secret.len() {
            return longest_start(hay, secret.get(..secret.len() - 1).unwrap_or_default());
        }
        let run = (1..secret.len()).filter_map(|end| secret.get(..end)).map(|until| common_end(hay, until)).max();
        let run = run.unwrap_or_default();
        let before = hay.get(..hay.len() - run).unwrap_or_default();
        let fill = before.iter().rev().take(FILLER).take_while(|byte| is_filler(**byte)).count();
        let head = longest_start(before.get(..before.len() - fill).unwrap_or_default(), secret);
        if fill > 0 && head >= BEGINNING { run + fill + head } else { run }
    }
}

/// Whether a text looks random: lower case, upper case and digits alternate. Parts of handmade secrets are words, which
/// occur in many answers.
fn is_random(text: &str) -> bool {
    let class = |byte: u8| match byte {
        b'0'..=b'9' => Some(0),
        b'a'..=b'z' => Some(1),
        b'A'..=b'Z' => Some(2),
        _ => None,
    };
    let bytes = text.as_bytes();
    let turns = |pair: &[u8]| matches!((class(pair[0]), class(pair[1])), (Some(one), Some(other)) if one != other);
    text.is_ascii() && bytes.windows(2).filter(|pair| turns(pair)).count() * 6 >= bytes.len()
}

/// Bytes that replace the middle of a key: stars, dots, crosses, and those of `…`, `•` and `●`.
fn is_filler(byte: u8) -> bool {
    matches!(byte, b'*' | b'.' | b'x' | b'X' | b'#' | b'-' | b'_' | b' ' | 0xe2 | 0x80 | 0xa6 | 0xa2 | 0x97 | 0x8f)
}

fn common_end(one: &[u8], other: &[u8]) -> usize {
    one.iter().rev().zip(other.iter().rev()).take_while(|(a, b)| a == b).count()
}

fn common_start(one: &[u8], other: &[u8]) -> usize {
    one.iter().zip(other).take_while(|(a, b)| a == b).count()
}

/// Length of the longest suffix of the secret at the start of a text.
fn longest_end(text: &[u8], secret: &[u8]) -> usize {
    let ends = (0..secret.len()).filter_map(|at| secret.get(at..));
    ends.filter(|end| text.starts_with(end)).map(<[u8]>::len).max().unwrap_or_default()
}

/// Length of the longest prefix of the secret at the end of a text.
fn longest_start(text: &[u8], secret: &[u8]) -> usize {
    let Some(last) = text.last() else { return 0 };
    let ends = memmem::find_iter(secret, std::slice::from_ref(last)).map(|at| at + 1);
    ends.filter(|end| secret.get(..*end).is_some_and(|start| text.ends_with(start))).max().unwrap_or_default()
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Redactor({} secrets)", self.0.hidden.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "sk-proj-4fK9wQ2mZt7RbX1yLc8VnA6dHs3JgE5pUo0iTqNe";

    fn hidden(text: &str) -> String {
        let mut text = text.to_owned();
        Redactor::of([KEY, "not-needed"]).redact(&mut text);
        text
    }

    #[test]
    fn a_key_is_hidden_whole_cut_short_and_with_its_middle_starred_out() {
        let (most, end) = (&KEY[..30], &KEY[30..]);
        for form in
            [KEY, most, &KEY[10..40], &format!("{most}********{}", &KEY[44..]), &format!("{}...{end}", &KEY[..12])]
        {
            let text = hidden(&format!("{{\"message\":\"key {form} is wrong\"}}"));
            assert_eq!(text, format!("{{\"message\":\"key {} is wrong\"}}", "*".repeat(form.len())), "{form}");
        }
        let dots = format!("{most}…{}", &KEY[44..]);
        assert_eq!(hidden(&dots), "*".repeat(dots.len()));
    }

    #[test]
    fn short_parts_of_a_key_are_left() {
        for text in ["sk-proj-********TqNe", "Bearer sk-proj-", "nothing", "", "********"] {
            assert_eq!(hidden(text), text);
        }
    }

    #[test]
    fn the_words_of_a_handmade_key_are_left_in_answers() {
        let redactor = Redactor::of(["KEY-OF-starling", "my-company-gateway-key-1"]);
        for text in ["{\"model\":\"starling\"}", "https://my-company-gateway.example"] {
            assert!(redactor.find(text.as_bytes(), Scope::All).is_empty(), "{text}");
        }
        assert!(!redactor.find(b"it is KEY-OF-starling", Scope::Keys).is_empty());
    }

    #[test]
    fn a_key_in_a_url_and_in_json_is_hidden() {
        let redactor = Redactor::of(["s3cret/with+signs=AND/more"]);
        for text in [
            "a=s3cret%2Fwith%2Bsigns%3DAND%2Fmore&b",
            "\"s3cret\\/with+signs=AND\\/more\"",
            "\"s3cret/with\\u002Bsigns\\u003DAND/more\"",
            "\"s3cret/with\\u002bsigns\\u003dAND/more\"",
        ] {
            let mut text = text.to_owned();
            redactor.redact(&mut text);
            assert!(!text.contains("s3cret") && !text.contains("more"), "{text}");
        }
    }

    #[test]
    fn words_that_are_not_keys_are_hidden_in_errors_only() {
        let redactor = Redactor::of(["not-needed", "short"]);
        let mut text = *b"it is not-needed in short";
        assert!(!redactor.redact_bytes(&mut text, Scope::Keys));
        assert!(redactor.redact_bytes(&mut text, Scope::All));
        assert_eq!(&text, b"it is ********** in short");
    }

    #[test]
    fn headers_keep_their_length() {
        let mut headers = HeaderMap::new();
        headers.insert("x-request-id", HeaderValue::try_from(format!("req-{KEY}")).unwrap());
        Redactor::of([KEY]).redact_headers(&mut headers, Scope::Keys);
        assert_eq!(headers["x-request-id"], format!("req-{}", "*".repeat(KEY.len())));
    }

    #[test]
    fn what_is_long_is_searched_for_every_secret() {
        let keys: Vec<String> = (0..200).map(|at| format!("sk-{at:03}-wQ2mZt7RbX1yLc8VnA6dHs3J")).collect();
        for (number, at) in
            [(1, 0), (3, 999), (60, 500), (200, 17)].into_iter().flat_map(|(n, at)| [(n, at), (n, at + 1)])
        {
            let redactor = Redactor::of(keys.iter().take(number).map(String::as_str));
            let mut text = "a quiet answer ".repeat(100);
            assert!(redactor.find(text.as_bytes(), Scope::All).is_empty());
            text.insert_str(at, &keys[number - 1]);
            redactor.redact(&mut text);
            assert!(!text.contains(&keys[number - 1][8..]) && text[at..].starts_with("*****"), "{number} {text}");
        }
    }

    #[test]
    fn a_veil_shows_nothing_of_what_it_hides() {
        assert_eq!(format!("{:?}", Redactor::of([KEY])), "Redactor(1 secrets)");
    }
}
