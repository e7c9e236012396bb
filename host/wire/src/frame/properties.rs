//! Properties of every framing for arbitrary streams.

use super::tests::{cut, data, encoded, frame, frames};
use super::*;
use proptest::prelude::*;

fn any_framing() -> impl Strategy<Value = Framing> {
    prop::sample::select(vec![Framing::Sse, Framing::Ndjson, Framing::JsonArray, Framing::EventStream])
}

/// Pieces of all framings in any order, mixed with arbitrary bytes.
fn garbage() -> impl Strategy<Value = Vec<u8>> {
    let word = prop::sample::select(vec![
        "data", ":", " ", "\n", "\r", "\r\n", "event", "[", "]", "{", "}", "\"", "\\", ",", "1", "\u{FEFF}", "é",
    ]);
    let piece = prop_oneof![word.prop_map(|word| word.as_bytes().to_vec()), prop::collection::vec(any::<u8>(), 0..3)];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

fn pieces<'a>(stream: &'a [u8], cuts: &[prop::sample::Index]) -> Vec<&'a [u8]> {
    let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
    at.extend([0, stream.len()]);
    at.sort_unstable();
    at.windows(2).map(|pair| &stream[pair[0]..pair[1]]).collect()
}

proptest! {
    #[test]
    fn garbage_never_panics_and_cuts_never_matter(
        framing in any_framing(),
        stream in garbage(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
        frame_bytes in prop_oneof![Just(16 << 20), 0..40_usize],
    ) {
        let limits = Limits { frame_bytes, ..Limits::default() };
        prop_assert_eq!(cut(framing, limits, &pieces(&stream, &cuts)), cut(framing, limits, &[&stream]));
    }

    #[test]
    fn encoded_frames_decode_to_themselves(
        framing in any_framing(),
        names in prop::collection::vec("[a-z._]{0,8}", 0..6),
        texts in prop::collection::vec("[a-zé\" \\\\\n:{}\\[\\],]{0,12}", 6),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
    ) {
        let named = matches!(framing, Framing::Sse | Framing::EventStream);
        let sent: Vec<Frame> = names.iter().zip(&texts).map(|(name, text)| if named {
            frame(name, text)
        } else {
            // These framings carry only JSON values.
            frame("", &serde_json::Value::from(text.as_str()).to_string())
        }).collect();
        let stream = encoded(framing, &sent);
        let (received, outcome) = cut(framing, Limits::default(), &pieces(&stream, &cuts));
        prop_assert_eq!(outcome, Ok(()));
        prop_assert_eq!(received, sent);
    }

    #[test]
    fn elements_end_where_a_parser_ends_them(text in "[a-z\"\\\\{}\\[\\],]{0,20}", deep in 0..5_usize) {
        let mut value = serde_json::Value::from(text);
        for level in 0..deep {
            value = if level % 2 == 0 { serde_json::json!([value, 1]) } else { serde_json::json!({"k\"]": value}) };
        }
        let stream = format!("[{value},{value:#}]");
        let expected = data(&[&value.to_string(), &format!("{value:#}")]);
        prop_assert_eq!(frames(Framing::JsonArray, stream.as_bytes()), expected);
    }
}
