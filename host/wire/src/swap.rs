//! Replaces string values in a JSON body that passes in pieces. Everything else stays as it is, to the byte.
//!
//! A string is held until its end, and the space behind it until the next byte, which tells a value from a name. So no
//! more than [`HELD`] bytes are held; a longer string passes as it is. What is not JSON passes too, since nothing is
//! checked.

use std::fmt;

/// Most bytes of a string that may be replaced, with its quotes and the space behind it.
const HELD: usize = 4 << 10;

/// What a value becomes; `None` if it stays.
type Replace = dyn Fn(&str) -> Option<String> + Send + Sync;

/// Follows one body.
pub struct StringSwap {
    /// How strings that may be replaced begin.
    start: &'static str,
    replace: Box<Replace>,
    /// The bytes that are held.
    held: Vec<u8>,
    state: State,
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    Outside,
    /// Within a string that is held.
    Held {
        escaped: bool,
    },
    /// Within a string that passes.
    Passing {
        escaped: bool,
    },
    /// Behind a string, of so many bytes, that becomes this one if it is no name.
    Behind {
        length: usize,
        new: String,
    },
}

impl StringSwap {
    /// Replaces strings as `replace` says, which sees them decoded. Only those that begin with `start` are looked at.
    pub fn new(start: &'static str, replace: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        Self { start, replace: Box::new(replace), held: Vec::new(), state: State::Outside }
    }

    /// Takes the next piece, and returns what goes on of the body.
    pub fn push(&mut self, piece: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.held.len() + piece.len());
        for byte in piece {
            self.take(*byte, &mut out);
        }
        out
    }

    /// Ends the body, and returns the rest of it.
    pub fn finish(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        self.settle(true, &mut out);
        out
    }

    fn take(&mut self, byte: u8, out: &mut Vec<u8>) {
        match &mut self.state {
            State::Outside => self.outside(byte, out),
            State::Passing { escaped } => {
                out.push(byte);
                if ends(escaped, byte) {
                    self.state = State::Outside;
                }
            }
            State::Held { escaped } => {
                self.held.push(byte);
                let (is_over, escaped) = (ends(escaped, byte), *escaped);
                if is_over {
                    self.end_string(out);
                } else if self.held.len() > HELD || !self.may_be_replaced() {
                    out.append(&mut self.held);
                    self.state = State::Passing { escaped };
                }
            }
            State::Behind { .. } if byte.is_ascii_whitespace() && self.held.len() < HELD => self.held.push(byte),
            State::Behind { .. } => {
                self.settle(byte != b':' && !byte.is_ascii_whitespace(), out);
                self.outside(byte, out);
            }
        }
    }

    fn outside(&mut self, byte: u8, out: &mut Vec<u8>) {
        if byte == b'"' {
            self.held.push(byte);
            self.state = State::Held { escaped: false };
        } else {
            out.push(byte);
        }
    }

    /// Whether the string that is held begins as one that may be replaced.
    fn may_be_replaced(&self) -> bool {
        self.held.iter().skip(1).zip(self.start.as_bytes()).all(|(byte, wanted)| byte == wanted)
    }

    fn end_string(&mut self, out: &mut Vec<u8>) {
        let text: Option<String> = serde_json::from_slice(&self.held).ok();
        let new = text.filter(|text| text.starts_with(self.start)).and_then(|text| (self.replace)(&text));
        if let Some(new) = new {
            self.state = State::Behind { length: self.held.len(), new: serde_json::Value::from(new).to_string() };
        } else {
            out.append(&mut self.held);
            self.state = State::Outside;
        }
    }

    /// Lets go what is held.
    fn settle(&mut self, is_value: bool, out: &mut Vec<u8>) {
        if let State::Behind { length, new } = &self.state
            && is_value
        {
            out.extend_from_slice(new.as_bytes());
            out.extend_from_slice(self.held.get(*length..).unwrap_or_default());
            self.held.clear();
        }
        out.append(&mut self.held);
        self.state = State::Outside;
    }
}

/// Whether a string ends with this byte.
fn ends(escaped: &mut bool, byte: u8) -> bool {
    let is_escaped = std::mem::replace(escaped, byte == b'\\' && !*escaped);
    byte == b'"' && !is_escaped
}

impl fmt::Debug for StringSwap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StringSwap").field("held", &self.held.len()).field("state", &self.state).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What becomes of a body, wherever it is cut.
    fn swapped(body: &str) -> String {
        let all = |pieces: &mut dyn Iterator<Item = &[u8]>| {
            let mut swap = StringSwap::new("http", |text| Some(format!("own{}", text.strip_prefix("http://far")?)));
            let mut out: Vec<u8> = pieces.flat_map(|piece| swap.push(piece)).collect();
            out.extend(swap.finish());
            String::from_utf8(out).unwrap()
        };
        let whole = all(&mut std::iter::once(body.as_bytes()));
        for length in [1, 2, 7] {
            assert_eq!(all(&mut body.as_bytes().chunks(length)), whole, "pieces of {length}");
        }
        whole
    }

    #[test]
    fn values_are_replaced_and_nothing_else() {
        for (body, expected) in [
            (r#"{ "a" : "http://far/x" , "b":1}"#, r#"{ "a" : "own/x" , "b":1}"#),
            (r#"["http://far/x","http://far/\"y","http://far"]"#, r#"["own/x","own/\"y","own"]"#),
            (r#"{"a":"http:\/\/far\/x"}"#, r#"{"a":"own/x"}"#),
            ("\"http://far/x\" \n", "\"own/x\" \n"),
            ("[[[\"http://far/x\"\r\n]]]", "[[[\"own/x\"\r\n]]]"),
        ] {
            assert_eq!(swapped(body), expected, "{body}");
        }
    }

    #[test]
    fn what_is_a_name_or_begins_otherwise_or_is_not_json_stays() {
        for body in [
            r#"{"http://far/x":1,"http://far/y" : [2.50, "\u0068ttp://far/z", "see http://far/x"]}"#,
            r#"{"a":"http://near/x","b":"HTTP://far/x","c":"\\","d":"\"http://far/x\""}"#,
            r#"http://far/x "http://far/x"#,
            "{\"a\":\"http://far/x\u{1}\",\"b\":\"http:\\q//far\"}",
            r#""http"#,
            "",
        ] {
            assert_eq!(swapped(body), body, "{body}");
        }
    }

    #[test]
    fn no_string_is_held_without_bound() {
        let long = format!(r#"["http://far/{}","http://far/x"]"#, "y".repeat(HELD));
        assert_eq!(swapped(&long), long.replace("http://far/x", "own/x"));
        let spaced = format!("[\"http://far/x\"{}]", " ".repeat(2 * HELD));
        assert_eq!(swapped(&spaced), spaced, "it may be a name");
        let mut swap = StringSwap::new("http", |_| None);
        swap.push(long.as_bytes().get(..HELD).unwrap());
        assert!(swap.held.len() <= HELD);
    }
}
