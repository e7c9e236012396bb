//! Where a body is cut into pieces that are stored once: around the elements of its lists, such as messages, and around
//! long texts, such as images. No wire format is known here.

/// Shorter elements stay with their neighbours.
const MIN_ELEMENT: usize = 64;
/// Shorter texts are not cut out.
const MIN_TEXT: usize = 1_024;
/// More depth than any body has that is a request.
const DEEPEST: usize = 128;

/// What is cut out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    /// The elements of outermost lists, and long texts.
    Elements,
    /// Long texts only.
    LongTexts,
}

/// An object or a list that is open.
struct Open {
    start: usize,
    is_list: bool,
    /// Lists around it.
    lists: usize,
}

/// The places to cut at in JSON text, in order.
pub(super) fn cuts(text: &str, cut: Cut) -> Vec<usize> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut open: Vec<Open> = Vec::new();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => {
                let end = end_of_text(bytes, at);
                if end - at >= MIN_TEXT {
                    found.extend([at, end]);
                }
                at = end;
                continue;
            }
            b'{' | b'[' => {
                let lists = open.last().map_or(0, |outer| outer.lists + usize::from(outer.is_list));
                if open.len() >= DEEPEST {
                    break;
                }
                open.push(Open { start: at, is_list: *byte == b'[', lists });
            }
            b'}' | b']' => {
                let closed = open.pop();
                let is_element = open.last().is_some_and(|outer| outer.is_list);
                if let Some(closed) = closed.filter(|closed| is_element && closed.lists == 1)
                    && cut == Cut::Elements
                    && at + 1 - closed.start >= MIN_ELEMENT
                {
                    found.extend([closed.start, at + 1]);
                }
            }
            _ => {}
        }
        at += 1;
    }
    found.sort_unstable();
    found.dedup();
    found
}

/// The place behind a text that begins here.
fn end_of_text(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(text: &str, cut: Cut) -> Vec<&str> {
        let mut ends = cuts(text, cut);
        ends.push(text.len());
        let mut begin = 0;
        ends.into_iter().map(|end| text.get(std::mem::replace(&mut begin, end)..end).unwrap()).collect()
    }

    #[test]
    fn messages_are_pieces_of_their_own_and_so_are_images_in_them() {
        let message = format!(r#"{{"role":"user","content":[{{"text":"{}"}}]}}"#, "w\\\"[{".repeat(20));
        let image = format!("\"{}\"", "A".repeat(2_000));
        let with_image = format!(r#"{{"role":"user","content":[{{"image":{image}}}]}}"#);
        let text = format!(r#"{{"model":"m","list":[{message},{with_image},{{"a":1}}],"stream":true}}"#);
        let (before, after) = with_image.split_once(&image).unwrap();
        let expected =
            [r#"{"model":"m","list":["#, &message, ",", before, &image, after, r#",{"a":1}],"stream":true}"#];
        assert_eq!(pieces(&text, Cut::Elements), expected);
        assert_eq!(pieces(&text, Cut::LongTexts).concat(), text);
        assert_eq!(pieces(&text, Cut::LongTexts).len(), 3);
    }

    #[test]
    fn text_that_is_no_json_is_cut_at_ends_or_nowhere() {
        for text in ["", "\"", "\"\\", "]]]}", "[[[", &"[".repeat(10_000), "{\"a\":\"ä\\"] {
            assert_eq!(pieces(text, Cut::Elements).concat(), text);
        }
    }
}
