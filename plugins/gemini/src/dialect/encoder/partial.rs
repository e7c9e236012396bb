//! A call whose arguments come in pieces, each with the path of its value.
//!
//! The first part has the name, each of the next ones a piece, and an empty one ends the call.

use weir_sdk::json::{Object, item};
use weir_sdk::losses::Losses;
use weir_sdk::types::{Part, PartArgument, ToolCall};

use super::super::response::write_part;
use crate::write::PartPath;

/// Writes a call as its pieces.
pub(super) fn write(out: &mut String, call: ToolCall, pieces: &[PartArgument], place: PartPath, losses: &mut Losses) {
    let mut head = String::new();
    let named = ToolCall { arguments: "{}".to_owned(), ..call };
    write_part(&mut head, &Part::ToolCall(named), place, losses);
    // The head is a call without arguments; it goes on.
    let goes_on = head.replacen(r#""args":{}"#, r#""willContinue":true"#, 1);
    if !out.is_empty() {
        out.push(',');
    }
    out.push_str(&goes_on);
    for piece in pieces {
        item(out, |o| o.object("functionCall", |o| write_piece(o, piece)));
    }
    item(out, |o| o.object("functionCall", |_| {}));
}

fn write_piece(o: &mut Object<'_>, piece: &PartArgument) {
    o.array("partialArgs", |a| {
        a.object(|o| {
            o.str("jsonPath", &piece.path);
            match piece.json.as_bytes().first() {
                Some(b'"') => o.raw("stringValue", &piece.json),
                Some(b't' | b'f') => o.raw("boolValue", &piece.json),
                Some(b'n') | None => o.str("nullValue", "NULL_VALUE"),
                Some(_) => o.raw("numberValue", &piece.json),
            }
            if piece.continues {
                o.bool("willContinue", true);
            }
        });
    });
    o.bool("willContinue", true);
}
