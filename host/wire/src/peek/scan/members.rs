//! Members of objects that no pointer selects, skipped in one go. Most members of a body are such.

use super::{Peek, State};
use crate::frame::nest::{Nest, StringEnd, near_quote};
use crate::peek::PeekError;

impl Peek {
    /// Reads names from the quote of one on, and skips the values of those that no pointer selects, as long as they are
    /// whole among these bytes. Stops before the first other value, or after the last one skipped.
    pub(super) fn members(&mut self, rest: &[u8], at: usize) -> Result<usize, PeekError> {
        let depth = self.limits.depth.saturating_sub(self.levels.len());
        let mut from = 0;
        loop {
            let inside = rest.get(from + 1..).unwrap_or_default();
            let Some((name, b':')) = near_name(inside) else {
                self.begin_name(self.offset + at + from + 1);
                return Ok(from + 1);
            };
            self.enter_plain_member(name);
            let value = from + name.len() + 3;
            let end = if self.next.is_none() { end_of_value(rest, value, depth) } else { None };
            let Some(end) = end else {
                self.state = State::Value;
                return Ok(value);
            };
            if !rest.get(end..).is_some_and(|after| after.starts_with(b",\"")) {
                self.after_value();
                return Ok(end);
            }
            from = end + 1;
        }
    }
}

/// The name before the next quote and the byte behind that, if the name is short and has no escapes.
#[inline]
fn near_name(inside: &[u8]) -> Option<(&[u8], u8)> {
    let length = near_quote(inside)?;
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
        let mut peek = Peek::new(&Pointers::compile(&["/model", "/o/p"]).unwrap(), limits);
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
