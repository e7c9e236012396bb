//! Placeholders that stand for masked values during one exchange, so that an answer can have the values again. They are
//! known from the memo of that exchange alone: what stands in another one's texts means nothing.

use serde::{Deserialize, Serialize};

use super::{Asked, Found, texts};

/// The label of a placeholder that is found in an answer.
pub const RESTORED: &str = "restored";
/// The most values of one exchange. Further ones are masked for good.
const MAX_VALUES: usize = 1000;

/// The most bytes of a placeholder before its tag.
const MAX_PLACEHOLDER_BYTES: usize = 80;

/// The placeholders of one exchange.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Placeholders {
    /// What the placeholders of this exchange have, and none of its texts.
    tag: String,
    /// Each with the value that it stands for.
    known: Vec<(String, String)>,
}

impl Placeholders {
    /// No placeholder yet, for a request with these texts.
    pub fn new(request_id: &str, asked: &mut Asked) -> Self {
        let mut number = 0;
        loop {
            let tag = format!("{:08x}", digest(request_id, number));
            let mut is_free = true;
            texts::visit(asked, &mut |text| is_free &= !text.as_str().contains(&tag));
            if is_free {
                return Self { tag, known: Vec::new() };
            }
            number += 1;
        }
    }

    /// Reads those of the exchange that this memo is of; none if it has none.
    pub fn read(memo: &str) -> Self {
        serde_json::from_str(memo).unwrap_or_default()
    }

    /// The memo of the exchange.
    pub fn memo(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// What stands for a value with this label: the same for equal values.
    pub fn stand_for(&mut self, label: &str, value: &str) -> String {
        if let Some((placeholder, _)) = self.known.iter().find(|(_, known)| known == value) {
            return placeholder.clone();
        }
        if self.known.len() == MAX_VALUES {
            return format!("[{label}]");
        }
        let placeholder = format!("[{label}-{}-{}]", self.known.len() + 1, self.tag);
        self.known.push((placeholder.clone(), value.to_owned()));
        placeholder
    }

    /// The placeholders in a text, in order.
    pub fn find(&self, text: &str) -> Vec<Found> {
        if self.is_empty() {
            return Vec::new();
        }
        let closing = format!("-{}]", self.tag);
        let place = |(at, closing): (usize, &str)| {
            let end = at + closing.len();
            let from = text.floor_char_boundary(at.saturating_sub(MAX_PLACEHOLDER_BYTES));
            let start = from + text.get(from..at)?.rfind('[')?;
            self.value(text.get(start..end)?).map(|_| Found { range: start..end, label: RESTORED.to_owned() })
        };
        text.match_indices(&closing).filter_map(place).collect()
    }

    /// The value that a placeholder stands for.
    pub fn value(&self, placeholder: &str) -> Option<&str> {
        self.known.iter().find(|(known, _)| known == placeholder).map(|(_, value)| value.as_str())
    }
}

/// FNV-1a of an id and a number, to 32 bits.
fn digest(id: &str, number: u32) -> u32 {
    let bytes = id.bytes().chain(number.to_le_bytes());
    bytes.fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_placeholder_is_known_in_its_exchange_only() {
        let asked = || Asked::Other("{}".to_owned());
        let mut one = Placeholders::new("a", &mut asked());
        let first = one.stand_for("email", "jane@example.org");
        assert_eq!(one.stand_for("email", "jane@example.org"), first);
        let second = one.stand_for("phone", "+4930901820");
        assert_ne!(first, second);
        let text = format!("é {first}, {second} and [{first}");
        let known = Placeholders::read(&one.memo());
        let values: Vec<&str> =
            known.find(&text).into_iter().map(|found| known.value(&text[found.range]).unwrap()).collect();
        assert_eq!(values, ["jane@example.org", "+4930901820", "jane@example.org"]);
        let mut other = Placeholders::new("b", &mut asked());
        other.stand_for("email", "joe@example.org");
        assert_eq!(other.find(&text), []);
        assert!(Placeholders::read("").find(&text).is_empty());
    }

    #[test]
    fn no_text_of_the_request_looks_like_a_placeholder() {
        let taken = Placeholders::new("a", &mut Asked::Other("{}".to_owned())).tag;
        let mut asked = Asked::Other(format!("{{\"x\":\"[email-1-{taken}]\"}}"));
        assert_ne!(Placeholders::new("a", &mut asked).tag, taken);
    }

    #[test]
    fn the_number_of_values_is_bounded() {
        let mut all = Placeholders::new("a", &mut Asked::Other("{}".to_owned()));
        for number in 0..=MAX_VALUES {
            all.stand_for("email", &number.to_string());
        }
        assert_eq!((all.known.len(), all.stand_for("email", "more")), (MAX_VALUES, "[email]".to_owned()));
    }
}
