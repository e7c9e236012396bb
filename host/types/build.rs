//! Writes the contract's types as plain Rust: one module for each interface of `wit/` that the whole host speaks in.
//!
//! The sandbox's own generator would tie them to wasmtime. Here they are free of it unless the feature `component` asks
//! for the derives with which they cross its border; the crates below the sandbox, and the fuzz targets, link none of it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

use wit_parser::{Docs, Interface, Resolve, Type, TypeDef, TypeDefKind, TypeId, TypeOwner};

/// The contract, from here.
const CONTRACT: &str = "../../wit";
/// The interfaces whose types the host speaks in.
const INTERFACES: [&str; 2] = ["types", "about"];

fn main() -> io::Result<()> {
    let here = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let contract = here.join(CONTRACT);
    println!("cargo:rerun-if-changed={}", contract.display());
    let place = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default()).join("contract.rs");
    fs::write(place, generate(&contract)?)
}

fn generate(contract: &Path) -> io::Result<String> {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(contract).map_err(io::Error::other)?;
    let mut text = String::new();
    for name in INTERFACES {
        let missing = || io::Error::other(format!("the contract has no interface `{name}`"));
        let id = resolve.packages[package].interfaces.get(name).ok_or_else(missing)?;
        text += &Module { resolve: &resolve, interface: &resolve.interfaces[*id] }.write();
    }
    Ok(text)
}

/// One interface as a module.
struct Module<'a> {
    resolve: &'a Resolve,
    interface: &'a Interface,
}

