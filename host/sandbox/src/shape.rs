//! The structure of a component, read without compiling or running it: imports, exports, sizes.
//!
//! Everything that the policy forbids is refused here, by name, before compilation: the compiler may be slow or panic,
//! while this parser takes milliseconds.

use serde::{Deserialize, Serialize};
use wasmparser::component_types::{ComponentAnyTypeId, ComponentEntityType};
use wasmparser::types::TypesRef;
use wasmparser::{
    BinaryReaderError, ComponentExternalKind, Encoding, FuncToValidate, FunctionBody, Instance, Parser, Payload,
    ValidPayload, Validator, ValidatorResources, WasmFeatures,
};

use super::component_file;
use super::engine::config::{CORE_INSTANCES, TABLES};
use super::interface::{Interface, Interfaces};
use super::limits::Structure;
use super::version::Version;

/// The contract's package.
const PACKAGE: &str = "weir:adapter/";
/// The package of the contract of guards.
const GUARDS: &str = "weir:hook/";
/// Packages whose functions [`super::wasi`] implements.
const ANSWERED: [&str; 6] =
    ["wasi:cli/", "wasi:clocks/", "wasi:filesystem/", "wasi:io/", "wasi:random/", "wasi:sockets/"];

/// How a WebAssembly file begins.
const MAGIC: &[u8; 4] = b"\0asm";

/// Why a component is refused before it is compiled.
#[derive(Debug, thiserror::Error)]
pub enum ShapeError {
    /// The file is truncated; it may still be being written.
    #[error("the file is cut short: {0}")]
    Truncated(BinaryReaderError),
    /// The file is something else, such as an HTML page for a missing file. The message names its kind and never its
    /// content: it may be a link to a secret.
    #[error("this is no WebAssembly file, but {0}")]
    NotWasm(&'static str),
    /// The file is not a valid component.
    #[error("not a valid component: {found}{hint}", found = .0, hint = hint(.0))]
    Invalid(BinaryReaderError),
    /// The file is a core module.
    #[error("this is a core module, not a component; make one of it with `wasm-tools component new`")]
    NotAComponent,
    /// It has an import that is not available to adapters.
    #[error("imports {name}, which no adapter gets")]
    Import {
        /// Instance and function, or the name of another import.
        name: String,
    },
    /// It was built for a version of the contract that this host does not support.
    #[error("built for contract {found} (it exports {export}); this Weir supports {}; {advice}", Version::supported())]
    Version {
        /// The version that it was built for.
        found: String,
        /// The export with that version.
        export: String,
        /// Advice for the author.
        advice: &'static str,
    },
    /// It was built for a version of the contract of guards that this host does not support, or lacks one of its
    /// interfaces.
    #[error(
        "exports {export}: a guard exports weir:hook/about@{version} and weir:hook/guard@{version}, the contract that this \
         Weir supports",
        version = Version::HookV0_1_0.name()
    )]
    Guard {
        /// An export of that contract.
        export: String,
    },
    /// Its interfaces are of different versions of the contract.
    #[error(
        "mixes contracts: {one} and {other} are of two versions, and only the first has an about; this Weir supports {}; \
         build all of it for one version",
        Version::supported()
    )]
    Mixture {
        /// An export of the version that would be used.
        one: String,
        /// An export of a version that has no `about`.
        other: String,
    },
    /// It exports no `about`, so it is not an adapter, or only a part of one.
    #[error(
        "exports no weir:adapter/about (this Weir supports contract {}), so it is not an adapter",
        Version::supported()
    )]
    NoManifest,
    /// Its structure exceeds a limit.
    #[error("too large: {what} is {found}, the limit is {limit}")]
    TooLarge {
        /// What the limit counts.
        what: &'static str,
        /// The actual number.
        found: u64,
        /// The most that is allowed.
        limit: u64,
    },
}

