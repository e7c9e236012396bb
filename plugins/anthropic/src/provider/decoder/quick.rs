//! Reads the most frequent frame, a piece of text as the service writes it, without looking at its members one by one.

const BEGIN: &str = r#"{"type":"content_block_delta","index":"#;
const TEXT: &str = r#","delta":{"type":"text_delta","text":""#;
/// Most digits of an index.
const DIGITS: usize = 4;

/// The block's index and the text of such a frame. `None` for every other frame, also for the same one in another
/// spelling and for text with escapes.
pub(super) fn text_delta(data: &str) -> Option<(u32, &str)> {
    let rest = data.strip_prefix(BEGIN)?;
    let digits = rest.bytes().take(DIGITS).take_while(u8::is_ascii_digit).count();
    let (index, rest) = rest.split_at_checked(digits)?;
    if index.is_empty() || index.len() > 1 && index.starts_with('0') {
        return None;
    }
    let inside = rest.strip_prefix(TEXT)?;
    let end = inside.bytes().position(|byte| matches!(byte, b'"' | b'\\' | 0..=0x1f))?;
    let (text, rest) = inside.split_at_checked(end)?;
    // The service puts spaces before the last brace, so that the length of a frame does not tell that of its text.
    let rest = rest.strip_prefix("\"}")?;
    (rest.as_bytes().trim_ascii() == b"}").then(|| (number(index), text))
}

/// The number that a few digits are.
fn number(digits: &str) -> u32 {
    digits.bytes().fold(0, |number, digit| number * 10 + u32::from(digit & 0xf))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::Event;

    #[test]
    fn other_spellings_are_left_to_the_parser() {
        let frame = |index: &str, text: &str| format!("{BEGIN}{index}{TEXT}{text}\"}}  }}");
        assert_eq!(text_delta(&frame("12", "Grüße")), Some((12, "Grüße")));
        for (index, text) in [("01", "a"), ("", "a"), ("12345", "a"), ("-1", "a"), ("0", "a\\n"), ("0", "a\n")] {
            assert_eq!(text_delta(&frame(index, text)), None, "{index} {text}");
        }
        for length in 0..frame("0", "a").len() {
            assert_eq!(text_delta(&frame("0", "a")[..length]), None);
        }
        assert_eq!(text_delta(&format!("{}{{}}", frame("0", "a"))), None);
        assert_eq!(text_delta(&frame("0", "a").replace("\"}", "\",\"more\":1}")), None);
    }

    proptest! {
        #[test]
        fn the_parser_reads_the_same(index in "[0-9]{0,5}", text in "\\PC{0,12}", end in "\"?\\}[ }]{0,4}") {
            let frame = format!("{BEGIN}{index}{TEXT}{text}{end}");
            if let Some((index, text)) = text_delta(&frame) {
                let event: Event<'_> = weir_sdk::json::parse(&frame).unwrap();
                let delta = event.delta.unwrap();
                prop_assert_eq!(event.kind.as_deref(), Some("content_block_delta"));
                prop_assert_eq!(event.index.map(|index| index.0), Some(index));
                prop_assert_eq!(delta.kind.as_deref(), Some("text_delta"));
                prop_assert_eq!(delta.text.as_deref(), Some(text));
                prop_assert!(event.rest.0.is_empty() && delta.rest.0.is_empty());
            }
        }
    }
}