impl Module<'_> {
    fn write(&self) -> String {
        let mut text = documentation(&self.interface.docs, "//!");
        text.insert_str(0, &format!("pub mod {} {{\n", snake(self.interface.name.as_deref().unwrap_or_default())));
        for (name, id) in &self.interface.types {
            text += &self.definition(name, *id);
        }
        text + "}\n"
    }

    fn definition(&self, name: &str, id: TypeId) -> String {
        let def = &self.resolve.types[id];
        let docs = documentation(&def.docs, "///");
        let name = camel(name);
        match &def.kind {
            TypeDefKind::Record(record) => {
                let fields = record.fields.iter().map(|field| {
                    let docs = documentation(&field.docs, "///");
                    let plain = snake(&field.name);
                    format!("{docs}{} pub {plain}: {},\n", named(&field.name), self.spelled(&field.ty))
                });
                let body: String = fields.collect();
                format!("{docs}{}pub struct {name} {{\n{body}}}\n", self.derives("record", id, false))
            }
            TypeDefKind::Variant(variant) => {
                let cases = variant.cases.iter().map(|case| {
                    let docs = documentation(&case.docs, "///");
                    let payload = case.ty.map(|ty| format!("({})", self.spelled(&ty))).unwrap_or_default();
                    format!("{docs}{} {}{payload},\n", named(&case.name), camel(&case.name))
                });
                let body: String = cases.collect();
                format!("{docs}{}pub enum {name} {{\n{body}}}\n", self.derives("variant", id, false))
            }
            TypeDefKind::Enum(cases) => {
                let count = cases.cases.len();
                let names: Vec<String> =
                    cases.cases.iter().map(|case| format!("Self::{}", camel(&case.name))).collect();
                let names = names.join(", ");
                let cases = cases.cases.iter().map(|case| {
                    format!("{}{} {},\n", documentation(&case.docs, "///"), named(&case.name), camel(&case.name))
                });
                let body: String = cases.collect();
                let size = "#[cfg_attr(feature = \"component\", repr(u8))]\n";
                let all =
                    format!("/// All of them, in the contract's order.\npub const ALL: [Self; {count}] = [{names}];");
                let kind = self.derives("enum", id, true);
                format!("{docs}{kind}{size}pub enum {name} {{\n{body}}}\nimpl {name} {{\n{all}\n}}\n")
            }
            TypeDefKind::Type(ty) => match ty {
                Type::Id(of) if self.resolve.types[*of].owner != def.owner => {
                    format!("pub use {};\n", self.spelled(ty))
                }
                ty => format!("{docs}pub type {name} = {};\n", self.spelled(ty)),
            },
            other => format!("compile_error!({:?});\n", format!("`{name}` is of a kind not known here: {other:?}")),
        }
    }

    /// What such a type can do; the component model's derives only where they are asked for.
    fn derives(&self, kind: &str, id: TypeId, is_enum: bool) -> String {
        let mut plain = vec!["Debug", "Clone", "PartialEq", "serde::Serialize", "serde::Deserialize"];
        if self.is_copy(&Type::Id(id)) {
            plain.push("Copy");
        }
        if is_enum {
            plain.extend(["Eq", "Hash"]);
        }
        format!(
            "#[derive({})]\n#[cfg_attr(feature = \"component\", derive(wasmtime::component::ComponentType, \
             wasmtime::component::Lift, wasmtime::component::Lower), component({kind}))]\n",
            plain.join(", ")
        )
    }

    /// Whether a type holds no memory of its own.
    fn is_copy(&self, ty: &Type) -> bool {
        let Type::Id(id) = ty else { return !matches!(ty, Type::String) };
        match &self.resolve.types[*id].kind {
            TypeDefKind::Record(record) => record.fields.iter().all(|field| self.is_copy(&field.ty)),
            TypeDefKind::Variant(variant) => {
                variant.cases.iter().all(|case| case.ty.is_none_or(|ty| self.is_copy(&ty)))
            }
            TypeDefKind::Enum(_) => true,
            TypeDefKind::Option(of) | TypeDefKind::Type(of) => self.is_copy(of),
            _ => false,
        }
    }

    /// A type as Rust spells it, seen from this module.
    fn spelled(&self, ty: &Type) -> String {
        let plain = match ty {
            Type::Bool => "bool",
            Type::U8 => "u8",
            Type::U16 => "u16",
            Type::U32 => "u32",
            Type::U64 => "u64",
            Type::S8 => "i8",
            Type::S16 => "i16",
            Type::S32 => "i32",
            Type::S64 => "i64",
            Type::F32 => "f32",
            Type::F64 => "f64",
            Type::Char => "char",
            Type::String => "String",
            Type::Id(id) => return self.defined(&self.resolve.types[*id]),
            Type::ErrorContext => "compile_error!(\"the contract has no error contexts\")",
        };
        plain.to_owned()
    }

    fn defined(&self, def: &TypeDef) -> String {
        match (&def.name, &def.kind) {
            (Some(name), _) => match def.owner {
                TypeOwner::Interface(owner) if self.resolve.interfaces[owner].name != self.interface.name => {
                    let module = self.resolve.interfaces[owner].name.as_deref().unwrap_or_default();
                    format!("super::{}::{}", snake(module), camel(name))
                }
                _ => camel(name),
            },
            (None, TypeDefKind::Option(of)) => format!("Option<{}>", self.spelled(of)),
            (None, TypeDefKind::List(of)) => format!("Vec<{}>", self.spelled(of)),
            (None, other) => format!("compile_error!({:?})", format!("a type not known here: {other:?}")),
        }
    }
}

/// The name that the component model knows.
fn named(name: &str) -> String {
    format!("#[cfg_attr(feature = \"component\", component(name = {name:?}))]\n")
}

fn documentation(docs: &Docs, mark: &str) -> String {
    let mut text = String::new();
    for line in docs.contents.as_deref().unwrap_or("The contract has it.").lines() {
        let _ = writeln!(text, "{mark} {line}");
    }
    text
}

fn camel(name: &str) -> String {
    name.split('-').map(|word| word[..1].to_uppercase() + &word[1..]).collect()
}

/// A field's name; Rust's own words get an underscore, as its bindings elsewhere have it.
fn snake(name: &str) -> String {
    let plain = name.replace('-', "_");
    let is_taken = matches!(plain.as_str(), "type" | "ref" | "match" | "use" | "move" | "in" | "as" | "static");
    if is_taken { plain + "_" } else { plain }
}
