//! Blob tokens: large base64 values stay out of the sandbox.
//!
//! Before a body enters a component, string values of long base64 (whole, or after the head of a data URL) are replaced
//! by short unguessable tokens; the values are put back into the rendered request. A token only counts at the end of a
//! JSON string value, so a component can move it, but can neither read its value nor hide it in other text. The value
//! may be one of JSON within a string, as a call's arguments are: base64 needs no escape there.

use bytes::{Bytes, BytesMut};
use memchr::memmem;

use weir_types::contract::types::Blob;

/// When values are lifted, and how much of them a component may use.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Minimum length of a lifted value, in bytes.
    pub min_len: usize,
    /// How often one token may be put back.
    pub max_uses: usize,
    /// Maximum length of the spliced body, in bytes.
    pub max_len: usize,
}

/// Why a body cannot be spliced.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BlobError {
    /// A token occurs too often.
    #[error("the adapter used one blob more than {0} times")]
    Repeated(usize),
    /// The spliced body would be too long.
    #[error("the rendered body is longer than {0} bytes")]
    TooLong(usize),
    /// The system provides no random bytes for a nonce.
    #[error("no random bytes for a blob token: {0}")]
    Random(String),
}

/// The values lifted out of one body.
#[derive(Debug, Clone, Default)]
pub struct Lifted {
    nonce: String,
    values: Vec<Bytes>,
    heads: Vec<String>,
}

/// The most bytes of padding at the end of a value.
const PADDING: usize = 2;
/// How many first characters of a value an adapter may see.
const HEAD: usize = 64;
/// Number of hexadecimal digits in a token.
const DIGITS: usize = 4;
/// How a string value ends: in JSON, in JSON within a string of JSON, and in such within a string once more.
const ENDS: [&[u8]; 3] = [b"\"", b"\\\"", b"\\\\\\\""];

impl Lifted {
    /// Whether nothing was lifted.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Lifts one more value, which is not from the body, and returns its token.
    pub fn add(&mut self, value: Bytes) -> Result<String, BlobError> {
        if self.nonce.is_empty() {
            self.nonce = nonce()?;
        }
        let token = self.token(self.values.len());
        self.heads.push(head(&value));
        self.values.push(value);
        Ok(token)
    }

    /// Puts a token's value into base64's standard alphabet, with its padding. This is for media, which some clients
    /// send in the alphabet of URLs; what an issuer takes back unedited only must stay. Returns the bytes copied.
    pub fn standardise(&mut self, token: &str) -> usize {
        let Some(at) = self.number(token) else { return 0 };
        let (Some(value), Some(known)) = (self.values.get_mut(at), self.heads.get_mut(at)) else { return 0 };
        let Some(standard) = standard(value) else { return 0 };
        *known = head(&standard);
        *value = Bytes::from(standard);
        value.len()
    }

    /// How many values were lifted.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// The value that a token stands for.
    pub fn value(&self, token: &str) -> Option<&Bytes> {
        self.values.get(self.number(token)?)
    }

    /// The number of the value that a token stands for.
    fn number(&self, token: &str) -> Option<usize> {
        usize::from_str_radix(token.strip_prefix(self.nonce.as_str()).filter(|_| !self.is_empty())?, 16).ok()
    }

    /// Describes the blobs for the adapter's context.
    pub fn describe(&self) -> Vec<Blob> {
        let blob = |(at, value): (usize, &Bytes)| Blob {
            token: self.token(at),
            length: u32::try_from(value.len()).unwrap_or(u32::MAX),
            head: self.heads.get(at).cloned().unwrap_or_default(),
        };
        self.values.iter().enumerate().map(blob).collect()
    }

