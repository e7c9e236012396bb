//! Weir as a library: a Rust program calls models as the gateway does for its clients, without a server.
//!
//! A [`Client`] loads the adapters of a folder into the same sandbox, and sends each call along the same path: routes
//! and fallbacks, retries, breakers, several keys, limits. The program gives and takes the unified model of the
//! contract ([`types`]), so it does not know the formats of providers. A client opens no socket to listen on, sets no
//! logger and keeps nothing global; it logs through `tracing`.
//!
//! ```no_run
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! use weir_embed::{Client, Provider, Secret};
//!
//! let weir = Client::builder()
//!     .plugins("plugins") // the folder with NAME.wasm
//!     .provider("local", Provider::new("one-adapter").url("http://127.0.0.1:11434"))
//!     .provider("cloud", Provider::new("another-adapter").key(Secret::from_env("CLOUD_API_KEY")?))
//!     .route("chat", ["local/small-model", "cloud/large-model"]) // the order of fallbacks
//!     .build()
//!     .await?;
//!
//! let answer = weir.generate("chat", "Hello").await?;
//! println!("{} answered: {}", answer.target, answer.text());
//!
//! let mut events = weir.stream("chat", "Tell me a story").await?;
//! while let Some(event) = events.next().await {
//!     println!("{:?}", event?);
//! }
//! # Ok(()) }
//! ```
//!
//! | item | is |
//! |---|---|
//! | [`Client::builder`], [`Client::from_config`] | a client made of code, or of the gateway's own configuration file |
//! | [`Client::generate`], [`Client::stream`] | a whole answer, a stream of events; dropping either cancels the request |
//! | [`Client::embed`], [`Client::rerank`], [`Client::count_tokens`] | the other operations |
//! | [`Client::list_models`], [`Client::models_of`], [`Client::is_available`] | which models there are, and whether they answer |
//! | [`Client::model`] | one call with a session, a time limit or strictness |
//! | [`Answer`], [`EventStream`] | the answer with its losses, tokens, and the target that gave it |
//! | [`Error`], [`BuildError`] | why a call has no answer; why there is no client |
//! | [`adapters`], [`adapter_settings`], [`granted`] | how adapters are loaded, for programs that put the gateway together themselves |

pub mod adapter_settings;
pub mod adapters;
mod answer;
mod builder;
mod client;
mod error;
pub mod granted;
mod model;
mod provider;
mod stream;

pub use answer::{Answer, Attempt, Reason};
pub use builder::Builder;
pub use client::Client;
pub use error::{BuildError, Error};
pub use model::Model;
pub use provider::Provider;
pub use stream::EventStream;
pub use weir_config::Secret;
pub use weir_config::secret::MissingVariable;
pub use weir_types::contract::types::{
    ChatEvent, ChatRequest, ChatResponse, EmbeddingsRequest, ErrorKind, Loss, LossKind, RerankRequest, Usage,
};
pub use weir_types::fault::Side;

/// The unified model: requests, answers and events, as the contract in `wit/` defines them.
pub mod types {
    pub use weir_types::contract::types::*;
}
