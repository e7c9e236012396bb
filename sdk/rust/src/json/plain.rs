//! Finds the end of plain text in a JSON string: the next quote, backslash or control character.
//!
//! Reading and writing spend most of their time here, so that the search goes by words, and in the sandbox by the
//! vectors that every engine of components has.

/// The lowest byte of every byte of a word.
const ONES: u64 = u64::MAX / 255;

/// The number of bytes before the first quote, backslash or control character; all of them if there is none.
#[cfg_attr(target_arch = "wasm32", target_feature(enable = "simd128"))]
pub(super) fn length(text: &[u8]) -> usize {
    let Some(block) = text.first_chunk() else { return short(text) };
    match marks(block) {
        0 => long(text),
        found => found.trailing_zeros() as usize,
    }
}

/// [`length`] of a text that begins with sixteen plain bytes. Not inlined, since most strings are short.
#[inline(never)]
#[cfg_attr(target_arch = "wasm32", target_feature(enable = "simd128"))]
fn long(text: &[u8]) -> usize {
    let mut at = 16;
    let (fours, _) = text.get(at..).unwrap_or_default().as_chunks();
    at += 64 * fours.iter().take_while(|four| all_plain(four)).count();
    let (blocks, _) = text.get(at..).unwrap_or_default().as_chunks();
    for block in blocks {
        let found = marks(block);
        if found != 0 {
            return at + found.trailing_zeros() as usize;
        }
        at += 16;
    }
    // The rest is read together with bytes before it, which are plain.
    let Some(block) = text.last_chunk() else { return text.len() };
    match marks(block) {
        0 => text.len(),
        found => text.len() - 16 + found.trailing_zeros() as usize,
    }
}

/// [`length`] of a text of fewer than sixteen bytes.
fn short(text: &[u8]) -> usize {
    if let (Some(head), Some(tail)) = (text.first_chunk(), text.last_chunk()) {
        let (head, tail) = (u64::from_le_bytes(*head), u64::from_le_bytes(*tail));
        return if special(head) == 0 { ending(tail, text.len()) } else { place(head) };
    }
    if let (Some(head), Some(tail)) = (text.first_chunk(), text.last_chunk()) {
        let (head, tail) = (u32::from_le_bytes(*head), u32::from_le_bytes(*tail));
        let at = place(u64::from(head) | u64::from(tail) << 32);
        return if at < 4 { at } else { text.len() + at - 8 };
    }
    text.iter().position(|byte| *byte < 0x20 || matches!(byte, b'"' | b'\\')).unwrap_or(text.len())
}

/// The end of a plain text of this length whose last eight bytes are the word.
fn ending(word: u64, length: usize) -> usize {
    length + place(word) - 8
}

/// The index of a word's first special byte; eight if all are plain.
fn place(word: u64) -> usize {
    special(word).trailing_zeros() as usize / 8
}

/// Marks the special bytes of a word by their top bits. The lowest mark is exact; a borrow can only set false ones
/// above it.
fn special(word: u64) -> u64 {
    // A zero byte borrows into its top bit, and so does one below the space.
    let zero = |word: u64| word.wrapping_sub(ONES) & !word;
    let found = zero(word ^ (ONES * u64::from(b'"')))
        | zero(word ^ (ONES * u64::from(b'\\')))
        | (word.wrapping_sub(ONES * 0x20) & !word);
    found & (ONES * 0x80)
}

/// One bit for each byte, set if it is special.
#[cfg(target_arch = "wasm32")]
#[target_feature(enable = "simd128")]
fn marks(block: &[u8; 16]) -> u32 {
    u32::from(core::arch::wasm32::u8x16_bitmask(specials(block)))
}

/// Whether none of the bytes is special.
#[cfg(target_arch = "wasm32")]
#[target_feature(enable = "simd128")]
fn all_plain(four: &[u8; 64]) -> bool {
    use core::arch::wasm32::{v128_any_true, v128_or};
    let (blocks, _) = four.as_chunks();
    let [one, two, three, four] = blocks else { return false };
    !v128_any_true(v128_or(v128_or(specials(one), specials(two)), v128_or(specials(three), specials(four))))
}

/// Sets all bits of the special bytes.
#[cfg(target_arch = "wasm32")]
#[target_feature(enable = "simd128")]
fn specials(block: &[u8; 16]) -> core::arch::wasm32::v128 {
    use core::arch::wasm32::{i8x16_gt, i8x16_splat, u8x16_eq, u8x16_splat, u64x2, v128_or, v128_xor};
    let bits = u128::from_le_bytes(*block);
    let text = u64x2(bits as u64, (bits >> 64) as u64);
    // With these bits changed, the control characters are the lowest of all signed bytes, and the quote comes directly
    // after them: machines compare signed bytes with one instruction.
    let moved = v128_xor(text, u8x16_splat(b'"' ^ b' ' ^ 0x80));
    let low = i8x16_gt(i8x16_splat(i8::MIN + 0x21), moved);
    v128_or(low, u8x16_eq(text, u8x16_splat(b'\\')))
}

/// Whether none of the bytes is special.
#[cfg(not(target_arch = "wasm32"))]
fn all_plain(four: &[u8; 64]) -> bool {
    four.as_chunks().0.iter().all(|word| special(u64::from_le_bytes(*word)) == 0)
}

/// One bit for each byte, set if it is special, except that those above the lowest may be wrong.
#[cfg(not(target_arch = "wasm32"))]
fn marks(block: &[u8; 16]) -> u32 {
    let bits = u128::from_le_bytes(*block);
    let at = match (place(bits as u64), place((bits >> 64) as u64)) {
        (8, at) => 8 + at,
        (at, _) => at,
    };
    (1u32 << at) & 0xffff
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_special_byte_is_found_in_texts_of_every_length() {
        for size in (0..70).chain(140..150) {
            for special in [b'"', b'\\', b'\n', 0, 0x1f] {
                // The bytes nearest to the special ones, and those of characters beyond ASCII.
                for filling in [b' ', b'!', b'#', b'[', b']', 0x7f, 0x80, 0xa2, 0xdc, 0xff] {
                    let mut text = vec![filling; size];
                    assert_eq!(length(&text), size);
                    for at in (0..size).rev() {
                        text[at] = special;
                        assert_eq!(length(&text), at, "{special} at {at} of {size} after {filling}");
                    }
                }
            }
        }
    }
}
