//! Converts products of languages' tools to components: a component is kept, a core module is encoded as one.

use std::path::Path;

use wasmparser::{Parser, Payload};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// Name of the world in a project's `wit/`.
const WORLD: &str = "adapter";
/// Prefix of custom sections in which a core module declares its world.
const METADATA: &str = "component-type";
/// The module that code for WASI imports, and the inert adapter that implements it.
const PREVIEW1: &str = "wasi_snapshot_preview1";
const INERT: &[u8] = include_bytes!("inert.wasm");

/// Why no component can be made of a file.
#[derive(Debug, thiserror::Error)]
pub enum ComponentError {
    /// It is neither a module nor a component.
    #[error("it is not WebAssembly: {0}")]
    NoWasm(#[from] wasmparser::BinaryReaderError),
    /// The world cannot be read.
    #[error("the world {WORLD} in {0} cannot be read: {1}")]
    World(String, String),
    /// The module does not match the world, or imports more than exists.
    #[error("no component can be made of it: {0}")]
    Encode(String),
}

/// Facts about a module, read without running it.
#[derive(Debug, Default)]
struct ModuleFacts {
    is_component: bool,
    has_world: bool,
    wants_preview1: bool,
}

/// Converts bytes to a component. The world is read from the folder `wit` if a core module does not declare its own.
pub fn component(bytes: Vec<u8>, wit: &Path) -> Result<Vec<u8>, ComponentError> {
    let seen = see(&bytes)?;
    if seen.is_component {
        return Ok(bytes);
    }
    let mut module = bytes;
    if !seen.has_world {
        embed(&mut module, wit)?;
    }
    encode(&module, seen.wants_preview1)
}

fn see(bytes: &[u8]) -> Result<ModuleFacts, wasmparser::BinaryReaderError> {
    let mut seen = ModuleFacts::default();
    for payload in Parser::new(0).parse_all(bytes) {
        match payload? {
            Payload::Version { encoding: wasmparser::Encoding::Component, .. } => {
                return Ok(ModuleFacts { is_component: true, ..seen });
            }
            Payload::CustomSection(section) => seen.has_world |= section.name().starts_with(METADATA),
            Payload::ImportSection(imports) => {
                for import in imports.into_imports() {
                    seen.wants_preview1 |= import?.module == PREVIEW1;
                }
            }
            _ => {}
        }
    }
    Ok(seen)
}

fn embed(module: &mut Vec<u8>, wit: &Path) -> Result<(), ComponentError> {
    let failed = |text: String| ComponentError::World(wit.display().to_string(), text);
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(wit).map_err(|error| failed(format!("{error:#}")))?;
    let world = resolve.select_world(&[package], Some(WORLD)).map_err(|error| failed(format!("{error:#}")))?;
    embed_component_metadata(module, &resolve, world, StringEncoding::UTF8)
        .map_err(|error| failed(format!("{error:#}")))
}

fn encode(module: &[u8], wants_preview1: bool) -> Result<Vec<u8>, ComponentError> {
    let encoder = ComponentEncoder::default().module(module).and_then(|encoder| {
        // Some runtimes fail if another module's allocator is called before they are initialised.
        let encoder = encoder.validate(true).realloc_via_memory_grow(true);
        if wants_preview1 { encoder.adapter(PREVIEW1, INERT) } else { Ok(encoder) }
    });
    let encoded = encoder.and_then(|mut encoder| encoder.encode());
    encoded.map_err(|error| ComponentError::Encode(format!("{error:#}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const WIT: &str = "package local:adapter;\nworld adapter { export zeta: func() -> u32; }\n";

    fn world() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("world.wit"), WIT).unwrap();
        dir
    }

    fn made(text: &str) -> Result<Vec<u8>, String> {
        component(wat::parse_str(text).unwrap(), world().path()).map_err(|error| error.to_string())
    }

    #[test]
    fn the_inert_module_is_its_text() {
        let text = wat::parse_str(include_str!("inert.wat")).unwrap();
        if std::env::var_os("WEIR_BLESS").is_some() {
            let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/author/inert.wasm");
            std::fs::write(place, &text).unwrap();
        }
        assert!(text == INERT, "run this test with WEIR_BLESS=1 to renew inert.wasm");
    }

    #[test]
    fn a_module_becomes_a_component_of_the_projects_world() {
        let bytes = made("(module (func (export \"zeta\") (result i32) (i32.const 7)))").unwrap();
        assert!(see(&bytes).unwrap().is_component);
        assert_eq!(component(bytes.clone(), Path::new("nowhere")).unwrap(), bytes, "and stays one");
    }

    #[test]
    fn a_modules_imports_of_wasi_are_resolved_within() {
        let bytes = made(
            "(module (import \"wasi_snapshot_preview1\" \"random_get\" (func (param i32 i32) (result i32)))
               (import \"wasi_snapshot_preview1\" \"fd_write\" (func (param i32 i32 i32 i32) (result i32)))
               (memory (export \"memory\") 1)
               (func (export \"zeta\") (result i32) (call 0 (i32.const 0) (i32.const 4))))",
        );
        let bytes = bytes.unwrap();
        let wants = Parser::new(0).parse_all(&bytes);
        let imports = wants.filter(|payload| matches!(payload, Ok(Payload::ComponentImportSection(_)))).count();
        assert_eq!(imports, 0);
    }

    #[test]
    fn missing_exports_are_reported() {
        assert!(made("(module)").unwrap_err().contains("zeta"));
        assert!(component(b"zeta".to_vec(), Path::new(".")).unwrap_err().to_string().contains("not WebAssembly"));
        let module = wat::parse_str("(module)").unwrap();
        let error = component(module, Path::new("nowhere")).unwrap_err().to_string();
        assert!(error.starts_with("the world adapter in nowhere"), "{error}");
    }
}
