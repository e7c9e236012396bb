//! Generates the contract's types as plain Rust: one module for each interface of `wit/` that all crates use.
//!
//! `wasmtime::component::bindgen!` would tie these types to wasmtime. Here only the feature `component` adds the
//! derives that the component model needs, so the crates below the sandbox and the fuzz targets link no wasmtime.

#[path = "build/lifting.rs"]
mod lifting;
#[path = "build/lowering.rs"]
mod lowering;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

use wit_parser::{Docs, Interface, PackageId, Resolve, Type, TypeDef, TypeDefKind, TypeId, TypeOwner};

/// The contract's folder, relative to this crate.
const CONTRACT: &str = "../../wit";
/// The interfaces whose types are generated.
const INTERFACES: [&str; 2] = ["types", "about"];
/// Earlier versions that are still served: the module of each, and its contract.
const EARLIER: [(&str, &str); 1] = [("v0_1_0", "../../wit/v0.1.0")];

fn main() -> io::Result<()> {
    let here = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let contract = here.join(CONTRACT);
    for read in [contract.clone(), here.join("build.rs"), here.join("build")] {
        println!("cargo:rerun-if-changed={}", read.display());
    }
    let place = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default()).join("contract.rs");
    fs::write(place, generate(&here, &contract)?)
}

fn generate(here: &Path, contract: &Path) -> io::Result<String> {
    let newest = Version::read(contract)?;
    let mut text = String::new();
    for name in INTERFACES {
        text += &Module { resolve: &newest.resolve, interface: newest.interface(name)?, newest: None }.write();
    }
    for (module, folder) in EARLIER {
        let earlier = Version::read(&here.join(folder))?;
        let types = Module {
            resolve: &earlier.resolve,
            interface: earlier.interface("types")?,
            newest: Some(Newest { resolve: &newest.resolve, interface: newest.interface("types")? }),
        };
        let _ = write!(text, "pub mod {module} {{\n{}}}\n", types.write());
    }
    Ok(text)
}

/// One version of the contract.
struct Version {
    resolve: Resolve,
    package: PackageId,
}

impl Version {
    fn read(folder: &Path) -> io::Result<Self> {
        let mut resolve = Resolve::default();
        let (package, _) = resolve.push_dir(folder).map_err(io::Error::other)?;
        Ok(Self { resolve, package })
    }

    fn interface(&self, name: &str) -> io::Result<&Interface> {
        let missing = || io::Error::other(format!("the contract has no interface `{name}`"));
        let id = self.resolve.packages[self.package].interfaces.get(name).ok_or_else(missing)?;
        Ok(&self.resolve.interfaces[*id])
    }
}

/// One interface as a module.
struct Module<'a> {
    resolve: &'a Resolve,
    interface: &'a Interface,
    /// For an interface of an earlier version: the same interface of the newest. A type that has not changed is that
    /// one's; for any other there are conversions.
    newest: Option<Newest<'a>>,
}

/// The newest version of an interface.
struct Newest<'a> {
    resolve: &'a Resolve,
    interface: &'a Interface,
}