fn hint(error: &BinaryReaderError) -> &'static str {
    if error.message().contains("async") || error.message().contains("context.get") {
        " (adapters are synchronous: build without async, for QuickJS with `--sync`)"
    } else {
        ""
    }
}

impl From<BinaryReaderError> for ShapeError {
    fn from(error: BinaryReaderError) -> Self {
        if error.message().contains("unexpected end") { Self::Truncated(error) } else { Self::Invalid(error) }
    }
}

/// The structure of a component.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Shape {
    /// Size of the file, in bytes.
    pub bytes: u64,
    /// Imported instances, including those that hold only types.
    pub imports: Vec<Import>,
    /// Names of its exports.
    pub exports: Vec<String>,
    /// Number of core modules.
    pub modules: u64,
    /// Number of nested components.
    pub components: u64,
    /// Number of core instances in an instance of it.
    pub core_instances: u64,
    /// Number of linear memories.
    pub memories: u64,
    /// Number of tables.
    pub tables: u64,
    /// Number of functions.
    pub functions: u64,
    /// Size of the largest function, in bytes.
    pub largest_function: u64,
    /// Largest number of locals in a function.
    pub most_locals: u64,
    /// Size of all data segments, in bytes.
    pub data: u64,
}

/// An imported instance.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Import {
    /// Name of the instance.
    pub name: String,
    /// Names of its functions; empty if it holds only types.
    pub functions: Vec<String>,
}

impl Shape {
    /// Reads and validates a component.
    pub fn read(bytes: &[u8], limits: &Structure) -> Result<Self, ShapeError> {
        bound("the file", bytes.len() as u64, limits.bytes as u64)?;
        if bytes.first_chunk().is_some_and(|head| head != MAGIC) {
            return Err(ShapeError::NotWasm(component_file::likeness(bytes)));
        }
        if !Parser::is_component(bytes) && Parser::is_core_wasm(bytes) {
            return Err(ShapeError::NotAComponent);
        }
        let mut shape = Self { bytes: bytes.len() as u64, ..Self::default() };
        let mut validator = Validator::new_with_features(features());
        let mut functions = Vec::new();
        let mut types = None;
        let (mut depth, mut imports) = (0_u32, Vec::new());
        for payload in Parser::new(0).parse_all(bytes) {
            let payload = payload?;
            shape.count(&payload, limits)?;
            match &payload {
                Payload::Version { encoding: Encoding::Module, .. } if depth == 0 => {
                    return Err(ShapeError::NotAComponent);
                }
                Payload::Version { .. } => depth += 1,
                Payload::End(_) => depth = depth.saturating_sub(1),
                Payload::ComponentImportSection(section) if depth == 1 => {
                    for import in section.clone() {
                        imports.push(import?.name.name.to_owned());
                    }
                }
                Payload::ComponentExportSection(section) if depth == 1 => {
                    for export in section.clone() {
                        let export = export?;
                        if export.kind == ComponentExternalKind::Instance {
                            shape.exports.push(export.name.name.to_owned());
                        }
                    }
                }
                _ => {}
            }
            match validator.payload(&payload)? {
                ValidPayload::Func(function, body) => functions.push((function, body)),
                ValidPayload::End(all) => types = Some(all),
                _ => {}
            }
        }
        validate(functions)?;
        let types = types.ok_or(ShapeError::NotAComponent)?;
        shape.imports = imports.into_iter().map(|name| import(name, types.as_ref())).collect::<Result<_, _>>()?;
        shape.version()?;
        Ok(shape)
    }

