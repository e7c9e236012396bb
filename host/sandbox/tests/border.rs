//! Values of the contract that cross to a component and back are unchanged, in each encoding of texts. The component
//! returns what it gets; what `weir_types` wrote is also read by wasmtime, which takes the types from the component
//! alone.
#![allow(clippy::unwrap_used, reason = "a test: what does not hold fails it")]

use std::fmt::Debug;
use std::path::Path;

use serde::de::DeserializeOwned;
use serde_json::json;
use wasmtime::component::{Component, ComponentNamedList, Instance, Lift, Linker, Lower, Val};
use wasmtime::{Config, Engine, Store};
use weir_types::contract::types::{
    ChatEvent, ChatRequest, ChatResponse, Context, EmbeddingsRequest, EmbeddingsResponse, Frame, HttpRequest,
};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

const WORLD: &str = "interface echo {
  use weir:adapter/types@0.2.0.{context, chat-request, chat-response, chat-event, embeddings-request, embeddings-response};
  use weir:adapter/types@0.2.0.{frame, http-request};
  alone: func(it: context) -> context;
  placed: func(at: u32) -> context;
  behind: func(first: context, them: list<chat-event>) -> list<chat-event>;
";

/// For each type of a list: the function that returns what it gets. `keep-` keeps it, `kept-` returns it.
const LISTS: [(&str, &str); 7] = [
    ("requests", "chat-request"),
    ("responses", "chat-response"),
    ("events", "chat-event"),
    ("frames", "frame"),
    ("http", "http-request"),
    ("vectors", "embeddings-response"),
    ("inputs", "embeddings-request"),
];

/// The interface of the component.
fn world() -> String {
    let lists = LISTS.iter().map(|(name, of)| {
        format!("{name}: func(them: list<{of}>) -> list<{of}>; keep-{name}: func(them: list<{of}>); kept-{name}: func() -> list<{of}>;\n")
    });
    format!("package test:echo;\n{WORLD}{}}}\nworld whole {{ export echo; }}", lists.collect::<String>())
}

/// Where the component has a context whose bytes are set by a test.
const PLACE: u32 = 1024;
/// The context's size.
const CONTEXT: usize = 64;

/// A component that returns what it gets. It traps if it is asked for memory of no size, which no text or list of a
/// record does.
fn component(engine: &Engine, encoding: StringEncoding, placed: &[u8; CONTEXT]) -> Component {
    let list = |(name, _): &(&str, &str)| {
        let keep = "(i64.store (i32.const 16) (i64.or (i64.extend_i32_u (local.get 0))
                (i64.shl (i64.extend_i32_u (local.get 1)) (i64.const 32))))";
        format!(
            r#"(func (export "test:echo/echo#{name}") (param i32 i32) (result i32) {keep} i32.const 16)
            (func (export "test:echo/echo#keep-{name}") (param i32 i32) {keep})
            (func (export "test:echo/echo#kept-{name}") (result i32) i32.const 16)"#
        )
    };
    let lists: String = LISTS.iter().map(list).collect();
    let placed = placed.iter().fold(String::new(), |text, byte| text + &format!("\\{byte:02x}"));
    // The context's fields as parameters, at their places in memory.
    let places = [0, 4, 8, 16, 20, 24, 28, 32, 36, 40, 44, 48, 52, 56, 60];
    let stores: String = places.iter().enumerate().fold(String::new(), |text, (number, place)| {
        let kind = if number == 2 { "f64" } else { "i32" };
        text + &format!("({kind}.store (i32.const {}) (local.get {number}))", 64 + place)
    });
    let module = format!(
        r#"(module
            (memory (export "memory") 4)
            (data (i32.const {PLACE}) "{placed}")
            (func (export "test:echo/echo#placed") (param i32) (result i32) local.get 0)
            (global $free (mut i32) (i32.const 4096))
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
              (if (i32.eqz (local.get 3)) (then unreachable))
              (if (local.get 0) (then (return (local.get 0))))
              (global.set $free (i32.and (i32.add (global.get $free) (i32.const 7)) (i32.const -8)))
              (global.get $free)
              (global.set $free (i32.add (global.get $free) (local.get 3))))
            (func (export "test:echo/echo#alone")
              (param i32 i32 f64 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
              {stores} i32.const 64)
            (func (export "test:echo/echo#behind") (param i32) (result i32) (i32.add (local.get 0) (i32.const 64)))
            {lists})"#
    );
    let mut module = wat::parse_str(module).unwrap();
    let mut resolve = Resolve::default();
    resolve.push_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit")).unwrap();
    let package = resolve.push_str("echo.wit", &world()).unwrap();
    let world = resolve.select_world(&[package], Some("whole")).unwrap();
    embed_component_metadata(&mut module, &resolve, world, encoding).unwrap();
    let bytes = ComponentEncoder::default().validate(true).module(&module).unwrap().encode().unwrap();
    Component::new(engine, bytes).unwrap()
}

