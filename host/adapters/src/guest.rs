//! Components for tests, built from text: a handwritten core module, made a component with the contract's WIT.
#![allow(clippy::unwrap_used, reason = "only tests use it")]

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use super::{Admission, Loader};
use weir_sandbox::{Adapter, Engine, Limits, PluginFault};
use weir_types::contract::types::{Body, Context, HttpResponse};

/// Address of the manifest in the guest's memory.
const AT: u32 = 1024;
/// Address of zeroed memory, valid as an `error` of kind `invalid-request` or an empty `encoded`.
pub(super) const ZEROS: u32 = 8192;

/// The parts of a guest to build.
pub(super) struct Guest {
    pub(super) name: String,
    pub(super) version: String,
    /// The contract version that the manifest names.
    pub(super) contract: String,
    /// The isolation that the manifest requests, as a number.
    pub(super) isolation: u8,
    /// Body of `describe`; must return the manifest's address.
    pub(super) describe: String,
    /// Body of `provider-errors.parse-error`; must return the address of an error.
    pub(super) parse_error: String,
    /// Body of `chat-encoder.push`; the interface `dialect-chat` is exported only if it is set.
    pub(super) push: Option<String>,
    /// Further fields of the core module.
    pub(super) more: String,
    /// Further items of the world.
    pub(super) world: String,
    /// Further packages in WIT.
    pub(super) packages: String,
}

/// A guest that works correctly.
pub(super) fn guest(name: &str) -> Guest {
    Guest {
        name: name.into(),
        version: "1.0.0".into(),
        contract: "0.2.0".into(),
        isolation: 0,
        describe: format!("i32.const {AT}"),
        parse_error: format!("i32.const {ZEROS}"),
        push: None,
        more: String::new(),
        world: String::new(),
        packages: String::new(),
    }
}

impl Guest {
    /// The component's bytes.
    pub(super) fn build(&self) -> Vec<u8> {
        let mut module = wat::parse_str(self.text()).unwrap();
        let mut resolve = Resolve::default();
        resolve.push_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit")).unwrap();
        let chat = if self.push.is_some() { "include weir:adapter/dialect-chat-only@0.2.0;" } else { "" };
        let world = format!(
            "package test:guest;\nworld guest {{\ninclude weir:adapter/about-only@0.2.0;\n\
             include weir:adapter/provider-errors-only@0.2.0;\n{chat}\n{}\n}}\n{}",
            self.world, self.packages
        );
        let package = resolve.push_str("guest.wit", &world).unwrap();
        let world = resolve.select_world(&[package], Some("guest")).unwrap();
        embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
        ComponentEncoder::default().validate(true).module(&module).unwrap().encode().unwrap()
    }

    fn text(&self) -> String {
        let mut text = format!(
            r#"(module
            {more}
            (memory (export "memory") 4)
            (global $free (mut i32) (i32.const 65536))
            (global $calls (mut i32) (i32.const 0))
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
              (global.set $free (i32.and (i32.add (global.get $free) (i32.const 7)) (i32.const -8)))
              (global.get $free)
              (global.set $free (i32.add (global.get $free) (local.get 3))))
            (func (export "weir:adapter/about@0.2.0#describe") (result i32) {describe})
            (func (export "weir:adapter/provider-errors@0.2.0#parse-error") (param i32) (result i32) {parse_error})
            (data (i32.const {AT}) "{manifest}")"#,
            more = self.more,
            describe = self.describe,
            parse_error = self.parse_error,
            manifest = self.manifest(),
        );
        if let Some(push) = &self.push {
            let context = "i32 i32 f64 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32";
            let interface = "weir:adapter/dialect-chat@0.2.0";
            let import = format!(
                r#"(module (import "[export]{interface}" "[resource-new]chat-encoder" (func $new (param i32) (result i32)))"#
            );
            text = text.replacen("(module", &import, 1);
            let _ = write!(
                text,
                r#"
                (func (export "{interface}#parse-request") (param i32) (result i32) unreachable)
                (func (export "{interface}#render-response") (param i32) (result i32) unreachable)
                (func (export "{interface}#[constructor]chat-encoder") (param {context}) (result i32)
                  (call $new (i32.const 7)))
                (func (export "{interface}#[method]chat-encoder.push") (param i32 i32 i32) (result i32) {push})
                (func (export "{interface}#[method]chat-encoder.finish") (param i32) (result i32) (i32.const {ZEROS}))"#
            );
        }
        text + ")"
    }

    /// The bytes of a minimal manifest, as they are in memory.
    fn manifest(&self) -> String {
        let (mut record, mut strings) = (Vec::new(), Vec::new());
        for text in [&self.name, &self.version, &self.contract, "", "test", ""] {
            let text: &str = text;
            record.extend((AT + 256 + strings.len() as u32).to_le_bytes());
            record.extend((text.len() as u32).to_le_bytes());
            strings.extend(text.bytes());
        }
        record.push(self.isolation);
        record.resize(256, 0);
        record.extend(strings);
        record.iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "\\{byte:02x}");
            text
        })
    }

    /// Loads the guest into a new engine.
    pub(super) fn load(&self) -> Arc<Adapter> {
        loader(small()).load(&self.name, &self.build(), &Admission::default()).unwrap()
    }
}

/// Limits for a test.
pub(super) fn small() -> Limits {
    Limits { instances: 8, idle_instances: 8, ..Limits::for_connections(4) }
}

/// A loader without a cache.
pub(super) fn loader(limits: Limits) -> Loader {
    Loader::new(Engine::new(limits).unwrap(), None)
}

/// An empty context.
pub(super) fn context() -> Context {
    Context { model: "m".into(), format: "f".into(), ..Context::new("r", 1.0) }
}

/// A minimal response.
pub(super) fn response() -> HttpResponse {
    HttpResponse { status: 500, headers: vec![], body: Body::Text("x".into()) }
}

/// Calls `parse-error` on a new instance.
pub(super) fn call(adapter: &Arc<Adapter>) -> Result<(), PluginFault> {
    adapter.try_lease("").and_then(|mut lease| lease.parse_error(&context(), &response())).map(drop)
}