    /// The version of the contract to serve it with: the newest supported one for which it exports an `about`.
    pub fn version(&self) -> Result<Version, ShapeError> {
        if self.contract().next().is_none()
            && let Some(export) = self.exports.iter().find(|export| export.starts_with(GUARDS))
        {
            return if self.is_guard() {
                Ok(Version::HookV0_1_0)
            } else {
                Err(ShapeError::Guard { export: export.clone() })
            };
        }
        let about = Interface::About.name();
        let has_about = |version: &str| self.contract().any(|(_, name, own)| (name, own) == (about, version));
        let Some(version) = Version::ALL.iter().copied().find(|version| has_about(version.name())) else {
            return Err(self.other_version());
        };
        let one = |(export, _, own): (&str, _, &str)| (own == version.name()).then(|| export.to_owned());
        // Interfaces of a further complete version are for hosts that support that one.
        match self.contract().find(|(_, _, own)| !has_about(own)) {
            Some((other, ..)) => Err(ShapeError::Mixture {
                one: self.contract().find_map(one).unwrap_or_default(),
                other: other.to_owned(),
            }),
            None => Ok(version),
        }
    }

    /// Whether it exports the interfaces that each guard has.
    fn is_guard(&self) -> bool {
        self.has_hook(Interface::About) && self.has_hook(Interface::Guard)
    }

    /// Whether it exports an interface of the contract of guards.
    fn has_hook(&self, interface: Interface) -> bool {
        let name = format!("{GUARDS}{}@{}", interface.name(), Version::HookV0_1_0.name());
        self.exports.contains(&name)
    }

    /// Why none of its versions is supported.
    fn other_version(&self) -> ShapeError {
        let about = self.contract().find(|(_, name, _)| *name == Interface::About.name());
        let Some((export, _, found)) = about.or_else(|| self.contract().next()) else { return ShapeError::NoManifest };
        if Version::named(found).is_some() {
            return ShapeError::NoManifest;
        }
        let newest = Version::ALL.first().map(|version| version.name()).unwrap_or_default();
        let is_newer = numbers(found) > numbers(newest);
        let advice = if is_newer { "update Weir, or build it for that contract" } else { "build it anew" };
        ShapeError::Version { found: found.to_owned(), export: export.to_owned(), advice }
    }

    /// The contract's interfaces among the exports, as (export, interface, version).
    fn contract(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        self.exports.iter().filter_map(|export| {
            let (name, version) = contract_name(export)?;
            Some((export.as_str(), name, version))
        })
    }

    /// The contract's interfaces of the version that serves it.
    pub fn interfaces(&self) -> Interfaces {
        let Ok(version) = self.version() else { return Interfaces::default() };
        if version == Version::HookV0_1_0 {
            let known = [Interface::About, Interface::Guard, Interface::Screen];
            return known.into_iter().filter(|interface| self.has_hook(*interface)).collect();
        }
        let has = |i: &Interface| self.contract().any(|(_, name, own)| (name, own) == (i.name(), version.name()));
        Interface::ALL.iter().copied().filter(has).collect()
    }

    /// Whether it imports functions, which [`super::wasi`] provides.
    pub fn imports_functions(&self) -> bool {
        self.imports.iter().any(|import| !import.functions.is_empty())
    }

    /// Number of the engine's slots that an instance takes; a slot has four core instances, two tables and one memory.
    pub fn weight(&self) -> u32 {
        let slots = self
            .core_instances
            .div_ceil(CORE_INSTANCES.into())
            .max(self.memories)
            .max(self.tables.div_ceil(TABLES.into()))
            .max(1);
        u32::try_from(slots).unwrap_or(u32::MAX)
    }