/// The component's instance, a new one for each call.
struct Echo {
    engine: Engine,
    component: Component,
}

impl Echo {
    fn call<P: ComponentNamedList + Lower, R: Lift + Send + Sync + 'static>(&self, name: &str, given: P) -> R
    where
        (R,): ComponentNamedList + Lift,
    {
        let mut store = Store::new(&self.engine, ());
        let instance: Instance = Linker::new(&self.engine).instantiate(&mut store, &self.component).unwrap();
        let echo = instance.get_export_index(&mut store, None, "test:echo/echo").unwrap();
        let function = instance.get_export_index(&mut store, Some(&echo), name).unwrap();
        let function = instance.get_typed_func::<P, (R,)>(&mut store, function).unwrap();
        function.call(&mut store, given).unwrap().0
    }

    fn returns<T>(&self, name: &str, values: serde_json::Value)
    where
        T: DeserializeOwned + serde::Serialize + PartialEq + Debug + Lower + Lift + 'static,
    {
        let values: Vec<T> = serde_json::from_value(values).unwrap();
        assert_eq!(self.call::<_, Vec<T>>(name, (values.as_slice(),)), values, "{name}");
        let kept = self.read_by_wasmtime(name, values.as_slice());
        assert!(same(&kept, &serde_json::to_value(&values).unwrap()), "{name}: {kept:?}");
    }

    /// What wasmtime reads of the values that the component got.
    fn read_by_wasmtime<T: Lower + 'static>(&self, name: &str, values: &[T]) -> Val {
        let mut store = Store::new(&self.engine, ());
        let instance: Instance = Linker::new(&self.engine).instantiate(&mut store, &self.component).unwrap();
        let echo = instance.get_export_index(&mut store, None, "test:echo/echo").unwrap();
        let keep = instance.get_export_index(&mut store, Some(&echo), &format!("keep-{name}")).unwrap();
        instance.get_typed_func::<(&[T],), ()>(&mut store, keep).unwrap().call(&mut store, (values,)).unwrap();
        let kept = instance.get_export_index(&mut store, Some(&echo), &format!("kept-{name}")).unwrap();
        let mut read = [Val::Bool(false)];
        instance.get_func(&mut store, kept).unwrap().call(&mut store, &[], &mut read).unwrap();
        let [read] = read;
        read
    }
}

/// Whether a value is this one, in the names of the contract and those of Rust.
fn same(value: &Val, json: &serde_json::Value) -> bool {
    let snake = |name: &str| name.replace('-', "_");
    let camel = |name: &str| name.split('-').map(|word| word[..1].to_uppercase() + &word[1..]).collect::<String>();
    match value {
        Val::Bool(it) => json.as_bool() == Some(*it),
        Val::U8(it) => json.as_u64() == Some(u64::from(*it)),
        Val::U16(it) => json.as_u64() == Some(u64::from(*it)),
        Val::U32(it) => json.as_u64() == Some(u64::from(*it)),
        Val::Float64(it) => json.as_f64() == Some(*it),
        Val::String(it) => json.as_str() == Some(it),
        Val::Enum(case) | Val::Variant(case, None) => json.as_str() == Some(&*camel(case)),
        Val::Variant(case, Some(it)) => json.get(camel(case)).is_some_and(|json| same(it, json)),
        Val::Option(None) => json.is_null(),
        Val::Option(Some(it)) => same(it, json),
        Val::List(them) => json
            .as_array()
            .is_some_and(|all| all.len() == them.len() && them.iter().zip(all).all(|(value, json)| same(value, json))),
        Val::Record(fields) => fields.iter().all(|(name, value)| {
            let field = json.get(snake(name)).or_else(|| json.get(snake(name) + "_"));
            field.is_some_and(|json| same(value, json))
        }),
        _ => false,
    }
}