impl Module<'_> {
    fn write(&self) -> String {
        let mut text = documentation(&self.interface.docs, "//!");
        text.insert_str(0, &format!("pub mod {} {{\n", snake(self.interface.name.as_deref().unwrap_or_default())));
        for (name, id) in &self.interface.types {
            text.push_str(&self.written(name, *id));
        }
        text + "}\n"
    }

    fn written(&self, name: &str, id: TypeId) -> String {
        match &self.newest {
            None => self.definition(name, id),
            Some(newest) if newest.has(self.resolve, name, id) => {
                format!("pub use crate::contract::{}::{};\n", self.module(), camel(name))
            }
            Some(newest) => self.definition(name, id) + &self.conversions(newest, name, id),
        }
    }

    fn module(&self) -> String {
        snake(self.interface.name.as_deref().unwrap_or_default())
    }

    /// Conversions of a type that has changed: into the newest one, and back where nothing was added to choose from.
    fn conversions(&self, newest: &Newest<'_>, name: &str, id: TypeId) -> String {
        let Some(later) = newest.interface.types.get(name) else { return String::new() };
        let (own, later) = (&self.resolve.types[id].kind, &newest.resolve.types[*later].kind);
        let (old, new) = (camel(name), format!("crate::contract::{}::{}", self.module(), camel(name)));
        match (own, later) {
            (TypeDefKind::Record(own), TypeDefKind::Record(later)) => {
                let field = |name: &str, ty: &Type| {
                    let name = snake(name);
                    format!("{name}: {},", self.converted(&format!("it.{name}"), ty))
                };
                let kept: String = own.fields.iter().map(|one| field(&one.name, &one.ty)).collect();
                let is_new = |name: &str| own.fields.iter().all(|one| one.name != name);
                let added = later.fields.iter().filter(|one| is_new(&one.name));
                let added = added.map(|one| format!("{}: Default::default(),", snake(&one.name)));
                let added: String = added.collect();
                let up = format!(
                    "impl From<{old}> for {new} {{ fn from(it: {old}) -> Self {{ Self {{ {kept} {added} }} }} }}\n"
                );
                if !added.is_empty() {
                    return up;
                }
                up + &format!("impl From<{new}> for {old} {{ fn from(it: {new}) -> Self {{ Self {{ {kept} }} }} }}\n")
            }
            (TypeDefKind::Variant(own), TypeDefKind::Variant(later)) => {
                let cases = |from: &str| -> String {
                    let case = |name: &str, ty: Option<Type>| match ty {
                        None => format!("{from}::{0} => Self::{0},", camel(name)),
                        Some(ty) => {
                            format!("{from}::{0}(it) => Self::{0}({1}),", camel(name), self.converted("it", &ty))
                        }
                    };
                    own.cases.iter().map(|one| case(&one.name, one.ty)).collect()
                };
                let up = |from: &str, to: &str| {
                    let cases = cases(from);
                    format!(
                        "impl From<{from}> for {to} {{ fn from(it: {from}) -> Self {{ match it {{ {cases} }} }} }}\n"
                    )
                };
                if own.cases.len() < later.cases.len() { up(&old, &new) } else { up(&old, &new) + &up(&new, &old) }
            }
            _ => format!("compile_error!({:?});\n", format!("`{name}` has changed in a way not known here")),
        }
    }

    /// A value of one version as that of another.
    fn converted(&self, value: &str, ty: &Type) -> String {
        let Type::Id(id) = ty else { return value.to_owned() };
        let def = &self.resolve.types[*id];
        match (&def.name, &def.kind) {
            (Some(name), _) => match &self.newest {
                Some(newest) if !newest.has(self.resolve, name, *id) => format!("{value}.into()"),
                _ => value.to_owned(),
            },
            (None, TypeDefKind::Option(of)) if !self.converted("", of).is_empty() => format!("{value}.map(Into::into)"),
            (None, TypeDefKind::List(of)) if !self.converted("", of).is_empty() => {
                format!("{value}.into_iter().map(Into::into).collect()")
            }
            _ => value.to_owned(),
        }
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
                    let missing = self.if_missing(&field.ty);
                    format!("{docs}{}{missing} pub {plain}: {},\n", named(&field.name), self.spelled(&field.ty))
                });
                let body: String = fields.collect();
                let fields: Vec<String> = record.fields.iter().map(|field| snake(&field.name)).collect();
                let crossing = lowering::of_record(&name, &fields) + &lifting::of_record(&name, &fields);
                format!("{docs}{}pub struct {name} {{\n{body}}}\n{crossing}", self.derives("record", id))
            }
            TypeDefKind::Variant(variant) => {
                let cases = variant.cases.iter().map(|case| {
                    let docs = documentation(&case.docs, "///");
                    let payload = case.ty.map(|ty| format!("({})", self.spelled(&ty))).unwrap_or_default();
                    format!("{docs}{} {}{payload},\n", named(&case.name), camel(&case.name))
                });
                let body: String = cases.collect();
                let cases: Vec<(String, bool)> =
                    variant.cases.iter().map(|case| (camel(&case.name), case.ty.is_some())).collect();
                let crossing = lowering::of_variant(&name, &cases) + &lifting::of_variant(&name, &cases);
                format!("{docs}{}pub enum {name} {{\n{body}}}\n{crossing}", self.derives("variant", id))
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
                let kind = self.derives("enum", id);
                let crossing = lowering::of_enum(&name) + &lifting::of_enum(&name);
                format!("{docs}{kind}{size}pub enum {name} {{\n{body}}}\nimpl {name} {{\n{all}\n}}\n{crossing}")
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

    /// A list that an earlier version did not have is empty in its manifests.
    fn if_missing(&self, ty: &Type) -> &'static str {
        let is_list = |id: &TypeId| matches!(self.resolve.types[*id].kind, TypeDefKind::List(_));
        if matches!(ty, Type::Id(id) if is_list(id)) { "#[serde(default)]\n" } else { "" }
    }

    /// What such a type can do; the component model's derives only where they are asked for.
    fn derives(&self, kind: &str, id: TypeId) -> String {
        let mut plain = vec!["Debug", "Clone", "PartialEq", "serde::Serialize", "serde::Deserialize"];
        if self.is_copy(&Type::Id(id)) {
            plain.push("Copy");
        }
        if kind == "enum" {
            plain.extend(["Eq", "Hash"]);
        }
        // Records have a `Lift` and a `Lower` of their own.
        let both = if kind == "record" { "" } else { ", wasmtime::component::Lift, wasmtime::component::Lower" };
        format!(
            "#[derive({})]\n#[cfg_attr(feature = \"component\", derive(wasmtime::component::ComponentType{both}), \
             component({kind}))]\n",
            plain.join(", ")
        )
    }

    /// Whether a type can be `Copy`: it owns no heap memory.
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

    /// A type in Rust's spelling, as seen from this interface's module.
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

