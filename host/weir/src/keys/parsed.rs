//! Documents of the store, parsed: many of them on all cores, since a start with a million keys waits for it.

use std::num::NonZero;
use std::panic::resume_unwind;
use std::thread::{self, available_parallelism};

use weir_identity::document::DocumentError;
use weir_identity::{Document, Kind};

/// The kind and id of the document that every change writes too, so that of two nodes which change something at the
/// same time one finds out, and decides again by what the other wrote.
pub(super) const GUARD: (&str, &str) = ("guard", "directory");

/// Up to so many documents, threads would take longer than they save.
const FEW: usize = 1_000;
/// The most threads that parse.
const MAX_THREADS: usize = 8;

/// A document of the store, as far as this program knows its kind.
#[derive(Debug)]
pub(super) struct Parsed {
    pub(super) id: String,
    pub(super) revision: u64,
    pub(super) content: Content,
}

#[derive(Debug)]
pub(super) enum Content {
    /// The guard of the directory, and whether it is there.
    Guard(bool),
    /// A kind of a newer version.
    Unknown,
    /// A document, or why it cannot be read; `None` if it was deleted.
    Document(Kind, Result<Option<Box<Document>>, DocumentError>),
}

/// Parses documents; their order stays.
pub(super) fn parsed(documents: Vec<weir_store::Document>) -> Vec<Parsed> {
    let threads = match documents.len() {
        0..=FEW => 1,
        _ => available_parallelism().map_or(1, NonZero::get).min(MAX_THREADS),
    };
    in_parts(documents, threads)
}

fn in_parts(mut documents: Vec<weir_store::Document>, threads: usize) -> Vec<Parsed> {
    let size = documents.len().div_ceil(threads.max(1)).max(1);
    thread::scope(|scope| {
        let mut later = Vec::new();
        while documents.len() > size {
            let part = documents.split_off(documents.len() - size);
            later.push(scope.spawn(move || part.into_iter().map(parse).collect::<Vec<_>>()));
        }
        let mut all: Vec<Parsed> = documents.into_iter().map(parse).collect();
        for part in later.into_iter().rev() {
            all.extend(part.join().unwrap_or_else(|panicked| resume_unwind(panicked)));
        }
        all
    })
}

fn parse(stored: weir_store::Document) -> Parsed {
    let weir_store::Document { kind, id, revision, body } = stored;
    let content = match Kind::parse(&kind) {
        _ if (kind.as_str(), id.as_str()) == GUARD => Content::Guard(body.is_some()),
        None => Content::Unknown,
        Some(kind) => Content::Document(kind, body.map(|body| Document::parse(kind, &body).map(Box::new)).transpose()),
    };
    Parsed { id, revision, content }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_keep_their_order_over_any_number_of_threads() {
        let stored = |revision: u64| {
            let (kind, id) = if revision == 7 { GUARD } else { ("budget", "b") };
            let body = (!revision.is_multiple_of(3)).then(|| "{}".to_owned());
            weir_store::Document { kind: kind.to_owned(), id: id.to_owned(), revision, body }
        };
        for (count, threads) in [(0, 1), (1, 4), (9, 2), (10, 3), (10, 10), (5, 8), (3_000, 8), (4, 0)] {
            let all = in_parts((1..=count).map(stored).collect(), threads);
            let revisions: Vec<u64> = all.iter().map(|one| one.revision).collect();
            assert_eq!(revisions, (1..=count).collect::<Vec<_>>(), "{count} in {threads}");
            let fits = |one: &Parsed| match &one.content {
                Content::Guard(exists) => *exists && one.revision == 7,
                Content::Unknown => false,
                Content::Document(kind, document) => {
                    let is_deleted = matches!(document, Ok(None));
                    *kind == Kind::Budget
                        && is_deleted == one.revision.is_multiple_of(3)
                        && (is_deleted || document.is_err())
                }
            };
            assert!(all.iter().all(fits), "{count} in {threads}");
        }
        let unknown = weir_store::Document { kind: "moon".to_owned(), ..stored(1) };
        assert!(matches!(parse(unknown).content, Content::Unknown));
    }
}