fn requests() -> serde_json::Value {
    let extensions = json!([{"format": "f", "key": "k", "json": "1"}, {"format": "", "key": "", "json": ""}]);
    let opaque = json!({"format": "f", "kind": "k", "json": "{}"});
    let media = |source: serde_json::Value| json!({"kind": "Audio", "mime": "", "source": source, "detail": "low"});
    let parts = json!([
        {"Text": {"text": "Grüße 🦀", "citations": [{"url": "u", "start": 1, "source": opaque}, {"end": 7}],
            "signature": {"issuer": "i", "value": "v"}, "cache": {"ttl": "5m"}, "extensions": extensions}},
        {"Text": {"text": "", "cache": {}}},
        {"Media": media(json!({"Url": "u"}))}, {"Media": media(json!({"FileId": "f"}))},
        {"ToolCall": {"id": "1", "name": "n", "kind": "Custom", "arguments": "{}"}},
        {"ToolResult": {"call_id": "1", "is_error": false, "content": [
            {"Text": {"text": "t"}}, {"Media": media(json!({"Base64": "AA=="}))}, {"Json": "[]"}, {"Opaque": opaque}]}},
        {"Reasoning": {"text": "", "encrypted": {"issuer": "", "value": "x"}}},
        {"Refusal": "no"}, {"Opaque": opaque},
    ]);
    let messages = json!([
        {"role": "System", "parts": []}, {"role": {"Other": "critic"}, "name": "n", "parts": parts, "extensions": extensions},
        {"role": "Tool", "parts": parts},
    ]);
    let tools = json!([
        {"Function": {"name": "f", "description": "d", "parameters": "{}", "strict": true, "cache": {"ttl": ""}}},
        {"Opaque": opaque},
    ]);
    let sampling = json!({"temperature": 0.1, "top_k": 3, "seed": "7", "stop": ["a", "", "c"], "logprobs": true});
    json!([
        {"model": "", "messages": [], "sampling": {}, "stream": false},
        {"model": "m", "messages": messages, "tools": tools, "tool_choice": {"Allowed": {"names": ["f"], "required": true}},
            "parallel_tool_calls": false, "output": {"Schema": {"schema": "{}", "strict": false}}, "sampling": sampling,
            "max_output_tokens": u32::MAX, "reasoning": {"mode": "Adaptive", "budget_tokens": 0}, "stream": true,
            "end_user": "e", "cache_key": "", "extensions": extensions},
        {"model": "m", "messages": [], "tool_choice": "Required", "output": "Json", "sampling": {}, "stream": true},
    ])
}

fn events() -> serde_json::Value {
    json!([
        {"Start": {"id": "1", "model": "m", "created_ms": 1.5}},
        {"PartStart": {"candidate": 0, "part": 1, "kind": "Reasoning"}},
        {"PartStart": {"candidate": 0, "part": 2, "kind": {"ToolCall": {"id": "i", "name": "n", "kind": "Function"}}}},
        {"Delta": {"candidate": 3, "part": 1, "text": " word"}}, {"Delta": {"candidate": 0, "part": 0, "text": ""}},
        {"Argument": {"candidate": 0, "part": 2, "text": "t", "path": "$", "json": "1", "continues": true}},
        {"Signature": {"candidate": 0, "part": 1, "signature": {"issuer": "i", "value": "v"}, "encrypted": true}},
        {"Citation": {"candidate": 0, "part": 1, "citation": {"title": "t"}}},
        {"PartStop": {"candidate": 0, "part": 1}}, {"Logprobs": {"candidate": 0, "json": "[]"}},
        {"Finish": {"candidate": 0, "finish": {"reason": "ToolCalls", "raw": "r"}}},
        {"Usage": {"input": 1, "output": 2, "units": [{"unit": "Page", "count": 0.5}], "batch": true}},
        {"Failure": {"kind": "Timeout", "message": "m", "status": 504, "retry_after_ms": 1}},
        {"Opaque": {"format": "f", "kind": "k", "json": "{}"}},
    ])
}

