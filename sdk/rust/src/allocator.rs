//! The memory of an adapter.
//!
//! Reading and writing JSON takes and frees many small blocks, and so does each value that crosses to the host. Freed
//! small blocks are kept in a list for each size, and new ones are cut from a larger block one after the other, so that
//! taking and freeing are a few instructions and what an exchange touches lies close together. An instance has one
//! thread and lives for a bounded number of exchanges; small blocks are not joined again. Larger blocks are the
//! standard library's allocator's, changed to use the memory that an instance starts with: the original requests more
//! at once, which costs each instance two system calls.

use std::alloc::{GlobalAlloc, Layout};
use std::cell::UnsafeCell;
use std::ptr;

/// The step between sizes of small blocks, and their alignment, in bytes.
const STEP: usize = 16;
/// The largest small block, in bytes.
const MAX_SMALL_BLOCK: usize = 1024;
/// The number of sizes.
const SIZES: usize = MAX_SMALL_BLOCK / STEP;
/// How much small blocks are cut from at a time, in bytes.
const CHUNK: usize = 16 * 1024;

/// Small blocks in front of an allocator of large ones.
pub(crate) struct Allocator<A> {
    small: UnsafeCell<Small>,
    large: A,
}

/// The small blocks that are free.
struct Small {
    /// The last freed block of each size; its first word is the address of the one freed before.
    freed: [*mut u8; SIZES],
    /// What is left of the last chunk.
    rest: *mut u8,
    left: usize,
}

impl<A> Allocator<A> {
    /// An allocator without any small blocks yet.
    pub(crate) const fn new(large: A) -> Self {
        let small = Small { freed: [ptr::null_mut(); SIZES], rest: ptr::null_mut(), left: 0 };
        Self { small: UnsafeCell::new(small), large }
    }
}

/// The place of a small block's size in the list; `None` for a large block.
fn place(layout: Layout) -> Option<usize> {
    let is_small = layout.size() <= MAX_SMALL_BLOCK && layout.align() <= STEP;
    is_small.then(|| layout.size().saturating_sub(1) / STEP)
}

#[expect(unsafe_code, reason = "an instance has one thread")]
// SAFETY: components are built without threads; a test uses its allocator from one thread only.
unsafe impl<A> Sync for Allocator<A> {}

#[expect(unsafe_code, reason = "blocks of memory")]
impl<A: GlobalAlloc> Allocator<A> {
    /// Takes a small block.
    unsafe fn take(&self, place: usize) -> *mut u8 {
        // SAFETY: there is one thread, and no reference to the blocks outlives a call.
        let small = unsafe { &mut *self.small.get() };
        let Some(freed) = small.freed.get_mut(place) else { return ptr::null_mut() };
        if !freed.is_null() {
            let block = *freed;
            // SAFETY: the block is free, and was given its first word when it was freed.
            *freed = unsafe { block.cast::<*mut u8>().read_unaligned() };
            return block;
        }
        let size = (place + 1) * STEP;
        if small.left < size {
            // SAFETY: neither the size nor the alignment is zero. What was left of the former chunk stays unused.
            let chunk = unsafe { self.large.alloc(Layout::from_size_align_unchecked(CHUNK, STEP)) };
            if chunk.is_null() {
                return chunk;
            }
            (small.rest, small.left) = (chunk, CHUNK);
        }
        let block = small.rest;
        // SAFETY: at least `size` bytes are left.
        small.rest = unsafe { block.add(size) };
        small.left -= size;
        block
    }

    /// Frees a small block.
    unsafe fn put(&self, block: *mut u8, place: usize) {
        // SAFETY: as in `take`; a block has room for an address, and is aligned for one.
        let small = unsafe { &mut *self.small.get() };
        let Some(freed) = small.freed.get_mut(place) else { return };
        // SAFETY: as above.
        unsafe { block.cast::<*mut u8>().write_unaligned(*freed) };
        *freed = block;
    }
}

