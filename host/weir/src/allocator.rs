//! mimalloc as the program's allocator. Its calls that take an alignment are used only where one is needed: for most
//! sizes that are no power of two they ask for some bytes more, from pages of another size, and take a longer way each
//! time, a quarter of a relayed request's allocations.

#![expect(unsafe_code, reason = "an allocator is an unsafe trait, and mimalloc is written in C")]

use std::alloc::{GlobalAlloc, Layout};

use libmimalloc_sys::{
    mi_free, mi_malloc, mi_malloc_aligned, mi_realloc, mi_realloc_aligned, mi_zalloc, mi_zalloc_aligned,
};

/// The alignment in bytes that every allocation of mimalloc has, whatever its size.
const ALWAYS: usize = 8;

/// The allocator.
pub(crate) struct Mimalloc;

// SAFETY: each call is mimalloc's own of the same meaning. It returns memory of the size that is asked for, or null;
// and without an alignment in the call, memory that begins at a multiple of `ALWAYS`.
unsafe impl GlobalAlloc for Mimalloc {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let (size, align) = (layout.size(), layout.align());
        // SAFETY: any size may be asked for, and the alignment is a power of two.
        unsafe { if align <= ALWAYS { mi_malloc(size) } else { mi_malloc_aligned(size, align) } }.cast()
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let (size, align) = (layout.size(), layout.align());
        // SAFETY: as above.
        unsafe { if align <= ALWAYS { mi_zalloc(size) } else { mi_zalloc_aligned(size, align) } }.cast()
    }

    #[inline]
    unsafe fn dealloc(&self, place: *mut u8, _layout: Layout) {
        // SAFETY: the caller got this place from here and gives it back once.
        unsafe { mi_free(place.cast()) }
    }

    #[inline]
    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let (place, align) = (place.cast(), layout.align());
        // SAFETY: the caller got this place from here with this alignment.
        unsafe { if align <= ALWAYS { mi_realloc(place, size) } else { mi_realloc_aligned(place, size, align) } }.cast()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_begins_where_its_alignment_asks() {
        let sizes = (1..200).chain([255, 1000, 4096, 5000, 70_000, 3_000_000]);
        for (size, align) in sizes.flat_map(|size| [1, 2, 4, 8, 16, 32, 64, 4096].map(|align| (size, align))) {
            let (layout, twice) = (Layout::from_size_align(size, align).unwrap(), size * 2);
            // SAFETY: the sizes are not zero, and each place is used within its size and freed once.
            unsafe {
                let place = Mimalloc.alloc(layout);
                place.write_bytes(7, size);
                let larger = Mimalloc.realloc(place, layout, twice);
                let zeroed = Mimalloc.alloc_zeroed(layout);
                assert!([place, larger, zeroed].iter().all(|place| place.addr() % align == 0), "{size} {align}");
                assert_eq!((larger.add(size - 1).read(), zeroed.add(size - 1).read()), (7, 0));
                Mimalloc.dealloc(larger, Layout::from_size_align(twice, align).unwrap());
                Mimalloc.dealloc(zeroed, layout);
            }
        }
    }
}
