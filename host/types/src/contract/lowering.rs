//! How values of the contract are written into a component's memory.
//!
//! The derive of wasmtime looks the memory up again for each field, and enters the component for the address of each
//! empty list and text. Here a record's bytes are put together first and then copied at once, and what is empty gets an
//! address without asking for memory, the one that bindings themselves return for no bytes. Everything else is as in
//! the canonical ABI: each text and each list gets memory of its own from the component, in the same order.
//!
//! `wasmtime::component::Lower` is an unsafe trait, and hidden from its documentation, since mistakes in its sizes
//! could write beyond a buffer. None can here: sizes, alignments and the check of types are derived by wasmtime, and
//! all bytes are written through slices with their bounds checked. A mistake would give a component wrong values, which
//! the tests of all adapters would find.

use std::mem::MaybeUninit;

use wasmtime::component::__internal::{ComponentVariant, InterfaceType, LowerContext};
use wasmtime::component::{ComponentType, Lower};
use wasmtime::{Error, Result, ValRaw};

/// Lists up to this size in bytes are put together on the stack.
const SMALL: usize = 512;

/// The address of an empty text: even, as some encodings ask for it.
const EMPTY: usize = 2;

/// A value that can be written into a component's memory.
pub(super) trait Pack: ComponentType {
    /// Writes the value's bytes, as many as [`ComponentType::SIZE32`] says, all zero before. Texts and lists get memory
    /// from the component.
    fn pack<T>(&self, cx: &mut LowerContext<'_, T>, out: &mut [u8]) -> Result<()>;

    /// Writes several values one after the other.
    fn pack_all<T>(items: &[Self], cx: &mut LowerContext<'_, T>, out: &mut [u8]) -> Result<()>
    where
        Self: Sized,
    {
        items.iter().zip(out.chunks_exact_mut(Self::SIZE32)).try_for_each(|(item, place)| item.pack(cx, place))
    }

    /// Writes the value as parameters of a function.
    fn flat<T>(&self, cx: &mut LowerContext<'_, T>, ty: InterfaceType, to: &mut MaybeUninit<Self::Lower>) -> Result<()>
    where
        Self: Lower,
    {
        self.linear_lower_to_flat(cx, ty, to)
    }
}

/// Writes a field behind what ends at `at`. Returns where it ends.
#[inline]
pub(super) fn field<F: Pack, T>(value: &F, cx: &mut LowerContext<'_, T>, out: &mut [u8], at: usize) -> Result<usize> {
    let from = at.next_multiple_of(F::ALIGN32 as usize);
    let end = from + F::SIZE32;
    value.pack(cx, out.get_mut(from..end).ok_or_else(beyond)?)?;
    Ok(end)
}

/// Writes a variant's case with its payload, which begins at `payload`.
#[inline]
pub(super) fn case<F: Pack, T>(
    value: &F,
    cx: &mut LowerContext<'_, T>,
    out: &mut [u8],
    number: u8,
    payload: usize,
) -> Result<()> {
    bare_case(out, number)?;
    field(value, cx, out, payload).map(drop)
}

/// Writes a case without a payload.
#[inline]
pub(super) fn bare_case(out: &mut [u8], number: u8) -> Result<()> {
    *out.first_mut().ok_or_else(beyond)? = number;
    Ok(())
}

/// Copies bytes into the component's memory.
#[inline]
pub(super) fn write<T>(cx: &mut LowerContext<'_, T>, at: usize, bytes: &[u8]) -> Result<()> {
    let place = at.checked_add(bytes.len()).and_then(|end| cx.as_slice_mut().get_mut(at..end));
    place.ok_or_else(beyond)?.copy_from_slice(bytes);
    Ok(())
}

/// Writes a list's elements at an address that the component gave for them.
pub(super) fn write_list<E: Pack, T>(items: &[E], cx: &mut LowerContext<'_, T>, at: usize) -> Result<()> {
    let size = items.len() * E::SIZE32;
    let (mut small, mut large) = ([0; SMALL], Vec::new());
    let bytes = match small.get_mut(..size) {
        Some(bytes) => bytes,
        None => {
            large.resize(size, 0);
            large.as_mut_slice()
        }
    };
    E::pack_all(items, cx, bytes)?;
    write(cx, at, bytes)
}

/// Writes a list into memory from the component. Returns its address.
fn list<E: Pack, T>(items: &[E], cx: &mut LowerContext<'_, T>) -> Result<usize> {
    if items.is_empty() {
        return Ok(E::ALIGN32 as usize);
    }
    let size = items.len().checked_mul(E::SIZE32).ok_or_else(beyond)?;
    let at = cx.realloc(0, 0, E::ALIGN32, size)?;
    write_list(items, cx, at)?;
    Ok(at)
}

/// Writes a text into memory from the component, in its encoding. Returns its address and length.
fn text<T>(text: &str, cx: &mut LowerContext<'_, T>) -> Result<[ValRaw; 2]> {
    if text.is_empty() {
        return Ok(pair(EMPTY, 0));
    }
    let mut place = MaybeUninit::new(pair(EMPTY, 0));
    text.linear_lower_to_flat(cx, InterfaceType::String, &mut place)?;
    #[expect(unsafe_code, reason = "wasmtime writes texts to such places only")]
    // SAFETY: it was written above in any case.
    Ok(unsafe { place.assume_init() })
}

/// An address and a length as parameters.
fn pair(at: usize, len: usize) -> [ValRaw; 2] {
    [ValRaw::i64(at as i64), ValRaw::i64(len as i64)]
}

fn put_pair(pair: &[ValRaw; 2], out: &mut [u8]) -> Result<()> {
    let (words, _) = out.as_chunks_mut::<4>();
    words.iter_mut().zip(pair).for_each(|(word, value)| *word = value.get_u32().to_le_bytes());
    Ok(())
}

#[cold]
fn beyond() -> Error {
    Error::msg("a value of the contract lies beyond its place in the component's memory")
}

impl Pack for String {
    fn pack<T>(&self, cx: &mut LowerContext<'_, T>, out: &mut [u8]) -> Result<()> {
        put_pair(&text(self, cx)?, out)
    }

    fn flat<T>(&self, cx: &mut LowerContext<'_, T>, _: InterfaceType, to: &mut MaybeUninit<Self::Lower>) -> Result<()> {
        to.write(text(self, cx)?);
        Ok(())
    }
}

impl<E: Pack + Lower> Pack for Vec<E> {
    fn pack<T>(&self, cx: &mut LowerContext<'_, T>, out: &mut [u8]) -> Result<()> {
        put_pair(&pair(list(self, cx)?, self.len()), out)
    }

    fn flat<T>(&self, cx: &mut LowerContext<'_, T>, _: InterfaceType, to: &mut MaybeUninit<Self::Lower>) -> Result<()> {
        to.write(pair(list(self, cx)?, self.len()));
        Ok(())
    }
}

impl<E: Pack> Pack for Option<E> {
    fn pack<T>(&self, cx: &mut LowerContext<'_, T>, out: &mut [u8]) -> Result<()> {
        match self {
            None => bare_case(out, 0),
            Some(value) => case(value, cx, out, 1, <Self as ComponentVariant>::PAYLOAD_OFFSET32),
        }
    }
}

impl Pack for bool {
    fn pack<T>(&self, _: &mut LowerContext<'_, T>, out: &mut [u8]) -> Result<()> {
        bare_case(out, u8::from(*self))
    }
}

impl Pack for u8 {
    fn pack<T>(&self, _: &mut LowerContext<'_, T>, out: &mut [u8]) -> Result<()> {
        bare_case(out, *self)
    }

    fn pack_all<T>(items: &[Self], _: &mut LowerContext<'_, T>, out: &mut [u8]) -> Result<()> {
        out.get_mut(..items.len()).ok_or_else(beyond)?.copy_from_slice(items);
        Ok(())
    }
}

macro_rules! numbers {
    ($($number:ty),+) => {
        $(impl Pack for $number {
            fn pack<T>(&self, _: &mut LowerContext<'_, T>, out: &mut [u8]) -> Result<()> {
                *out.first_chunk_mut().ok_or_else(beyond)? = self.to_le_bytes();
                Ok(())
            }
        })+
    };
}

numbers!(u16, u32, f64);