#[test]
fn what_crosses_to_a_component_and_back_is_unchanged() {
    let engine = Engine::new(Config::new().concurrency_support(false)).unwrap();
    let context = json!({"request_id": "r", "now_ms": 0.5, "model": "m", "format": "f", "memo": "",
        "options": [{"key": "k", "json": "1"}], "blobs": [{"token": "t", "length": 9, "head": "h"}], "input_tokens": 4});
    let bare = json!({"request_id": "", "now_ms": -1.0, "model": "", "format": "", "memo": "state"});
    for encoding in [StringEncoding::UTF8, StringEncoding::UTF16, StringEncoding::CompactUTF16] {
        let echo = Echo { engine: engine.clone(), component: component(&engine, encoding, &[0; CONTEXT]) };
        for context in [&context, &bare] {
            let context: Context = serde_json::from_value(context.clone()).unwrap();
            assert_eq!(echo.call::<_, Context>("alone", (&context,)), context);
            let events: Vec<ChatEvent> = serde_json::from_value(events()).unwrap();
            assert_eq!(echo.call::<_, Vec<ChatEvent>>("behind", (&context, events.as_slice())), events);
        }
        echo.returns::<ChatRequest>("requests", requests());
        echo.returns::<ChatEvent>("events", events());
        let frames = (0..200).map(|n| json!({"event": (n % 2 == 0).then_some("e"), "data": "d".repeat(n)}));
        echo.returns::<Frame>("frames", frames.collect());
        let http = |body| json!({"method": "POST", "path": "/", "query": [], "headers": [{"name": "a", "value": ""}], "body": body});
        let bodies = [json!({"Text": "{}"}), json!({"Bytes": [0, 255, 1]}), json!({"Bytes": []})];
        echo.returns::<HttpRequest>("http", bodies.into_iter().map(http).collect());
        let candidate =
            json!({"index": 1, "parts": [{"Refusal": "no"}], "finish": {"reason": "Other"}, "logprobs": "{}"});
        let response = json!({"id": "", "candidates": [candidate, {"index": 0, "parts": []}], "usage": {"input": 0}});
        echo.returns::<ChatResponse>("responses", json!([response]));
        let floats: Vec<f64> = (0..1536).map(|n| f64::from(n) / 7.0).collect();
        let vectors = json!([{"index": 0, "vector": {"Floats": floats}}, {"index": 1, "vector": {"Base64": "AA=="}}]);
        echo.returns::<EmbeddingsResponse>("vectors", json!([{"embeddings": vectors}]));
        let inputs = json!([{"Tokens": [1, u32::MAX]}, {"Text": "t"}, {"Tokens": []}]);
        echo.returns::<EmbeddingsRequest>("inputs", json!([{"model": "m", "inputs": inputs, "single": false}]));
    }
}

/// A context's bytes in a component's memory: each text is empty, each list too, and there is no count.
fn placed(at: usize, word: [u32; 2]) -> [u8; CONTEXT] {
    let mut bytes = [0; CONTEXT];
    for (place, word) in bytes[at..].chunks_exact_mut(4).zip(word) {
        place.copy_from_slice(&word.to_le_bytes());
    }
    bytes
}

/// What a component with these bytes returns.
fn read(bytes: &[u8; CONTEXT], fuel: usize) -> wasmtime::Result<Context> {
    let engine = Engine::new(Config::new().concurrency_support(false)).unwrap();
    let mut store = Store::new(&engine, ());
    store.set_hostcall_fuel(fuel);
    let component = component(&engine, StringEncoding::UTF8, bytes);
    let instance: Instance = Linker::new(&engine).instantiate(&mut store, &component).unwrap();
    let echo = instance.get_export_index(&mut store, None, "test:echo/echo").unwrap();
    let function = instance.get_export_index(&mut store, Some(&echo), "placed").unwrap();
    let function = instance.get_typed_func::<(u32,), (Context,)>(&mut store, function).unwrap();
    function.call(&mut store, (PLACE,)).map(|(it,)| it)
}

#[test]
fn what_a_component_may_not_return_is_refused() {
    const MODEL: usize = 16;
    const OPTIONS: usize = 32;
    const COUNT: usize = 48;
    /// The memory's size in bytes.
    const END: u32 = 4 << 16;
    let fails = |bytes: [u8; CONTEXT], fuel: usize, with: &str| {
        let error = format!("{:#}", read(&bytes, fuel).unwrap_err());
        assert!(error.contains(with), "{error}");
    };
    assert_eq!(read(&placed(COUNT, [1, 7]), 0).unwrap().input_tokens, Some(7));
    assert_eq!(read(&placed(MODEL, [END - 3, 3]), 3).unwrap().model, "\0\0\0");
    fails(placed(COUNT, [2, 7]), 0, "discriminant");
    fails(placed(MODEL, [END - 3, 4]), 4, "beyond");
    fails(placed(MODEL, [u32::MAX, u32::MAX]), 4, "beyond");
    fails(placed(MODEL, [END - 3, 3]), 2, "fuel");
    // The text is its own address and length, whose last byte is the beginning of a character.
    fails(placed(MODEL, [PLACE + 16, 0xc3]), 1000, "utf-8");
    fails(placed(OPTIONS, [PLACE + 1, 0]), 1000, "aligned");
    fails(placed(OPTIONS, [PLACE, u32::MAX]), usize::MAX, "beyond");
    fails(placed(OPTIONS, [8, 1]), 1, "fuel");
}