#[expect(unsafe_code, reason = "blocks of memory")]
// SAFETY: a small block is at least as long and aligned as its layout asks for, is in one list or in use, and its place
// follows from its layout alone. Large blocks are those of the other allocator.
unsafe impl<A: GlobalAlloc> GlobalAlloc for Allocator<A> {
    // Not copied to each place that allocates: that would make an adapter a quarter larger.
    #[inline(never)]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises.
        unsafe {
            match place(layout) {
                Some(place) => self.take(place),
                None => self.large.alloc(layout),
            }
        }
    }

    #[inline(never)]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises.
        unsafe {
            match place(layout) {
                Some(place) => self.put(block, place),
                None => self.large.dealloc(block, layout),
            }
        }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises; a small block may have been used before.
        unsafe {
            let Some(place) = place(layout) else { return self.large.alloc_zeroed(layout) };
            let block = self.take(place);
            if !block.is_null() {
                block.write_bytes(0, layout.size());
            }
            block
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller's promises.
        unsafe {
            let new = Layout::from_size_align_unchecked(size, layout.align());
            match (place(layout), place(new)) {
                (None, None) => return self.large.realloc(block, layout, size),
                (Some(before), Some(after)) if before == after => return block,
                _ => {}
            }
            let moved = self.alloc(new);
            if !moved.is_null() {
                ptr::copy_nonoverlapping(block, moved, layout.size().min(size));
                self.dealloc(block, layout);
            }
            moved
        }
    }
}

#[cfg(test)]
#[expect(unsafe_code, reason = "blocks of memory")]
mod tests {
    use std::alloc::System;

    use proptest::prelude::*;

    use super::*;

    /// A block in use, filled with one byte.
    struct Block {
        at: *mut u8,
        layout: Layout,
        fill: u8,
    }

    impl Block {
        fn is_whole(&self, len: usize) -> bool {
            // SAFETY: the block is in use.
            unsafe { std::slice::from_raw_parts(self.at, len) }.iter().all(|byte| *byte == self.fill)
        }
    }

    proptest! {
        #[test]
        fn blocks_keep_their_contents_and_never_overlap(
            steps in prop::collection::vec((0u8..4, 1usize..3000, 0u32..6, any::<u8>(), any::<prop::sample::Index>()), 1..200),
        ) {
            let allocator = Allocator::new(System);
            let mut used: Vec<Block> = Vec::new();
            for (step, size, align, fill, which) in steps {
                let layout = Layout::from_size_align(size, 1 << align).unwrap();
                // SAFETY: each block is freed once, with the layout that it has.
                unsafe {
                    match step {
                        0 | 1 => {
                            let at = if step == 0 { allocator.alloc(layout) } else { allocator.alloc_zeroed(layout) };
                            prop_assert_eq!(at.addr() % layout.align(), 0);
                            let empty = Block { at, layout, fill: 0 };
                            prop_assert!(step == 0 || empty.is_whole(size));
                            at.write_bytes(fill, size);
                            used.push(Block { at, layout, fill });
                        }
                        _ if used.is_empty() => {}
                        2 => {
                            let block = used.swap_remove(which.index(used.len()));
                            prop_assert!(block.is_whole(block.layout.size()));
                            allocator.dealloc(block.at, block.layout);
                        }
                        _ => {
                            let place = which.index(used.len());
                            let block = &mut used[place];
                            block.at = allocator.realloc(block.at, block.layout, size);
                            prop_assert_eq!(block.at.addr() % block.layout.align(), 0);
                            prop_assert!(block.is_whole(block.layout.size().min(size)));
                            block.layout = Layout::from_size_align(size, block.layout.align()).unwrap();
                            block.at.write_bytes(block.fill, size);
                        }
                    }
                }
            }
            prop_assert!(used.iter().all(|block| block.is_whole(block.layout.size())));
        }
    }

    #[test]
    fn a_freed_block_is_used_again() {
        let allocator = Allocator::new(System);
        let layout = Layout::from_size_align(20, 4).unwrap();
        // SAFETY: each block is freed once, with its layout.
        unsafe {
            let first = allocator.alloc(layout);
            allocator.dealloc(first, layout);
            let grown = allocator.realloc(allocator.alloc(layout), layout, 32);
            assert_eq!(first, grown, "of the same size");
        }
    }
}
