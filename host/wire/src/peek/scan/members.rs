//! Members of objects, as long as they are whole among the bytes at hand: those that no pointer selects, which most
//! members of a body are, are skipped in one go, and selected ones are read without a state for each of their bytes.

use super::{Peek, State};
use crate::frame::nest::{Nest, StringEnd, near_quote};
use crate::peek::PeekError;

/// Names up to this length are found in words of eight bytes.
const NEAR_NAME: usize = 32;

impl Peek {
    /// Reads members from the quote of a name on, and those of objects within them. Stops before the first value, or
    /// behind the last one, that has to be read step by step.
    pub(super) fn members(&mut self, rest: &[u8], at: usize) -> Result<usize, PeekError> {
        let mut from = 0;
        loop {
            let inside = rest.get(from + 1..).unwrap_or_default();
            let Some((name, b':')) = near_name(inside) else {
                self.begin_name(self.offset + at + from + 1);
                return Ok(from + 1);
            };
            self.enter_plain_member(name);
            let value = from + name.len() + 3;
            if self.next.is_some() && rest.get(value) == Some(&b'{') {
                self.open(false, self.offset + at + value)?;
                from = value + 1;
                match rest.get(from) {
                    Some(b'"') if !self.skips_rest() => continue,
                    Some(b'}') => self.close(self.offset + at + from + 1),
                    _ => return Ok(from),
                }
                from += 1;
            } else {
                let end = match self.next {
                    None => end_of_value(rest, value, self.limits.depth.saturating_sub(self.levels.len())),
                    Some(_) => {
                        self.whole_scalar(rest.get(value..).unwrap_or_default(), at + value)?.map(|end| value + end)
                    }
                };
                let Some(end) = end else {
                    self.state = State::Value;
                    return Ok(value);
                };
                self.after_value();
                from = end;
            }
            while rest.get(from) == Some(&b'}') && self.closes(b'}') {
                from += 1;
                self.close(self.offset + at + from);
            }
            if !self.closes(b'}') || !rest.get(from..).is_some_and(|after| after.starts_with(b",\"")) {
                return Ok(from);
            }
            from += 1;
        }
    }

    /// Reads a string, a number or a literal at the start of these bytes, and returns its length; `None` if its end is
    /// not among them, or it is something else.
    fn whole_scalar(&mut self, value: &[u8], at: usize) -> Result<Option<usize>, PeekError> {
        let start = self.offset + at;
        match value.first() {
            Some(b'"') => {
                let inside = value.get(1..).unwrap_or_default();
                let Some(length) = StringEnd::default().find(inside) else { return Ok(None) };
                if self.is_wanted() {
                    let text = self.text(inside.get(..length).unwrap_or_default(), start + 1)?;
                    self.hit(start..start + length + 2, text)?;
                }
                Ok(Some(length + 2))
            }
            Some(b'-' | b'0'..=b'9' | b't' | b'f' | b'n') => {
                let Some(length) = value.iter().position(|&byte| ends_plain(byte)) else { return Ok(None) };
                if self.is_wanted() {
                    let value = self.plain(value.get(..length).unwrap_or_default(), start)?;
                    self.hit(start..start + length, value)?;
                }
                Ok(Some(length))
            }
            _ => Ok(None),
        }
    }
}

/// The name before the next quote and the byte behind that, if the name is short and has no escapes.
#[inline]
fn near_name(inside: &[u8]) -> Option<(&[u8], u8)> {
    let length = near_quote::<NEAR_NAME>(inside)?;
    Some((inside.get(..length)?, *inside.get(length + 1)?))
}

/// Where the value that begins at `from` ends; `None` if that is not among these bytes, or the value is wrong.
#[inline]
fn end_of_value(bytes: &[u8], from: usize, depth: usize) -> Option<usize> {
    let value = bytes.get(from..)?;
    let length = match value.first()? {
        b'"' => StringEnd::default().find(value.get(1..)?)? + 2,
        b'{' | b'[' => Nest::new().advance(value, depth).ok()??,
        b'-' | b'0'..=b'9' | b't' | b'f' | b'n' => value.iter().position(|&byte| ends_plain(byte))?,
        _ => return None,
    };
    Some(from + length)
}

