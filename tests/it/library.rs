//! Weir within a program: the unified model in and out, along the same path as a client's request.

mod calls;
mod errors;
#[path = "../../examples/embed.rs"]
#[expect(dead_code, reason = "the example's `main` is not called: its parts are")]
mod example;
mod grants;
mod operations;
mod origin;
mod streams;

use weir_embed::{Answer, Attempt, Builder, ChatResponse, Client, Provider, Reason, Secret};
use weir_tests::plugins::target;
use weir_tests::{Folder, Upstream};

use crate::wire_format::{TEXT, WireFormat};

/// Repetitions come soon, and no breaker opens.
const QUICK: &str = "retry = { max_retries = 1, retry_delay_ms = 1 }\nbreaker = { min_attempts = 1000000 }";

/// A client with these adapters, which lie in a folder that has to be kept.
fn builder(adapters: &[&str]) -> (Folder, Builder) {
    weir_tests::log::begin();
    let folder = Folder::with(adapters);
    let builder = Client::builder().plugins(folder.path()).cache(target().join("test-cache"));
    (folder, builder.settings("[plugins]\nprewarm = 1\n"))
}

/// A provider of this format.
fn provider(wire_format: WireFormat, upstream: &Upstream, settings: &str) -> Provider {
    let provider =
        Provider::new(wire_format.name).url(upstream.url()).key(Secret::new(format!("KEY-OF-{}", wire_format.name)));
    provider.settings(settings)
}

/// Two providers, and the model `chat` that falls back from the first to the second.
async fn two(first: (WireFormat, &Upstream), second: (WireFormat, &Upstream), settings: &str) -> (Folder, Client) {
    let (folder, builder) = builder(&[first.0.name, second.0.name]);
    let builder = builder
        .provider("first", provider(first.0, first.1, settings))
        .provider("second", provider(second.0, second.1, settings))
        .route("chat", [format!("first/{}", first.0.name), format!("second/{}", second.0.name)]);
    (folder, builder.build().await.unwrap())
}

/// One provider, and its model `chat`.
async fn one(wire_format: WireFormat, upstream: &Upstream, settings: &str) -> (Folder, Client) {
    let (folder, builder) = builder(&[wire_format.name]);
    let builder = builder.provider("first", provider(wire_format, upstream, settings));
    (folder, builder.route("chat", [format!("first/{}", wire_format.name)]).build().await.unwrap())
}

fn failed(target: &str, why: &'static str) -> Attempt {
    Attempt { target: target.to_owned(), reason: Reason::Failed(why) }
}

#[track_caller]
fn is_usual(answer: &Answer<ChatResponse>) {
    assert_eq!(answer.text(), TEXT);
    let usage = answer.usage.as_ref().unwrap();
    assert_eq!((usage.input, usage.cache_read, usage.output), (Some(6), Some(4), Some(7)));
}
