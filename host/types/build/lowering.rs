//! How values of the contract are written into a component's memory, as code: see `src/contract/lowering.rs`.

use std::fmt::Write as _;

/// For a record with these fields, in order: its bytes, and wasmtime's `Lower` by them.
pub(crate) fn of_record(name: &str, fields: &[String]) -> String {
    let (mut packed, mut flat) = (String::new(), String::new());
    for (index, field) in fields.iter().enumerate() {
        let _ = writeln!(packed, "at = lowering::field(&self.{field}, cx, out, at)?;");
        let _ = writeln!(
            flat,
            "lowering::Pack::flat(&self.{field}, cx, ty.fields[{index}].ty, internal::map_maybe_uninit!(dst.{field}))?;"
        );
    }
    let packed = packs(name, &format!("let mut at = 0;\n{packed}let _ = at;\nOk(())"));
    format!(
        "{packed}#[cfg(feature = \"component\")]
const _: () = {{
use crate::contract::lowering;
use wasmtime::component::{{ComponentType, Lower, __internal as internal}};
#[allow(unsafe_code, reason = \"see crate::contract::lowering\")]
// SAFETY: each field is written by its own type, in order, at the place that wasmtime's sizes and alignments give it;
// those and the check of the type are derived by wasmtime. Flat values are all written unless an error is returned.
unsafe impl Lower for {name} {{
fn linear_lower_to_flat<T>(&self, cx: &mut internal::LowerContext<'_, T>, ty: internal::InterfaceType, \
dst: &mut core::mem::MaybeUninit<Self::Lower>) -> wasmtime::Result<()> {{
let ty = match ty {{ internal::InterfaceType::Record(i) => &cx.types[i], _ => internal::bad_type_info() }};
{flat}Ok(())
}}
fn linear_lower_to_memory<T>(&self, cx: &mut internal::LowerContext<'_, T>, _: internal::InterfaceType, offset: usize) \
-> wasmtime::Result<()> {{
let mut bytes = [0; <{name} as ComponentType>::SIZE32];
lowering::Pack::pack(self, cx, &mut bytes)?;
lowering::write(cx, offset, &bytes)
}}
fn linear_store_list_to_memory<T>(cx: &mut internal::LowerContext<'_, T>, _: internal::InterfaceType, offset: usize, \
items: &[Self]) -> wasmtime::Result<()> {{
lowering::write_list(items, cx, offset)
}}
}}
}};
"
    )
}

/// For a variant with these cases, in order, and whether each has a payload.
pub(crate) fn of_variant(name: &str, cases: &[(String, bool)]) -> String {
    let mut arms = String::new();
    for (index, (case, has_payload)) in cases.iter().enumerate() {
        let _ = if *has_payload {
            writeln!(arms, "Self::{case}(it) => lowering::case(it, cx, out, {index}, payload),")
        } else {
            writeln!(arms, "Self::{case} => lowering::bare_case(out, {index}),")
        };
    }
    let payload =
        format!("let payload = <{name} as wasmtime::component::__internal::ComponentVariant>::PAYLOAD_OFFSET32;\n");
    packs(name, &format!("{payload}let _ = (&cx, payload);\nmatch self {{\n{arms}}}"))
}

/// For an enum, whose values are one byte.
pub(crate) fn of_enum(name: &str) -> String {
    packs(name, "let _ = cx;\nlowering::bare_case(out, *self as u8)")
}

fn packs(name: &str, body: &str) -> String {
    format!(
        "#[cfg(feature = \"component\")]
const _: () = {{
use crate::contract::lowering;
impl lowering::Pack for {name} {{
fn pack<T>(&self, cx: &mut wasmtime::component::__internal::LowerContext<'_, T>, out: &mut [u8]) -> wasmtime::Result<()> {{
{body}
}}
}}
}};
"
    )
}
