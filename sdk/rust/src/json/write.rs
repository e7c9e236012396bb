//! Writes JSON by appending to one string.

use super::{float, plain};

/// Writes an object: `object(&mut out, |o| o.str("role", "user"))`.
pub fn object(out: &mut String, members: impl FnOnce(&mut Object<'_>)) {
    out.push('{');
    members(&mut Object { out, empty: true });
    out.push('}');
}

/// Writes an array: `array(&mut out, |a| a.str("one"))`.
pub fn array(out: &mut String, elements: impl FnOnce(&mut Array<'_>)) {
    out.push('[');
    elements(&mut Array { out, empty: true });
    out.push(']');
}

/// Appends an object to a list that has no brackets yet.
pub fn item(out: &mut String, members: impl FnOnce(&mut Object<'_>)) {
    // Room for what stands around an item's text, so that the list does not grow by a few bytes at a time.
    out.reserve(ROOM);
    separate(out);
    object(out, members);
}

/// Appends JSON to such a list; an empty text adds no element.
pub fn raw_item(out: &mut String, json: &str) {
    if !json.is_empty() {
        separate(out);
        out.push_str(json);
    }
}

/// The bytes of the keys and short values of most items.
const ROOM: usize = 64;

fn separate(out: &mut String) {
    if !out.is_empty() {
        out.push(',');
    }
}

/// Writes a string with its quotes. Not inlined: adapters write strings in hundreds of places.
#[inline(never)]
pub fn quote(out: &mut String, text: &str) {
    out.reserve(text.len() + 2);
    out.push('"');
    escape(out, text);
    out.push('"');
}

/// Writes a string without its quotes, for a string that is written in pieces.
pub fn escape(out: &mut String, text: &str) {
    let mut rest = text;
    loop {
        let (clean, special) = rest.split_at_checked(plain::length(rest.as_bytes())).unwrap_or((rest, ""));
        out.push_str(clean);
        let Some(byte) = special.as_bytes().first() else { return };
        escape_byte(out, *byte);
        rest = special.get(1..).unwrap_or_default();
    }
}

fn escape_byte(out: &mut String, byte: u8) {
    out.push('\\');
    match byte {
        b'"' | b'\\' => out.push(char::from(byte)),
        b'\n' => out.push('n'),
        b'\r' => out.push('r'),
        b'\t' => out.push('t'),
        _ => {
            let digit = |value: u8| char::from(if value < 10 { b'0' + value } else { b'a' - 10 + value });
            out.push_str("u00");
            out.push(digit(byte >> 4));
            out.push(digit(byte & 15));
        }
    }
}

/// Writes a number: whole ones without a fraction, infinities as null.
pub fn number(out: &mut String, value: f64) {
    if !value.is_finite() {
        out.push_str("null");
    } else if value.fract() == 0.0 && value.abs() < 9e15 {
        float::write_whole(out, value as i64);
    } else {
        float::write(out, value);
    }
}

/// Writes a member's key and its colon, after a comma unless it is the first.
#[inline(never)]
fn write_key(out: &mut String, key: &str, first: bool) {
    // Characters are stored; texts of any length are copied by a call of the host.
    out.reserve(key.len() + 4);
    if !first {
        out.push(',');
    }
    out.push('"');
    escape(out, key);
    out.push('"');
    out.push(':');
}

/// An object under construction. Methods named `opt_…` write nothing if there is no value.
#[derive(Debug)]
pub struct Object<'a> {
    out: &'a mut String,
    empty: bool,
}

impl Object<'_> {
    /// Writes the key and returns the buffer for its value.
    pub fn value(&mut self, key: &str) -> &mut String {
        write_key(self.out, key, self.empty);
        self.empty = false;
        self.out
    }

    /// Writes a string.
    pub fn str(&mut self, key: &str, value: &str) {
        // Also for what stands around the two, and a little for what follows.
        self.out.reserve(key.len() + value.len() + 16);
        quote(self.value(key), value);
    }

    /// Writes a string, if there is one.
    pub fn opt_str(&mut self, key: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.str(key, value);
        }
    }

    /// Writes a number.
    pub fn num(&mut self, key: &str, value: impl Into<f64>) {
        number(self.value(key), value.into());
    }

    /// Writes a number, if there is one.
    pub fn opt_num(&mut self, key: &str, value: Option<impl Into<f64>>) {
        if let Some(value) = value {
            self.num(key, value);
        }
    }

    /// Writes a flag.
    pub fn bool(&mut self, key: &str, value: bool) {
        self.value(key).push_str(if value { "true" } else { "false" });
    }

    /// Writes a flag, if there is one.
    pub fn opt_bool(&mut self, key: &str, value: Option<bool>) {
        if let Some(value) = value {
            self.bool(key, value);
        }
    }

    /// Writes JSON text unchanged; it must be one complete value.
    pub fn raw(&mut self, key: &str, json: &str) {
        self.value(key).push_str(json);
    }

    /// Writes JSON text, if there is any.
    pub fn opt_raw(&mut self, key: &str, json: Option<&str>) {
        if let Some(json) = json {
            self.raw(key, json);
        }
    }

    /// Writes the text between another object's braces; it must have at least one member.
    pub fn members(&mut self, text: &str) {
        if !self.empty {
            self.out.push(',');
        }
        self.empty = false;
        self.out.push_str(text);
    }

    /// Writes `null`.
    pub fn null(&mut self, key: &str) {
        self.raw(key, "null");
    }

    /// Writes an object.
    pub fn object(&mut self, key: &str, members: impl FnOnce(&mut Object<'_>)) {
        object(self.value(key), members);
    }

    /// Writes an array.
    pub fn array(&mut self, key: &str, elements: impl FnOnce(&mut Array<'_>)) {
        array(self.value(key), elements);
    }

    /// Writes an array of strings, unless it is empty.
    pub fn opt_strs(&mut self, key: &str, values: &[String]) {
        if !values.is_empty() {
            self.array(key, |a| values.iter().for_each(|value| a.str(value)));
        }
    }
}

/// An array under construction.
#[derive(Debug)]
pub struct Array<'a> {
    out: &'a mut String,
    empty: bool,
}

impl Array<'_> {
    /// Returns the buffer for the next element.
    pub fn value(&mut self) -> &mut String {
        if !self.empty {
            self.out.push(',');
        }
        self.empty = false;
        self.out
    }

    /// Writes a string.
    pub fn str(&mut self, value: &str) {
        quote(self.value(), value);
    }

    /// Writes a number.
    pub fn num(&mut self, value: impl Into<f64>) {
        number(self.value(), value.into());
    }

    /// Writes numbers with any number of digits. Faster than [`Self::num`] for long lists, at the cost of tables in the
    /// component.
    pub fn floats(&mut self, values: &[f64]) {
        let mut buffer = ryu::Buffer::new();
        for value in values {
            if value.fract() != 0.0 && value.is_finite() {
                self.raw(buffer.format_finite(*value));
            } else {
                self.num(*value);
            }
        }
    }

    /// Writes JSON text unchanged; it must be one complete value.
    pub fn raw(&mut self, json: &str) {
        self.value().push_str(json);
    }

    /// Writes an object.
    pub fn object(&mut self, members: impl FnOnce(&mut Object<'_>)) {
        object(self.value(), members);
    }

    /// Writes an array.
    pub fn array(&mut self, elements: impl FnOnce(&mut Array<'_>)) {
        array(self.value(), elements);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_escaped_as_serde_json_reads_them() {
        for text in ["", "plain", "a\"b\\c", "line\nfeed\r\ttab", "\u{0}\u{1f}", "grüße 🦀"] {
            let mut out = String::new();
            quote(&mut out, text);
            assert_eq!(serde_json::from_str::<String>(&out).unwrap(), text);
        }
    }

    #[test]
    fn escapes_are_the_same_wherever_they_stand() {
        for size in [0, 1, 3, 7, 15, 16, 17, 31, 40, 79, 80, 100] {
            for special in ['"', '\\', '\n', '\r', '\t', '\u{0}', '\u{1b}'] {
                let mut escape = String::new();
                super::escape(&mut escape, &special.to_string());
                let text =
                    |special: &str| format!("{0}{special}{special}{1}{special}", "x".repeat(size), "ü".repeat(size));
                let mut out = String::new();
                quote(&mut out, &text(&special.to_string()));
                assert_eq!(out, format!("\"{}\"", text(&escape)));
            }
        }
    }

    #[test]
    fn numbers_keep_their_value() {
        for (value, text) in [(1.0, "1"), (0.7, "0.7"), (-0.0069, "-0.0069"), (f64::INFINITY, "null")] {
            let mut out = String::new();
            number(&mut out, value);
            assert_eq!(out, text);
        }
    }

    #[test]
    fn members_and_elements_are_separated() {
        let mut out = String::new();
        object(&mut out, |o| {
            o.str("a", "x");
            o.opt_num("b", None::<f64>);
            o.array("c", |a| {
                a.num(1);
                a.object(|o| o.bool("d", true));
            });
        });
        assert_eq!(out, r#"{"a":"x","c":[1,{"d":true}]}"#);
    }
}
