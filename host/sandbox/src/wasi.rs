//! An inert WASI.
//!
//! An adapter is a pure function and needs no WASI. The runtimes of some languages (Python, JavaScript, Go, Rust's
//! wasip2) import it nevertheless, and some abort at once if a clock or a seed traps. They get an implementation with
//! no files, no sockets, no arguments, no environment, a constant clock and a constant seed. Standard output and
//! standard error are kept for the log, because they contain tracebacks.
//!
//! The `wasmtime-wasi` crate serves only components with grants ([`crate::granted_wasi`]): its preview 2 brings async
//! and tokio into every store, its synchronous linker blocks the worker, and even an empty context has live clocks and
//! random numbers, so an adapter would no longer be a pure function of its input. This implementation is complete
//! because it is derived from the component's own type: each function returns the zero value of its result type, except
//! for the few that `answer` lists.
//!
//! A component without imports never uses this.

use wasmtime::component::types::{ComponentItem, Variant};
use wasmtime::component::{Component, Linker, Resource, ResourceType, Type, Val};
use wasmtime::{StoreContextMut, bail};

use super::state::{Exited, State};

/// Maximum size of one random answer and of one write, in bytes.
const AT_ONCE: u64 = 4096;
/// The host side of every resource.
struct Nothing;

/// Defines those imports from WASI whose interface is `wanted`.
pub(super) fn link(
    linker: &mut Linker<State>,
    component: &Component,
    wanted: impl Fn(&str) -> bool,
) -> wasmtime::Result<()> {
    let engine = linker.engine().clone();
    for (name, item) in component.component_type().imports(&engine) {
        let ComponentItem::ComponentInstance(interface) = item.ty else { continue };
        if !name.starts_with("wasi:") || !wanted(name) {
            continue;
        }
        let mut instance = linker.instance(name)?;
        for (member, item) in interface.exports(&engine) {
            match item.ty {
                ComponentItem::Resource(_) => {
                    instance.resource(member, ResourceType::host::<Nothing>(), |_, _| Ok(()))?;
                }
                ComponentItem::ComponentFunc(function) => {
                    let results: Vec<Type> = function.results().collect();
                    let closed = name.starts_with("wasi:sockets/") || name.starts_with("wasi:filesystem/");
                    let called = member.to_owned();
                    instance.func_new(member, move |mut store, _, args, out| {
                        let value = answer(&mut store, &called, closed, args, results.first())?;
                        if let (Some(out), Some(value)) = (out.first_mut(), value) {
                            *out = value;
                        }
                        give_back(&mut store, args)
                    })?;
                }
                _ => {}
            }
        }
    }
    Ok(())
}

/// Drops the handles among the arguments. A call fails if borrows remain.
fn give_back(store: &mut StoreContextMut<'_, State>, args: &[Val]) -> wasmtime::Result<()> {
    for value in args {
        match value {
            Val::Resource(handle) => (*handle).resource_drop(&mut *store)?,
            Val::List(items) => give_back(store, items)?,
            _ => {}
        }
    }
    Ok(())
}

fn answer(
    store: &mut StoreContextMut<'_, State>,
    called: &str,
    closed: bool,
    args: &[Val],
    result: Option<&Type>,
) -> wasmtime::Result<Option<Val>> {
    if matches!(called, "exit" | "exit-with-code") {
        return Err(Exited.into());
    }
    let Some(result) = result else {
        if called == "[method]output-stream.write" {
            write(store, args);
        }
        return Ok(None);
    };
    let value = match (called, result, args) {
        // Go aborts if the clock is zero.
        ("now", Type::U64, _) => Val::U64(1),
        ("get-random-bytes" | "get-insecure-random-bytes", _, [Val::U64(length)]) => {
            Val::List((0..(*length).min(AT_ONCE)).map(|i| Val::U8(i as u8)).collect())
        }
        ("[method]output-stream.check-write", ..) => ok(Val::U64(AT_ONCE)),
        ("[method]output-stream.write" | "[method]output-stream.blocking-write-and-flush", ..) => {
            write(store, args);
            Val::Result(Ok(None))
        }
        ("[method]input-stream.read" | "[method]input-stream.blocking-read", Type::Result(ty), _) => {
            Val::Result(Err(ty.err().map(|ty| end_of_stream(store, &ty)).transpose()?.map(Box::new)))
        }
        ("poll", _, [Val::List(pollables)]) => Val::List((0..pollables.len() as u32).map(Val::U32).collect()),
        ("[method]pollable.ready", ..) => Val::Bool(true),
        (_, Type::Result(ty), _) if closed => {
            Val::Result(Err(ty.err().map(|ty| zero(store, &ty)).transpose()?.map(Box::new)))
        }
        _ => zero(store, result)?,
    };
    Ok(Some(value))
}

