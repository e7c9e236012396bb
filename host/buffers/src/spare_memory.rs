//! Gives the memory of large requests back whose answers take long.
//!
//! hyper reads a large body into a few large buffers, and begins another one of the same size when the body ends. So an
//! allocator has those that are freed among those in use, and keeps their pages: each stream whose request had 100 KB
//! held half of that for nothing. The system takes the pages back here, and gives empty ones where they are written
//! again.

use std::mem::MaybeUninit;

use bytes::{Bytes, BytesMut};
use tokio::io::ReadBuf;

/// Size in bytes of a buffer that is worth it: smaller ones share their pages with what is in use.
const LARGE: usize = 4 << 10;

/// Size in bytes of a buffer that waits to be read into and is worth it: those of small requests are used again at
/// once.
const UNREAD: usize = 16 << 10;

/// Drops the pieces of a body, and gives the memory of their buffers back where these are large and not held elsewhere.
pub fn give_back(pieces: Vec<Bytes>) {
    for mut buffer in buffers(pieces) {
        empty(buffer.spare_capacity_mut());
    }
}

/// The large buffers that these pieces alone hold. Of several pieces in one buffer the first one, which remains, has
/// all of it.
fn buffers(pieces: Vec<Bytes>) -> impl Iterator<Item = BytesMut> {
    let held_alone = pieces.into_iter().rev().filter_map(|piece| piece.try_into_mut().ok());
    held_alone.map(whole).filter(|buffer| buffer.capacity() >= LARGE)
}

/// The whole buffer, to be filled again, including the bytes before the piece, such as those of a request's head.
fn whole(mut buffer: BytesMut) -> BytesMut {
    buffer.clear();
    let length = buffer.capacity().next_power_of_two();
    // A buffer of another length stays without that place.
    let _ = buffer.try_reclaim(length);
    buffer
}

/// Gives the memory of a buffer back into which nothing was read yet, and nothing will be for long: it was another's
/// before, whose bytes are in it.
#[expect(unsafe_code, reason = "a stream whose request was large holds 4 KB more (docs/performance.md)")]
pub fn give_back_unread(buffer: &mut ReadBuf<'_>) {
    if buffer.capacity() >= UNREAD && buffer.initialized().is_empty() {
        // SAFETY: nothing in it counts as initialised, so that nothing can become uninitialised.
        empty(unsafe { buffer.unfilled_mut() });
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
    if length == 0 {
        return;
    }
    // SAFETY: these pages are within memory that is borrowed exclusively, and that is not taken for initialised.
    if let Err(error) = unsafe { madvise(whole.as_mut_ptr().cast(), length, Advice::LinuxDontNeed) } {
        tracing::debug!(%error, "the memory of a request is kept");
    }
}

/// Other systems treat such pages in other ways, so their memory is kept.
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

    #[test]
    fn a_buffer_is_given_back_whole_however_many_pieces_were_read_into_it() {
        for cuts in [vec![], vec![1], vec![LARGE, 2 * LARGE], vec![1, 3 * LARGE]] {
            let mut buffer = BytesMut::with_capacity(8 * LARGE);
            buffer.resize(4 * LARGE, 7);
            drop(buffer.split_to(300));
            let mut before = 0;
            let mut pieces: Vec<Bytes> = Vec::new();
            for cut in cuts {
                pieces.push(buffer.split_to(cut - before).freeze());
                before = cut;
            }
            pieces.push(buffer.freeze());
            let sizes: Vec<_> = buffers(pieces).map(|buffer| buffer.capacity()).collect();
            assert_eq!(sizes, [8 * LARGE]);
        }
        assert_eq!(buffers(vec![Bytes::from(vec![7; LARGE - 1])]).count(), 0);
    }
}