    /// Puts the values back, in chunks that share memory with the body they came from.
    pub fn splice(&self, rendered: &Bytes, limits: &Limits) -> Result<Vec<Bytes>, BlobError> {
        if self.is_empty() {
            return Ok(vec![rendered.clone()]);
        }
        let finder = memmem::Finder::new(self.nonce.as_bytes());
        let mut chunks = Vec::new();
        let mut uses = vec![0usize; self.values.len()];
        let (mut from, mut total) = (0, rendered.len());
        for start in finder.find_iter(rendered) {
            let digits = start + self.nonce.len();
            let Some(value) = self.value_at(rendered, digits) else { continue };
            let count = uses.get_mut(value.0).map_or(0, |count| {
                *count += 1;
                *count
            });
            total += value.1.len();
            if count > limits.max_uses {
                return Err(BlobError::Repeated(limits.max_uses));
            }
            if total > limits.max_len {
                return Err(BlobError::TooLong(limits.max_len));
            }
            chunks.push(rendered.slice(from..start));
            chunks.push(value.1.clone());
            from = digits + DIGITS;
        }
        chunks.push(rendered.slice(from..));
        Ok(chunks)
    }

    /// The value whose number is at `at`, provided that the string value ends after it.
    fn value_at(&self, rendered: &[u8], at: usize) -> Option<(usize, &Bytes)> {
        let digits = std::str::from_utf8(rendered.get(at..at + DIGITS)?).ok()?;
        let number = usize::from_str_radix(digits, 16).ok()?;
        let after = rendered.get(at + DIGITS..)?;
        ENDS.iter().any(|end| after.starts_with(end)).then_some(())?;
        Some((number, self.values.get(number)?))
    }

    fn token(&self, number: usize) -> String {
        format!("{}{number:04x}", self.nonce)
    }
}

/// Lifts the long base64 values out of a JSON body. Returns the body unchanged if there are none.
pub fn lift(body: &Bytes, limits: &Limits) -> Result<(Bytes, Lifted), BlobError> {
    let mut lifted = Lifted::default();
    if !may_hold(body, limits.min_len) {
        return Ok((body.clone(), lifted));
    }
    let mut out = BytesMut::new();
    let mut from = 0;
    for (start, end) in Strings::new(body) {
        if end - start < limits.min_len || lifted.values.len() >= 1 << (4 * DIGITS) {
            continue;
        }
        let Some(skip) = base64_tail(&body[start..end]).filter(|skip| end - start - skip >= limits.min_len) else {
            continue;
        };
        if lifted.nonce.is_empty() {
            lifted.nonce = nonce()?;
        }
        let value = body.slice(start + skip..end);
        out.extend_from_slice(&body[from..start + skip]);
        out.extend_from_slice(lifted.token(lifted.values.len()).as_bytes());
        lifted.heads.push(head(&value));
        lifted.values.push(value);
        from = end;
    }
    if lifted.is_empty() {
        return Ok((body.clone(), lifted));
    }
    out.extend_from_slice(&body[from..]);
    Ok((out.freeze(), lifted))
}

/// The first characters of a value.
fn head(value: &[u8]) -> String {
    String::from_utf8_lossy(&value[..HEAD.min(value.len())]).into_owned()
}

/// Base64 of either alphabet in the standard one, with its padding; `None` if it is that already.
fn standard(value: &[u8]) -> Option<Vec<u8>> {
    // The remainder of 1 is no base64.
    let missing = match value.len() % 4 {
        2 if !value.ends_with(b"=") => 2,
        3 if !value.ends_with(b"=") => 1,
        _ => 0,
    };
    if missing == 0 && memchr::memchr2(b'-', b'_', value).is_none() {
        return None;
    }
    let mut standard = Vec::with_capacity(value.len() + missing);
    standard.extend(value.iter().map(|byte| match byte {
        b'-' => b'+',
        b'_' => b'/',
        other => *other,
    }));
    standard.resize(value.len() + missing, b'=');
    Some(standard)
}

