//! Finds the ids of objects at the places that a manifest names: `/name` of an answer to a request that begins work is
//! the work's, and `/response/file` in the finished work is that of its results.

use weir_wire::peek::{Limits, Peek, PointerError, Pointers};

/// Limits of a scan. What is beyond them is dropped, since an answer must never fail by it.
const LIMITS: Limits = Limits { depth: 512, hits: 4, drop_excess: true, text_bytes: 512, utf8: false, variants: false };

/// Where the answers of a face have the ids of work and of its results.
#[derive(Debug, Clone)]
pub struct WorkIdPlaces {
    pointers: Pointers,
    /// How many of the pointers are at the id of the work itself. The others are at those of its results.
    own: usize,
}

impl WorkIdPlaces {
    /// The places of the work's own id, and those of its results.
    ///
    /// # Errors
    ///
    /// A place is no pointer.
    pub(crate) fn new(own: &[String], results: &[String]) -> Result<Self, PointerError> {
        Ok(Self { pointers: Pointers::compile(&[own, results].concat())?, own: own.len() })
    }
}

/// The ids of work and of its results that an answer has so far.
#[derive(Debug)]
pub(super) struct WorkIds {
    peek: Peek,
    own_places: usize,
    seen: usize,
    pub(super) own: Option<String>,
    pub(super) results: Option<String>,
}

impl WorkIds {
    pub(super) fn new(places: &WorkIdPlaces) -> Self {
        let peek = Peek::new(&places.pointers, LIMITS);
        Self { peek, own_places: places.own, seen: 0, own: None, results: None }
    }

    /// Scans the next piece, and gives each id that it completes to `found`.
    pub(super) fn push(&mut self, bytes: &[u8], mut found: impl FnMut(&[u8])) {
        self.peek.push(bytes);
        let hits = self.peek.so_far().hits();
        for hit in hits.get(self.seen..).unwrap_or_default() {
            let Some(id) = hit.value.as_text().map(last_segment).filter(|id| !id.is_empty()) else { continue };
            found(id.as_bytes());
            let place = if hit.pointer < self.own_places { &mut self.own } else { &mut self.results };
            place.get_or_insert_with(|| id.to_owned());
        }
        self.seen = hits.len();
    }
}

/// The id in an object's name: what stands behind its last slash (`batches/b-1`), or all of it.
pub(crate) fn last_segment(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_found_at_their_places_wherever_the_answer_is_cut() {
        let places = WorkIdPlaces::new(&["/name".into()], &["/response/file".into(), "/out/file".into()]).unwrap();
        let text = r#"{"x":{"name":"batches/no"},"name":"batches/b-1","response":{"text":"\"file\":\"no\"","file":"files/f-1"},
            "out":{"file":"files/f-1","name":["no"]}}"#;
        for size in [1, 7, text.len()] {
            let (mut ids, mut found) = (WorkIds::new(&places), Vec::new());
            for piece in text.as_bytes().chunks(size) {
                ids.push(piece, |id| found.push(String::from_utf8_lossy(id).into_owned()));
            }
            assert_eq!((ids.own.as_deref(), ids.results.as_deref()), (Some("b-1"), Some("f-1")));
            assert_eq!(found, ["b-1", "f-1", "f-1"]);
        }
    }
}
