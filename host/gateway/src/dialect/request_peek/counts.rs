//! How much a request asks for: numbers in it, and lists of which each element is answered by itself.

use bytes::Bytes;

use super::wrong;
use weir_types::contract::about::{BodyKind, Face};
use weir_types::fault::Fault;
use weir_wire::peek::{Found, Limits, Peek, Pointers, Scalar, Wanted};

/// The most elements of a list that are reserved for; no provider takes as many prompts.
pub(super) const MAX_LISTED: usize = 2_048;
/// How a pointer ends that stands for each element of a list.
const EACH: &str = "/*";

/// Limits of a scan. What is beyond them is dropped.
const LIMITS: Limits =
    Limits { depth: 256, hits: MAX_LISTED, drop_excess: true, text_bytes: 1, utf8: false, variants: false };

/// Whether candidates are made for each element of the list at this pointer, rather than that it states their number.
pub(super) fn is_list(pointer: &str) -> bool {
    pointer.ends_with(EACH)
}

/// Lists of which each element gets candidates of its own. They are looked for by themselves, since they may be long.
#[derive(Debug)]
pub(super) struct Lists {
    pointers: Pointers,
    count: usize,
}

impl Lists {
    /// The lists that a manifest names; `None` if it names none.
    pub(super) fn new(face: &Face) -> Option<Self> {
        let mut wanted = Wanted::default();
        let lists = face.candidates.iter().filter(|pointer| is_list(pointer));
        let count = lists.map(|pointer| wanted.add(pointer)).max()? + 1;
        let pointers = (face.body == BodyKind::Json).then(|| wanted.compile().ok()).flatten()?;
        Some(Self { pointers, count })
    }

    /// The number of elements, at least one. A list of numbers is one element: the tokens of a text.
    pub(super) fn elements(&self, body: &[Bytes]) -> u64 {
        let mut peek = Peek::new(&self.pointers, LIMITS);
        for chunk in body {
            peek.push(chunk);
        }
        let found = peek.so_far();
        let is_element = |value: &Scalar| !matches!(value, Scalar::Null | Scalar::Bool(_) | Scalar::Number(_));
        let hits = (0..self.count).flat_map(|pointer| found.all(pointer));
        hits.filter(|hit| is_element(&hit.value)).count().clamp(1, MAX_LISTED) as u64
    }
}

/// Reads the number at these pointers: the greatest of several, since a server may use any of them.
pub(super) fn greatest_number(found: &Found, pointers: &[usize]) -> Result<Option<u64>, Fault> {
    let mut greatest = None;
    for hit in pointers.iter().flat_map(|pointer| found.all(*pointer)) {
        let pointer = || found.pointers().text(hit.pointer).unwrap_or_default();
        greatest = greatest.max(number(&hit.value).map_err(|NotANumber| wrong(pointer(), "must be a number"))?);
    }
    Ok(greatest)
}

/// A value is not a number where one has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotANumber;

/// The number that a value is, if it is not null; none if it is negative.
pub(crate) fn number(value: &Scalar) -> Result<Option<u64>, NotANumber> {
    let count = match value {
        Scalar::Null => return Ok(None),
        Scalar::Number(_) => value.as_count(),
        // Some servers accept numbers written as strings.
        Scalar::Text(text) if text.trim().parse::<f64>().is_ok() => Scalar::Number(text.trim().to_owned()).as_count(),
        _ => return Err(NotANumber),
    };
    Ok(count.map(u64::from))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};
    use weir_types::contract::about::Operation;

    fn elements(prompt: &Value) -> u64 {
        let plain = Face::unread("f", Operation::Chat, "POST", "/x".to_owned());
        let candidates = ["/n", "/prompt/*"].map(str::to_owned).to_vec();
        let lists = Lists::new(&Face { body: BodyKind::Json, candidates, ..plain }).unwrap();
        lists.elements(&[json!({ "prompt": prompt, "n": 3, "other": ["a", "b"] }).to_string().into()])
    }

    #[test]
    fn each_text_and_each_list_of_tokens_is_an_element() {
        let long = "x".repeat(5_000);
        for (prompt, expected) in [
            (json!("a"), 1),
            (json!(null), 1),
            (json!([]), 1),
            (json!(["a"]), 1),
            (json!(["a", "", long]), 3),
            (json!([1, 2, 3]), 1),
            (json!([[1, 2], [3]]), 2),
            (json!(vec!["a"; 5_000]), MAX_LISTED as u64),
            (json!(vec![7; 50_000]), 1),
        ] {
            assert_eq!(elements(&prompt), expected, "{prompt}");
        }
    }
}
