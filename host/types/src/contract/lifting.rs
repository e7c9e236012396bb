//! How values of the contract are read from a component's memory.
//!
//! The derive of wasmtime looks up the type of each field, and the component's memory for each element of a list. Here
//! a record is read from its bytes with what is known of it when Weir is built, and a text in UTF-8 is checked by
//! vectors. Everything else is as in the canonical ABI, and as wasmtime does it: places are checked for bounds and
//! alignment, unknown cases are refused, and what is read counts against the limit on a call's output as before.
//!
//! `wasmtime::component::Lift` is an unsafe trait. Nothing here is: all bytes are read through slices with their bounds
//! checked. A mistake would read wrong values, which the tests of all adapters would find.

use wasmtime::component::__internal::wasmtime_environ::component::StringEncoding;
use wasmtime::component::__internal::{ComponentVariant, InterfaceType, LiftContext};
use wasmtime::component::{ComponentType, Lift};
use wasmtime::{Error, Result};

/// A value that can be read from a component's memory.
pub(super) trait Unpack: ComponentType + Sized {
    /// Reads the value from its bytes, as many as [`ComponentType::SIZE32`] says, or more.
    fn unpack(cx: &mut LiftContext<'_>, bytes: &[u8]) -> Result<Self>;

    /// Reads several values, one after the other.
    fn unpack_all(cx: &mut LiftContext<'_>, bytes: &[u8]) -> Result<Vec<Self>> {
        let mut all = Vec::with_capacity(bytes.len() / Self::SIZE32);
        for bytes in bytes.chunks_exact(Self::SIZE32) {
            all.push(Self::unpack(cx, bytes)?);
        }
        Ok(all)
    }
}

/// Reads a field behind what ends at `at`, which is then where the field ends.
#[inline]
pub(super) fn field<F: Unpack>(cx: &mut LiftContext<'_>, bytes: &[u8], at: &mut usize) -> Result<F> {
    let from = at.next_multiple_of(F::ALIGN32 as usize);
    *at = from + F::SIZE32;
    F::unpack(cx, bytes.get(from..*at).ok_or_else(beyond)?)
}

/// The number of a variant's or an enum's case.
#[inline]
pub(super) fn case(bytes: &[u8]) -> Result<u8> {
    bytes.first().copied().ok_or_else(beyond)
}

/// The error of a number that stands for no case.
#[cold]
pub(super) fn no_case(number: u8) -> Error {
    Error::msg(format!("unexpected discriminant: {number}"))
}

#[cold]
fn beyond() -> Error {
    Error::msg("a value of the contract lies beyond the component's memory")
}

#[cold]
fn unaligned() -> Error {
    Error::msg("list pointer is not aligned")
}

/// An address and a length.
#[inline]
fn pair(bytes: &[u8]) -> Result<(usize, usize)> {
    let (words, _) = bytes.as_chunks::<4>();
    let [at, len, ..] = words else { return Err(beyond()) };
    Ok((u32::from_le_bytes(*at) as usize, u32::from_le_bytes(*len) as usize))
}

/// Bytes of the component's memory.
#[inline]
fn held<'a>(cx: &LiftContext<'a>, at: usize, size: usize) -> Result<&'a [u8]> {
    at.checked_add(size).and_then(|end| cx.memory().get(at..end)).ok_or_else(beyond)
}

impl Unpack for String {
    fn unpack(cx: &mut LiftContext<'_>, bytes: &[u8]) -> Result<Self> {
        if cx.options().string_encoding != StringEncoding::Utf8 {
            return Self::linear_lift_from_memory(cx, InterfaceType::String, bytes);
        }
        let (at, len) = pair(bytes)?;
        let bytes = held(cx, at, len)?;
        cx.consume_fuel(len)?;
        match simdutf8::basic::from_utf8(bytes) {
            Ok(text) => Ok(text.to_owned()),
            // The usual error says where the text is wrong.
            Err(_) => Ok(std::str::from_utf8(bytes)?.to_owned()),
        }
    }
}

impl<E: Unpack> Unpack for Vec<E> {
    fn unpack(cx: &mut LiftContext<'_>, bytes: &[u8]) -> Result<Self> {
        let (at, len) = pair(bytes)?;
        let bytes = held(cx, at, len.checked_mul(E::SIZE32).ok_or_else(beyond)?)?;
        cx.consume_fuel_array(len, size_of::<E>())?;
        if !at.is_multiple_of(E::ALIGN32 as usize) {
            return Err(unaligned());
        }
        E::unpack_all(cx, bytes)
    }
}

impl<E: Unpack> Unpack for Option<E> {
    fn unpack(cx: &mut LiftContext<'_>, bytes: &[u8]) -> Result<Self> {
        match case(bytes)? {
            0 => Ok(None),
            1 => {
                let mut payload = <Self as ComponentVariant>::PAYLOAD_OFFSET32;
                field(cx, bytes, &mut payload).map(Some)
            }
            other => Err(no_case(other)),
        }
    }
}

impl Unpack for bool {
    fn unpack(_: &mut LiftContext<'_>, bytes: &[u8]) -> Result<Self> {
        Ok(case(bytes)? != 0)
    }
}

impl Unpack for u8 {
    fn unpack(_: &mut LiftContext<'_>, bytes: &[u8]) -> Result<Self> {
        case(bytes)
    }

    fn unpack_all(_: &mut LiftContext<'_>, bytes: &[u8]) -> Result<Vec<Self>> {
        Ok(bytes.to_vec())
    }
}

macro_rules! numbers {
    ($($number:ty),+) => {
        $(impl Unpack for $number {
            fn unpack(_: &mut LiftContext<'_>, bytes: &[u8]) -> Result<Self> {
                Ok(Self::from_le_bytes(*bytes.first_chunk().ok_or_else(beyond)?))
            }

            fn unpack_all(_: &mut LiftContext<'_>, bytes: &[u8]) -> Result<Vec<Self>> {
                let (numbers, _) = bytes.as_chunks();
                Ok(numbers.iter().map(|bytes| Self::from_le_bytes(*bytes)).collect())
            }
        })+
    };
}

numbers!(u16, u32, f64);