impl Newest<'_> {
    /// Whether the newest version has the same type under this name.
    fn has(&self, earlier: &Resolve, name: &str, id: TypeId) -> bool {
        let same = |later: &TypeId| self.same(earlier, &Type::Id(id), &Type::Id(*later));
        self.interface.types.get(name).is_some_and(same)
    }

    fn same(&self, earlier: &Resolve, own: &Type, later: &Type) -> bool {
        let (Type::Id(own), Type::Id(later)) = (own, later) else { return own == later };
        let (own, later) = (&earlier.types[*own], &self.resolve.types[*later]);
        let both = |own: &Option<Type>, later: &Option<Type>| match (own, later) {
            (Some(own), Some(later)) => self.same(earlier, own, later),
            (own, later) => own.is_none() && later.is_none(),
        };
        own.name == later.name
            && match (&own.kind, &later.kind) {
                (TypeDefKind::Record(own), TypeDefKind::Record(later)) => {
                    let mut pairs = own.fields.iter().zip(&later.fields);
                    own.fields.len() == later.fields.len()
                        && pairs.all(|(own, later)| own.name == later.name && self.same(earlier, &own.ty, &later.ty))
                }
                (TypeDefKind::Variant(own), TypeDefKind::Variant(later)) => {
                    let mut pairs = own.cases.iter().zip(&later.cases);
                    own.cases.len() == later.cases.len()
                        && pairs.all(|(own, later)| own.name == later.name && both(&own.ty, &later.ty))
                }
                (TypeDefKind::Enum(own), TypeDefKind::Enum(later)) => {
                    let names = |cases: &wit_parser::Enum| -> Vec<String> {
                        cases.cases.iter().map(|case| case.name.clone()).collect()
                    };
                    names(own) == names(later)
                }
                (TypeDefKind::Option(own), TypeDefKind::Option(later))
                | (TypeDefKind::List(own), TypeDefKind::List(later))
                | (TypeDefKind::Type(own), TypeDefKind::Type(later)) => self.same(earlier, own, later),
                _ => false,
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

/// A field's name in snake case. Rust's keywords get an underscore, as in wasmtime's bindings.
fn snake(name: &str) -> String {
    let plain = name.replace('-', "_");
    let is_taken = matches!(plain.as_str(), "type" | "ref" | "match" | "use" | "move" | "in" | "as" | "static");
    if is_taken { plain + "_" } else { plain }
}
