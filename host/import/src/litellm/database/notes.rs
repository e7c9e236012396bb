//! What could not be taken over: one sentence a matter, with the first documents that it concerns.

use std::collections::BTreeMap;

/// How many documents a sentence names.
const NAMED: usize = 5;

#[derive(Debug, Default)]
pub(super) struct Notes(BTreeMap<(&'static str, String), DocumentsOfNote>);

#[derive(Debug, Default)]
struct DocumentsOfNote {
    count: usize,
    first: Vec<String>,
}

impl Notes {
    /// Notes a matter of a document; the sentence's subject is the document.
    pub(super) fn add(&mut self, kind: &'static str, id: &str, matter: &str) {
        let concerned = self.0.entry((kind, matter.to_owned())).or_default();
        concerned.count += 1;
        if concerned.first.len() < NAMED {
            concerned.first.push(id.to_owned());
        }
    }

    pub(super) fn sentences(&self) -> Vec<String> {
        let sentence = |((kind, matter), concerned): (&(&'static str, String), &DocumentsOfNote)| {
            let names = concerned.first.join(", ");
            match concerned.count {
                1 => format!("the {kind} {names} {matter}"),
                count if count > concerned.first.len() => format!("each of {count} {kind}s ({names}, ...) {matter}"),
                count => format!("each of {count} {kind}s ({names}) {matter}"),
            }
        };
        self.0.iter().map(sentence).collect()
    }
}