/// Whether a text may hold a base64 value of this length. It looks at single bytes so far apart that one of them is in
/// any such value, and at what is around them: text has a space or a quote near by.
fn may_hold(text: &[u8], min_len: usize) -> bool {
    // The last two bytes of a value may be padding.
    let least = min_len.saturating_sub(PADDING).max(1);
    let run = |at: usize| {
        let (before, after) = text.split_at(at);
        let (before, after) = (before.iter().rev().take(least), after.iter().take(least));
        before.take_while(|byte| is_base64(**byte)).count() + after.take_while(|byte| is_base64(**byte)).count()
    };
    text.len() >= min_len && (0..text.len()).step_by(least).any(|at| run(at) >= least)
}

/// Whether a byte is in base64's alphabet, either of the two.
fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_')
}

/// The unguessable prefix of a token, in base64's own alphabet so that it looks like base64 to an adapter.
fn nonce() -> Result<String, BlobError> {
    let mut random = [0u8; 16];
    getrandom::fill(&mut random).map_err(|error| BlobError::Random(error.to_string()))?;
    Ok(format!("weirblob{:032x}", u128::from_le_bytes(random)))
}

/// Prefix of values that an adapter wrapped to travel through a client: `weir` in base64. Adapters must be able to read
/// them.
const WRAPPED: &[u8] = b"d2Vpci";

/// Start of the base64 in a string value: 0, or after a data URL's head; `None` if it is not base64.
fn base64_tail(value: &[u8]) -> Option<usize> {
    let skip = if value.starts_with(b"data:") {
        let head = value.get(..256.min(value.len()))?;
        memmem::find(head, b";base64,")? + b";base64,".len()
    } else {
        0
    };
    let tail = value.get(skip..)?;
    if tail.starts_with(WRAPPED) {
        return None;
    }
    let padding = tail.iter().rev().take(PADDING).take_while(|byte| **byte == b'=').count();
    let text = tail.get(..tail.len() - padding)?;
    text.iter().all(|byte| is_base64(*byte)).then_some(skip)
}

/// Iterates over the ranges of the string tokens in a JSON text (keys too), without their quotes.
struct Strings<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Strings<'a> {
    fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0 }
    }
}

