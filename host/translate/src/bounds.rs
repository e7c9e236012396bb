//! Bounds on the texts that adapters return beside a translation (errors and losses), so that they are safe to log.
//!
//! An adapter's text may be as long as an answer and may contain anything that a client or a provider wrote, terminal
//! escapes included.

use weir_sandbox::fault::{clean, head};
use weir_types::contract::types::{Error, Loss};

/// Losses kept for one exchange.
const LOSSES: usize = 256;
/// Bytes of a loss's field name and of its note.
const FIELD: usize = 256;
const NOTE: usize = 512;
/// Bytes of an error's message, and of its code and parameter.
const MESSAGE: usize = 16 * 1024;
const CODE: usize = 256;

/// Adds losses to a list until it is full; the rest is discarded.
pub fn note(list: &mut Vec<Loss>, more: Vec<Loss>) {
    let room = LOSSES.saturating_sub(list.len());
    list.extend(more.into_iter().take(room).map(|loss| Loss {
        field: short(loss.field, FIELD),
        note: loss.note.map(|note| short(note, NOTE)),
        ..loss
    }));
}

/// Bounds an error's texts, and drops a status that is no error status.
pub fn error(error: Error) -> Error {
    // Line breaks stay, since people read messages.
    let is_line = |text: &str| !text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\t'));
    let message = if error.message.len() <= MESSAGE && is_line(&error.message) {
        error.message
    } else {
        head(&error.message, MESSAGE).chars().map(|c| if c.is_control() && c != '\n' { ' ' } else { c }).collect()
    };
    Error {
        message,
        code: error.code.map(|code| short(code, CODE)),
        param: error.param.map(|param| short(param, CODE)),
        status: error.status.filter(|status| (400..600).contains(status)),
        ..error
    }
}

fn short(text: String, limit: usize) -> String {
    if text.len() <= limit && !text.chars().any(char::is_control) { text } else { clean(head(&text, limit)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_types::contract::types::{ErrorKind, LossKind};

    #[test]
    fn a_ledger_is_bounded_in_every_direction() {
        let loss =
            |field: &str| Loss { field: field.into(), kind: LossKind::Dropped, note: Some("n\u{1b}[31m".repeat(1000)) };
        let mut list = Vec::new();
        note(&mut list, vec![loss("fine"), loss("a\r\nb")]);
        note(&mut list, (0..10_000).map(|_| loss(&"é".repeat(10_000))).collect());
        assert_eq!(list.len(), LOSSES);
        assert_eq!((&*list[0].field, &*list[1].field), ("fine", "a  b"));
        let all = list.iter().flat_map(|loss| [loss.field.as_str(), loss.note.as_deref().unwrap()]);
        assert!(all.into_iter().all(|text| text.len() <= NOTE && !text.chars().any(char::is_control)));
    }

    #[test]
    fn an_error_is_short_plain_and_an_error() {
        let wild = |status| Error {
            kind: ErrorKind::Internal,
            message: "line\nline\u{1b}[2J".repeat(10_000),
            status: Some(status),
            code: Some("c\0".repeat(1000)),
            param: Some("p\r\nset-cookie: x".into()),
            retry_after_ms: None,
        };
        let tame = error(wild(200));
        assert!(tame.message.len() <= MESSAGE && tame.message.starts_with("line\nline [2J"));
        assert_eq!((tame.code.unwrap().len(), tame.param.as_deref()), (CODE, Some("p  set-cookie: x")));
        assert_eq!(tame.status, None);
        assert_eq!([0, 99, 101, 204, 304, 600, 65535].map(|status| error(wild(status)).status), [None; 7]);
        assert_eq!([400, 429, 599].map(|status| error(wild(status)).status.unwrap()), [400, 429, 599]);
    }
}
