//! The first message of a session, where that names the model, and the messages after it, which must not name another.

use std::ops::Range;

use bytes::Bytes;

use weir_wire::peek::{Edit, Limits, Peek, Pointers, splice};

/// Limits of the scan.
const LIMITS: Limits =
    Limits { depth: 512, hits: 64, drop_excess: false, text_bytes: 512, utf8: true, variants: false };

/// Why a message names no model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FirstMessageError {
    /// It is no JSON, or too deep.
    #[error("it is not valid JSON")]
    Json,
    /// Nothing stands at the place of the name.
    #[error("{0} is missing")]
    Missing(String),
    /// What stands there is no name.
    #[error("{0} must be a name")]
    Name(String),
}

/// The model that a message names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedModel {
    /// The name, without the text in front of it.
    pub name: String,
    /// Each place of it, with the text in front of the name there. Repeated members have several.
    places: Vec<(Range<usize>, String)>,
}

/// Finds the model that a message names at a pointer. `front` may stand in front of the name. Of repeated names the
/// last one counts.
pub fn model(message: &Bytes, pointer: &str, front: &str) -> Result<NamedModel, FirstMessageError> {
    let pointers = Pointers::compile(&[pointer]).map_err(|_| FirstMessageError::Missing(pointer.to_owned()))?;
    let mut peek = Peek::new(&pointers, LIMITS);
    peek.push(message);
    let found = peek.finish().map_err(|_| FirstMessageError::Json)?;
    let (mut name, mut places) = (None, Vec::new());
    for hit in found.all(0) {
        let text = hit.value.as_text().ok_or_else(|| FirstMessageError::Name(pointer.to_owned()))?;
        let (own, bare) = text.strip_prefix(front).map_or(("", text), |bare| (front, bare));
        if !hit.superseded {
            name = Some(bare.to_owned());
        }
        places.push((hit.range.clone(), own.to_owned()));
    }
    let name = name.filter(|name| !name.is_empty()).ok_or_else(|| FirstMessageError::Missing(pointer.to_owned()))?;
    Ok(NamedModel { name, places })
}

impl NamedModel {
    /// The message with another name for the model, at all of its places.
    pub fn renamed(&self, message: &Bytes, model: &str) -> Bytes {
        let edit = |(range, front): &(Range<usize>, String)| Edit::text(range.clone(), &format!("{front}{model}"));
        let edits: Vec<Edit> = self.places.iter().map(edit).collect();
        // The ranges are those of this message, so that they fit.
        splice(std::slice::from_ref(message), &edits).map_or_else(|_| message.clone(), |chunks| chunks.concat().into())
    }
}

/// Why a message after the first one is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LaterMessageError {
    /// It is no JSON, so that it cannot be seen what it names.
    #[error("a message is not valid JSON")]
    Json,
    /// It names a model, which the first message did already.
    #[error("{0} may be in the first message only")]
    Named(String),
}

/// Reads the client's messages after the first one: none of them may name a model, since the session was admitted for
/// that of the first one.
#[derive(Debug)]
pub struct LaterMessages {
    pointer: String,
    pointers: Pointers,
    /// The scan of a message that arrives in pieces.
    open: Option<Box<Peek>>,
}

impl LaterMessages {
    /// Reads messages that may not name a model at this pointer.
    pub fn new(pointer: &str) -> Result<Self, FirstMessageError> {
        let pointers = Pointers::compile(&[pointer]).map_err(|_| FirstMessageError::Missing(pointer.to_owned()))?;
        Ok(Self { pointer: pointer.to_owned(), pointers, open: None })
    }

    /// Reads a piece of a message before it is passed on. If the last piece is withheld, the message never ends, so
    /// that no side acts on it.
    pub fn read(&mut self, piece: &[u8], is_last: bool) -> Result<(), LaterMessageError> {
        let peek = self.open.get_or_insert_with(|| Box::new(Peek::new(&self.pointers, LIMITS)));
        peek.push(piece);
        if !peek.so_far().hits().is_empty() {
            return Err(LaterMessageError::Named(self.pointer.clone()));
        }
        if peek.error().is_some() {
            return Err(LaterMessageError::Json);
        }
        if is_last && let Some(mut peek) = self.open.take() {
            let found = peek.end().map_err(|_| LaterMessageError::Json)?;
            if !found.hits().is_empty() {
                return Err(LaterMessageError::Named(self.pointer.clone()));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Result<(String, String), FirstMessageError> {
        let message = Bytes::copy_from_slice(text.as_bytes());
        let named = model(&message, "/setup/model", "models/")?;
        let renamed = named.renamed(&message, "n");
        Ok((named.name, String::from_utf8(renamed.to_vec()).unwrap()))
    }

    #[test]
    fn the_name_is_found_and_replaced_wherever_it_stands() {
        let expected = |name: &str, text: &str| Ok((name.to_owned(), text.to_owned()));
        assert_eq!(
            found(r#"{"setup":{"model":"models/a","x":1}}"#),
            expected("a", r#"{"setup":{"model":"models/n","x":1}}"#)
        );
        assert_eq!(found(r#"{"setup":{"model":"a"}}"#), expected("a", r#"{"setup":{"model":"n"}}"#));
        let twice = found(r#"{"setup":{"model":"a","model":"models/b"}}"#);
        assert_eq!(twice, expected("b", r#"{"setup":{"model":"n","model":"models/n"}}"#));
    }

    #[test]
    fn a_message_without_a_name_is_refused() {
        let missing = || Err(FirstMessageError::Missing("/setup/model".into()));
        assert_eq!(found("{}"), missing());
        assert_eq!(found(r#"{"setup":{"model":""}}"#), missing());
        assert_eq!(found(r#"{"setup":{"model":7}}"#), Err(FirstMessageError::Name("/setup/model".into())));
        assert_eq!(found(r#"{"setup":"#), Err(FirstMessageError::Json));
    }

    #[test]
    fn no_later_message_may_name_a_model_however_it_is_cut() {
        let read = |text: &str, cut: usize| {
            let (front, end) = text.split_at(cut.min(text.len()));
            let mut later = LaterMessages::new("/setup/model").unwrap();
            later.read(front.as_bytes(), false)?;
            later.read(end.as_bytes(), true)?;
            later.read(br#"{"realtimeInput":{}}"#, true)
        };
        let named = || Err(LaterMessageError::Named("/setup/model".into()));
        for cut in 0..60 {
            assert_eq!(read(r#"{"clientContent":{"turns":[{"model":"x"}]},"model":1}"#, cut), Ok(()));
            assert_eq!(read(r#"{"x":[{}],"setup":{"model":"models/other"}}"#, cut), named());
            assert_eq!(read(r#"{"s\u0065tup":{"a":"b","model":null}}"#, cut), named());
            assert_eq!(read(r#"{"setup":{"#, cut), Err(LaterMessageError::Json));
        }
    }
}