/// Whether a byte ends a number or a literal.
#[inline]
pub(super) const fn ends_plain(byte: u8) -> bool {
    matches!(byte, b',' | b']' | b'}' | b' ' | b'\n' | b'\r' | b'\t')
}

#[cfg(test)]
mod tests {
    use crate::peek::{Found, Limits, Peek, PeekError, Pointers};

    fn scan(chunks: &[&[u8]]) -> Result<Found, PeekError> {
        let limits = Limits { depth: 3, variants: true, ..Limits::default() };
        let mut peek = Peek::new(
            &Pointers::compile(&["/model", "/o/p", "/l/*/d", "/a_name_that_is_as_long_as_it/may"]).unwrap(),
            limits,
        );
        for chunk in chunks {
            peek.push(chunk);
        }
        peek.finish()
    }

    #[test]
    fn what_is_skipped_in_one_go_is_read_as_in_pieces() {
        let bodies = [
            r#"{"a":1,"b":"x,\"model\":1","c":{"model":"no"},"d":[[]],"model":"m","e":null,"Model":2,"o":{"q":-1,"p":2.5}}"#,
            r#"{"a":1 ,"b" :"x", "c": {} ,"model":"m" }"#,
            r#"{"a":1,"a_name_that_is_longer_than_others":"x","model":"m","mod\u0065l":"n","z":true}"#,
            r#"{"a":[[[[]]]],"model":"m"}"#,
            r#"{"o":{"a":[[]],"p":{"b":[]}}}"#,
            r#"{"a":x,"model":"m"}"#,
            r#"{"a":1,,"model":"m"}"#,
            r#"{"a":1,"model":"m","b":"#,
            r#"{"a":1,"b":2]"#,
            r#"{"o":{"p":{}},"model":"m"}"#,
            r#"{"o":{"p":"a\u00e9\"","q":[{"a":1},"x"],"p":false}, "model":"x"}"#,
            r#"{"o":{},"o":{"p":1}}"#,
            r#"{"o":{"p":1}]"#,
            r#"{"o":{"p":tru},"model":1}"#,
            r#"{"o":{"p":"\x"},"model":1}"#,
            r#"{"o":{ "p":1 },"model":{"p":{"p":1}}}"#,
            r#"{"o":{"p":1}}}"#,
            r#"{"l":[{"d":1},"d",{"d":null},{}],"model":["a"]}"#,
            r#"{"a_name_that_is_as_long_as_it":{"may":1e3,"a_name_that_is_even_longer_than_that":{}},"model":-0}"#,
        ];
        for body in bodies {
            let whole = scan(&[body.as_bytes()]);
            let read = |found: &Found| (found.hits().to_vec(), found.variants().to_vec(), found.object());
            for at in 0..=body.len() {
                let (one, other) = body.as_bytes().split_at(at);
                let (whole, pieces) = (whole.as_ref().map(read), scan(&[one, other]));
                assert_eq!(whole, pieces.as_ref().map(read), "{body} at {at}");
            }
            let bytes: Vec<&[u8]> = body.as_bytes().chunks(1).collect();
            assert_eq!(whole.as_ref().map(read), scan(&bytes).as_ref().map(read), "{body} byte for byte");
        }
        assert_eq!(scan(&[bodies[0].as_bytes()]).unwrap().hits().len(), 2);
        assert_eq!(scan(&[bodies[3].as_bytes()]).unwrap_err(), PeekError::TooDeep { limit: 3 });
        assert_eq!(scan(&[bodies[5].as_bytes()]).unwrap_err(), PeekError::Malformed { offset: 5 });
    }
}
