//! How values of the contract are read from a component's memory, as code: see `src/contract/lifting.rs`.

use std::fmt::Write as _;

/// For a record with these fields, in order: itself from its bytes, and wasmtime's `Lift` by that.
pub(crate) fn of_record(name: &str, fields: &[String]) -> String {
    let (mut unpacked, mut flat) = (String::new(), String::new());
    for (index, field) in fields.iter().enumerate() {
        let _ = writeln!(unpacked, "{field}: lifting::field(cx, bytes, &mut at)?,");
        let _ = writeln!(flat, "{field}: Lift::linear_lift_from_flat(cx, ty.fields[{index}].ty, &src.{field})?,");
    }
    let unpacked = unpacks(name, &format!("let mut at = 0;\nOk(Self {{\n{unpacked}}})"));
    format!(
        "{unpacked}#[cfg(feature = \"component\")]
const _: () = {{
use crate::contract::lifting;
use wasmtime::component::{{Lift, __internal as internal}};
#[allow(unsafe_code, reason = \"see crate::contract::lifting\")]
// SAFETY: each field is read by its own type, at the place that wasmtime's sizes and alignments give it, from slices
// whose bounds are checked; those and the check of the type are derived by wasmtime.
unsafe impl Lift for {name} {{
fn linear_lift_from_flat(cx: &mut internal::LiftContext<'_>, ty: internal::InterfaceType, src: &Self::Lower) \
-> wasmtime::Result<Self> {{
let ty = match ty {{ internal::InterfaceType::Record(i) => &cx.types[i], _ => internal::bad_type_info() }};
Ok(Self {{
{flat}}})
}}
fn linear_lift_from_memory(cx: &mut internal::LiftContext<'_>, _: internal::InterfaceType, bytes: &[u8]) \
-> wasmtime::Result<Self> {{
lifting::Unpack::unpack(cx, bytes)
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
            writeln!(arms, "{index} => Ok(Self::{case}(lifting::field(cx, bytes, &mut payload)?)),")
        } else {
            writeln!(arms, "{index} => Ok(Self::{case}),")
        };
    }
    let payload =
        format!("let mut payload = <{name} as wasmtime::component::__internal::ComponentVariant>::PAYLOAD_OFFSET32;\n");
    let no_case = "case => Err(lifting::no_case(case)),\n";
    unpacks(name, &format!("{payload}let _ = (&cx, &mut payload);\nmatch lifting::case(bytes)? {{\n{arms}{no_case}}}"))
}

/// For an enum, whose values are one byte.
pub(crate) fn of_enum(name: &str) -> String {
    let value = "let _ = cx;\nlet case = lifting::case(bytes)?;\n";
    unpacks(name, &format!("{value}Self::ALL.get(usize::from(case)).copied().ok_or_else(|| lifting::no_case(case))"))
}

fn unpacks(name: &str, body: &str) -> String {
    format!(
        "#[cfg(feature = \"component\")]
const _: () = {{
use crate::contract::lifting;
impl lifting::Unpack for {name} {{
fn unpack(cx: &mut wasmtime::component::__internal::LiftContext<'_>, bytes: &[u8]) -> wasmtime::Result<Self> {{
{body}
}}
}}
}};
"
    )
}