fn ok(value: Val) -> Val {
    Val::Result(Ok(Some(Box::new(value))))
}

fn write(store: &mut StoreContextMut<'_, State>, args: &[Val]) {
    let Some(Val::List(items)) = args.get(1) else { return };
    let bytes: Vec<u8> =
        items.iter().filter_map(|item| if let Val::U8(byte) = item { Some(*byte) } else { None }).collect();
    store.data_mut().write_stderr(&bytes);
}

/// The error `stream-error.closed`.
fn end_of_stream(store: &mut StoreContextMut<'_, State>, ty: &Type) -> wasmtime::Result<Val> {
    match ty {
        Type::Variant(cases) if cases.cases().any(|case| case.name == "closed") => {
            Ok(Val::Variant("closed".to_owned(), None))
        }
        _ => zero(store, ty),
    }
}

/// The zero value of a type.
fn zero(store: &mut StoreContextMut<'_, State>, ty: &Type) -> wasmtime::Result<Val> {
    Ok(match ty {
        Type::Bool => Val::Bool(false),
        Type::U8 => Val::U8(0),
        Type::S8 => Val::S8(0),
        Type::U16 => Val::U16(0),
        Type::S16 => Val::S16(0),
        Type::U32 => Val::U32(0),
        Type::S32 => Val::S32(0),
        Type::U64 => Val::U64(0),
        Type::S64 => Val::S64(0),
        Type::Float32 => Val::Float32(0.0),
        Type::Float64 => Val::Float64(0.0),
        Type::Char => Val::Char('\0'),
        Type::String => Val::String(String::new()),
        Type::List(_) => Val::List(Vec::new()),
        Type::Option(_) => Val::Option(None),
        Type::Flags(_) => Val::Flags(Vec::new()),
        Type::Enum(ty) => Val::Enum(ty.names().next().unwrap_or_default().to_owned()),
        Type::Tuple(ty) => Val::Tuple(ty.types().map(|ty| zero(store, &ty)).collect::<Result<_, _>>()?),
        Type::Record(ty) => {
            let field =
                |field: wasmtime::component::types::Field<'_>| Ok((field.name.to_owned(), zero(store, &field.ty)?));
            Val::Record(ty.fields().map(field).collect::<wasmtime::Result<_>>()?)
        }
        Type::Result(ty) => Val::Result(Ok(ty.ok().map(|ty| zero(store, &ty)).transpose()?.map(Box::new))),
        Type::Variant(ty) => first_case(store, ty)?,
        Type::Own(_) => Val::Resource(Resource::<Nothing>::new_own(0).try_into_resource_any(&mut *store)?),
        other => bail!("WASI has no answer of type {other:?}"),
    })
}

fn first_case(store: &mut StoreContextMut<'_, State>, ty: &Variant) -> wasmtime::Result<Val> {
    let Some(case) = ty.cases().next() else { bail!("a variant without cases") };
    let value = case.ty.map(|ty| zero(store, &ty)).transpose()?;
    Ok(Val::Variant(case.name.to_owned(), value.map(Box::new)))
}