    fn count(&mut self, payload: &Payload<'_>, limits: &Structure) -> Result<(), ShapeError> {
        match payload {
            Payload::ModuleSection { .. } => add("core modules", &mut self.modules, 1, limits.modules.into()),
            Payload::ComponentSection { .. } => add("components", &mut self.components, 1, limits.components.into()),
            Payload::MemorySection(s) => add("memories", &mut self.memories, s.count().into(), limits.memories.into()),
            Payload::FunctionSection(s) => {
                add("functions", &mut self.functions, s.count().into(), limits.functions.into())
            }
            Payload::CodeSectionEntry(body) => self.count_body(body, limits),
            Payload::DataSection(s) => {
                let all = s.clone().into_iter().map(|d| d.map(|d| d.data.len() as u64)).sum::<Result<u64, _>>()?;
                add("data", &mut self.data, all, limits.data as u64)
            }
            Payload::TableSection(s) => {
                for table in s.clone() {
                    bound("a table", table?.ty.initial, limits.table_elements)?;
                    self.tables += 1;
                }
                Ok(())
            }
            Payload::InstanceSection(s) => {
                for instance in s.clone() {
                    self.core_instances += u64::from(matches!(instance?, Instance::Instantiate { .. }));
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn count_body(&mut self, body: &FunctionBody<'_>, limits: &Structure) -> Result<(), ShapeError> {
        let size = body.range().len() as u64;
        bound("a function", size, limits.body as u64)?;
        self.largest_function = self.largest_function.max(size);
        let locals = body.get_locals_reader()?.into_iter().map(|l| l.map(|(count, _)| u64::from(count)));
        let locals = locals.sum::<Result<u64, _>>()?;
        bound("a function's number of locals", locals, limits.locals.into())?;
        self.most_locals = self.most_locals.max(locals);
        Ok(())
    }
}

/// Splits `weir:adapter/NAME@VERSION` into name and version.
fn contract_name(export: &str) -> Option<(&str, &str)> {
    export.strip_prefix(PACKAGE)?.split_once('@')
}

/// The numbers of a version, for comparison; suffixes such as `-rc1` are ignored.
fn numbers(version: &str) -> Vec<u64> {
    let numbers = version.split(['-', '+']).next().unwrap_or_default().split('.');
    numbers.map(|number| number.parse().unwrap_or_default()).collect()
}

fn import(name: String, types: TypesRef<'_>) -> Result<Import, ShapeError> {
    let instance = match types.component_item_for_import(&name).map(|item| item.ty) {
        Some(ComponentEntityType::Instance(instance)) => instance,
        Some(ComponentEntityType::Type { referenced, .. })
            if !matches!(referenced, ComponentAnyTypeId::Resource(_)) =>
        {
            return Ok(Import { name, functions: Vec::new() });
        }
        _ => return Err(ShapeError::Import { name }),
    };
    let answered = ANSWERED.iter().any(|package| name.starts_with(package));
    let mut functions = Vec::new();
    for (member, item) in &types[instance].exports {
        match item.ty {
            ComponentEntityType::Type { referenced: ComponentAnyTypeId::Resource(_), .. } if answered => {}
            ComponentEntityType::Type { referenced, .. } if !matches!(referenced, ComponentAnyTypeId::Resource(_)) => {}
            ComponentEntityType::Func(_) if answered => functions.push(member.clone()),
            _ => return Err(ShapeError::Import { name: format!("{name}#{member}") }),
        }
    }
    Ok(Import { name, functions })
}

fn validate(functions: Vec<(FuncToValidate<ValidatorResources>, FunctionBody<'_>)>) -> Result<(), ShapeError> {
    let mut allocations = wasmparser::FuncValidatorAllocations::default();
    for (function, body) in functions {
        let mut validator = function.into_validator(allocations);
        validator.validate(&body)?;
        allocations = validator.into_allocations();
    }
    Ok(())
}

fn add(what: &'static str, sum: &mut u64, more: u64, limit: u64) -> Result<(), ShapeError> {
    *sum = sum.saturating_add(more);
    bound(what, *sum, limit)
}

fn bound(what: &'static str, found: u64, limit: u64) -> Result<(), ShapeError> {
    if found > limit { Err(ShapeError::TooLarge { what, found, limit }) } else { Ok(()) }
}

/// The features that [`super::engine`] enables.
fn features() -> WasmFeatures {
    WasmFeatures::WASM2 | WasmFeatures::COMPONENT_MODEL | WasmFeatures::MULTI_MEMORY | WasmFeatures::EXTENDED_CONST
}
