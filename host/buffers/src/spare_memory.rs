//! Gives the memory of large requests back whose answers take long.
//!
//! hyper reads a large body into a few large buffers, and begins another one of the same size when the body ends. So an
//! allocator has those that are freed among those in use, and keeps their pages: each stream whose request had 100 KB held
//! half of that for nothing. The system takes the pages back here, and gives empty ones where they are written again.

use std::mem::MaybeUninit;

use bytes::Bytes;

/// Size in bytes of a piece that is worth it: smaller ones share their buffers' pages with what is in use.
const LARGE: usize = 16 << 10;

/// Drops the pieces of a body, and gives the memory of those back that are large and held by nobody else.
pub fn give_back(pieces: Vec<Bytes>) {
    for piece in pieces.into_iter().filter(|piece| piece.len() >= LARGE) {
        if let Ok(mut piece) = piece.try_into_mut() {
            piece.clear();
            empty(piece.spare_capacity_mut());
        }
    }
}

/// Has the system take the whole pages of this memory.
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "a stream whose request was large holds half the memory (docs/performance.md)")]
fn empty(memory: &mut [MaybeUninit<u8>]) {
    use rustix::mm::{Advice, madvise};
    let page = rustix::param::page_size();
    let start = memory.as_ptr().align_offset(page).min(memory.len());
    let whole = memory.get_mut(start..).unwrap_or_default();
    let length = whole.len() / page * page;
    // SAFETY: these pages are within memory that is borrowed exclusively, and that nobody takes for initialised.
    if let Err(error) = unsafe { madvise(whole.as_mut_ptr().cast(), length, Advice::LinuxDontNeed) } {
        tracing::debug!(%error, "the memory of a request is kept");
    }
}

/// Other systems differ in what becomes of such pages.
#[cfg(not(target_os = "linux"))]
fn empty(_memory: &mut [MaybeUninit<u8>]) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[expect(unsafe_code, reason = "every byte was written, by the test or by the system")]
    #[test]
    fn whole_pages_are_emptied_and_nothing_beside_them() {
        let page = rustix::param::page_size();
        for (before, after) in [(0, 0), (1, 0), (0, 1), (page, page), (20_000, 30_000)] {
            let mut memory = vec![MaybeUninit::new(7_u8); before + 4 * page + after];
            let end = memory.len() - after;
            empty(&mut memory[before..end]);
            // SAFETY: as above.
            let bytes: Vec<u8> = memory.iter().map(|byte| unsafe { byte.assume_init() }).collect();
            let emptied = bytes[before..end].iter().map(|byte| usize::from(*byte == 0)).sum::<usize>();
            assert!(emptied.is_multiple_of(page) && emptied >= 3 * page, "{before} {after}: {emptied}");
            assert!(bytes[..before].iter().chain(&bytes[end..]).all(|byte| *byte == 7), "{before} {after}");
        }
    }

    #[test]
    fn a_piece_that_another_holds_stays_as_it_is() {
        let piece = Bytes::from(vec![7; 8 * LARGE]);
        let other = piece.clone();
        give_back(vec![piece.slice(LARGE..), piece]);
        assert!(other.len() == 8 * LARGE && other.iter().all(|byte| *byte == 7));
    }
}