impl Iterator for Strings<'_> {
    type Item = (usize, usize);
    fn next(&mut self) -> Option<(usize, usize)> {
        let start = self.at + memchr::memchr(b'"', self.text.get(self.at..)?)? + 1;
        let mut at = start;
        loop {
            at += memchr::memchr2(b'"', b'\\', self.text.get(at..)?)?;
            if self.text.get(at) == Some(&b'"') {
                self.at = at + 1;
                return Some((start, at));
            }
            at += 2;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { min_len: 32, max_uses: 2, max_len: 10_000 };

    fn long(n: usize) -> String {
        "QUJD".repeat(n)
    }

    fn joined(chunks: &[Bytes]) -> String {
        String::from_utf8(chunks.concat()).unwrap()
    }

    #[test]
    fn values_that_an_adapter_wrapped_stay() {
        use base64::Engine as _;
        let wrapped = base64::engine::general_purpose::STANDARD.encode(format!("weir.zeta.e..{}", long(300)));
        let body = Bytes::from(format!("{{\"signature\":\"{wrapped}\"}}"));
        let (same, lifted) = lift(&body, &LIMITS).unwrap();
        assert_eq!(same, body);
        assert!(lifted.is_empty());
    }

    #[test]
    fn lifted_values_are_put_back() {
        let body = format!(r#"{{"a":"{}==","b":"data:image/png;base64,{}","c":"short"}}"#, long(20), long(30));
        let body = Bytes::from(body);
        let (small, lifted) = lift(&body, &LIMITS).unwrap();
        assert!(small.len() < 200);
        assert!(String::from_utf8_lossy(&small).contains("data:image/png;base64,weirblob"));
        assert_eq!(lifted.describe().len(), 2);
        assert_eq!(lifted.describe()[0].length, 82);
        assert!(lifted.describe()[1].head.starts_with("QUJDQUJD"));
        assert_eq!(joined(&lifted.splice(&small, &LIMITS).unwrap()).as_bytes(), &body[..]);
    }

    #[test]
    fn media_are_put_back_in_the_standard_alphabet_and_other_values_as_they_came() {
        let of_urls = format!("_9j_-A{}", long(20));
        let body = Bytes::from(format!(r#"{{"image":"{of_urls}","signature":"{of_urls}","c":"{}"}}"#, long(10)));
        let (small, mut lifted) = lift(&body, &LIMITS).unwrap();
        let tokens: Vec<String> = lifted.describe().into_iter().map(|blob| blob.token).collect();
        assert_eq!([lifted.standardise(&tokens[0]), lifted.standardise(&tokens[2])], [of_urls.len() + 2, 0]);
        assert_eq!(lifted.standardise("YSxi") + lifted.standardise(&tokens[0]) + Lifted::default().standardise("0"), 0);
        assert!(lifted.describe()[0].head.starts_with("/9j/+AQUJD"));
        let expected = format!(r#"{{"image":"/9j/+A{}==","signature":"{of_urls}","c":"{}"}}"#, long(20), long(10));
        assert_eq!(joined(&lifted.splice(&small, &LIMITS).unwrap()), expected);
    }

    #[test]
    fn text_that_is_not_base64_stays() {
        let body = Bytes::from(format!(r#"{{"a":"{} words","b":"x\"{}"}}"#, long(20), long(20)));
        let (small, lifted) = lift(&body, &LIMITS).unwrap();
        assert!(lifted.is_empty());
        assert_eq!(small, body);
    }

    #[test]
    fn a_value_is_found_wherever_it_stands() {
        for length in [LIMITS.min_len - 1, LIMITS.min_len, LIMITS.min_len + 1] {
            for padding in ["", "=", "=="] {
                for before in 0..2 * LIMITS.min_len {
                    let value = format!("{}{padding}", &long(20)[..length - padding.len()]);
                    let body = format!(r#"{{"a":"{}","b":"{value}","c":"and some text"}}"#, "a ".repeat(before));
                    let (_, lifted) = lift(&Bytes::from(body), &LIMITS).unwrap();
                    assert_eq!(!lifted.is_empty(), length >= LIMITS.min_len, "{value} after {before}");
                }
            }
        }
    }

    #[test]
    fn a_token_inside_other_text_is_left_alone() {
        let body = Bytes::from(format!(r#"{{"a":"{}"}}"#, long(20)));
        let (_, lifted) = lift(&body, &LIMITS).unwrap();
        let token = &lifted.describe()[0].token;
        let rendered = Bytes::from(format!(r#"{{"a":"{token} and more"}}"#));
        assert_eq!(joined(&lifted.splice(&rendered, &LIMITS).unwrap()).as_bytes(), &rendered[..]);
    }

    #[test]
    fn a_token_may_be_repeated_only_a_few_times() {
        let body = Bytes::from(format!(r#"{{"a":"{}"}}"#, long(20)));
        let (_, lifted) = lift(&body, &LIMITS).unwrap();
        let token = &lifted.describe()[0].token;
        let rendered = Bytes::from(format!(r#"["{token}","{token}","{token}"]"#));
        assert_eq!(lifted.splice(&rendered, &LIMITS), Err(BlobError::Repeated(2)));
    }

    #[test]
    fn the_spliced_body_obeys_the_limit() {
        let body = Bytes::from(format!(r#"{{"a":"{}"}}"#, long(3000)));
        let (_, lifted) = lift(&body, &LIMITS).unwrap();
        let rendered = Bytes::from(format!(r#"["{}"]"#, lifted.describe()[0].token));
        assert_eq!(lifted.splice(&rendered, &LIMITS), Err(BlobError::TooLong(10_000)));
    }

    #[test]
    fn broken_json_does_no_harm() {
        for text in ["\"", "{\"a\":\"\\", "\"\\\"", "{\"a\":\"QUJD"] {
            assert!(lift(&Bytes::from(text.repeat(40)), &LIMITS).is_ok());
        }
    }
}
