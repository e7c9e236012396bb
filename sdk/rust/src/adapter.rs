//! The traits of an adapter, one for each interface of the contract, and [`export!`](crate::export), which makes a
//! component of those that the adapter implements.
//!
//! The traits are the contract's functions without the ceremony of generated code: no cells, no handles, no unused
//! arguments by value. They are plain Rust, so an adapter builds and is unit-tested natively.

use std::cell::RefCell;
use std::marker::PhantomData;

use crate::bindings as b;
use crate::manifest::Manifest;
use crate::types::{
    ChatEvent, ChatRequest, ChatResponse, Context, Decoded, EmbeddingsRequest, EmbeddingsResponse, Encoded, Error,
    Frame, HttpRequest, HttpResponse, ModelsRequest, ModelsResponse, RenderedRequest, RenderedResponse, RerankRequest,
    RerankResponse, TokenCount,
};
pub use b::dialect_chat::exports::weir::adapter::dialect_chat::ParsedChat;
pub use b::dialect_count_tokens::exports::weir::adapter::dialect_count_tokens::ParsedCount;
pub use b::dialect_embeddings::exports::weir::adapter::dialect_embeddings::ParsedEmbeddings;
pub use b::dialect_models::exports::weir::adapter::dialect_models::ParsedModels;
pub use b::dialect_rerank::exports::weir::adapter::dialect_rerank::ParsedRerank;
pub use b::provider_chat::exports::weir::adapter::provider_chat::{ChatAnswer, ChatOutcome};

/// The result of every call that can fail.
pub type Result<T> = std::result::Result<T, Error>;

/// Describes the adapter; the only interface that every adapter has.
pub trait About: 'static {
    /// Returns the manifest, which never changes.
    fn describe() -> Manifest;
}

/// Parses the provider's errors.
pub trait ProviderErrors: 'static {
    /// Parses an answer with a status of 400 or over; its body may be anything.
    fn parse_error(ctx: &Context, response: HttpResponse) -> Error;
}

/// Parses a provider's streamed answer.
pub trait Decoder: Sized + 'static {
    /// Creates the decoder; an error in the context is reported by the first push.
    fn new(ctx: Context) -> Self;
    /// Parses the frames of one read.
    fn push(&mut self, frames: Vec<Frame>) -> Result<Decoded>;
    /// Called when the upstream has ended in an orderly way.
    fn finish(&mut self) -> Result<Decoded>;
}

/// The provider's side of chat.
pub trait ProviderChat: 'static {
    /// Parses streamed answers.
    type Decoder: Decoder;
    /// Renders the request for the provider.
    fn render_request(ctx: &Context, request: ChatRequest) -> Result<RenderedRequest>;
    /// Parses a whole answer with a status below 400.
    fn parse_response(ctx: &Context, response: HttpResponse) -> Result<ChatOutcome>;
}

/// Renders a streamed answer for a client.
pub trait Encoder: Sized + 'static {
    /// Creates the encoder; an error in the context is reported by the first push.
    fn new(ctx: Context) -> Self;
    /// Renders the events of one read.
    fn push(&mut self, events: Vec<ChatEvent>) -> Result<Encoded>;
    /// Called when all events have been pushed.
    fn finish(&mut self) -> Result<Encoded>;
}

/// The dialect's side of chat: a format of clients.
pub trait DialectChat: 'static {
    /// Renders streamed answers.
    type Encoder: Encoder;
    /// Parses a client's request.
    fn parse_request(ctx: &Context, request: HttpRequest) -> Result<ParsedChat>;
    /// Renders a whole answer.
    fn render_response(ctx: &Context, response: ChatResponse) -> Result<RenderedResponse>;
}

/// Declares a pair of traits without streams: one for the provider's side, one for the dialect's.
macro_rules! sides {
    ($(#[$doc:meta])* $provider:ident, $dialect:ident, $request:ty, $response:ty, $parsed:ty) => {
        $(#[$doc])*
        pub trait $provider: 'static {
            /// Renders the request for the provider.
            fn render_request(ctx: &Context, request: $request) -> Result<RenderedRequest>;
            /// Parses an answer with a status below 400.
            fn parse_response(ctx: &Context, response: HttpResponse) -> Result<$response>;
        }
        $(#[$doc])*
        pub trait $dialect: 'static {
            /// Parses a client's request.
            fn parse_request(ctx: &Context, request: HttpRequest) -> Result<$parsed>;
            /// Renders the answer.
            fn render_response(ctx: &Context, response: $response) -> Result<RenderedResponse>;
        }
    };
}
sides!(
    /// Interfaces for vectors of texts and pictures, from and to one format.
    ProviderEmbeddings, DialectEmbeddings, EmbeddingsRequest, EmbeddingsResponse, ParsedEmbeddings
);
sides!(
    /// Lists of models.
    ProviderModels, DialectModels, ModelsRequest, ModelsResponse, ParsedModels
);
sides!(
    /// Counts the tokens of a request.
    ProviderCountTokens, DialectCountTokens, ChatRequest, TokenCount, ParsedCount
);
sides!(
    /// Ranks documents.
    ProviderRerank, DialectRerank, RerankRequest, RerankResponse, ParsedRerank
);

/// Connects the traits above to the generated ones.
#[derive(Debug)]
pub struct Component<A>(PhantomData<A>);

/// A decoder or encoder behind the shared reference that the generated traits pass.
#[derive(Debug)]
pub struct Session<T>(RefCell<T>);

impl<A: About> b::about::exports::weir::adapter::about::Guest for Component<A> {
    fn describe() -> Manifest {
        A::describe()
    }
}

impl<A: ProviderErrors> b::provider_errors::exports::weir::adapter::provider_errors::Guest for Component<A> {
    fn parse_error(ctx: Context, response: HttpResponse) -> Error {
        A::parse_error(&ctx, response)
    }
}

impl<A: ProviderChat> b::provider_chat::exports::weir::adapter::provider_chat::Guest for Component<A> {
    type ChatDecoder = Session<A::Decoder>;
    fn render_request(ctx: Context, request: ChatRequest) -> Result<RenderedRequest> {
        A::render_request(&ctx, request)
    }
    fn parse_response(ctx: Context, response: HttpResponse) -> Result<ChatOutcome> {
        A::parse_response(&ctx, response)
    }
}

impl<D: Decoder> b::provider_chat::exports::weir::adapter::provider_chat::GuestChatDecoder for Session<D> {
    fn new(ctx: Context) -> Self {
        Self(RefCell::new(D::new(ctx)))
    }
    fn push(&self, frames: Vec<Frame>) -> Result<Decoded> {
        self.0.borrow_mut().push(frames)
    }
    fn finish(&self) -> Result<Decoded> {
        self.0.borrow_mut().finish()
    }
}

impl<A: DialectChat> b::dialect_chat::exports::weir::adapter::dialect_chat::Guest for Component<A> {
    type ChatEncoder = Session<A::Encoder>;
    fn parse_request(ctx: Context, request: HttpRequest) -> Result<ParsedChat> {
        A::parse_request(&ctx, request)
    }
    fn render_response(ctx: Context, response: ChatResponse) -> Result<RenderedResponse> {
        A::render_response(&ctx, response)
    }
}

impl<E: Encoder> b::dialect_chat::exports::weir::adapter::dialect_chat::GuestChatEncoder for Session<E> {
    fn new(ctx: Context) -> Self {
        Self(RefCell::new(E::new(ctx)))
    }
    fn push(&self, events: Vec<ChatEvent>) -> Result<Encoded> {
        self.0.borrow_mut().push(events)
    }
    fn finish(&self) -> Result<Encoded> {
        self.0.borrow_mut().finish()
    }
}

macro_rules! bridge {
    ($module:ident, $provider:ident, $request:ty, $response:ty) => {
        impl<A: $provider> b::$module::exports::weir::adapter::$module::Guest for Component<A> {
            fn render_request(ctx: Context, request: $request) -> Result<RenderedRequest> {
                A::render_request(&ctx, request)
            }
            fn parse_response(ctx: Context, response: HttpResponse) -> Result<$response> {
                A::parse_response(&ctx, response)
            }
        }
    };
    ($module:ident, $dialect:ident => $parsed:ty, $response:ty) => {
        impl<A: $dialect> b::$module::exports::weir::adapter::$module::Guest for Component<A> {
            fn parse_request(ctx: Context, request: HttpRequest) -> Result<$parsed> {
                A::parse_request(&ctx, request)
            }
            fn render_response(ctx: Context, response: $response) -> Result<RenderedResponse> {
                A::render_response(&ctx, response)
            }
        }
    };
}
bridge!(provider_embeddings, ProviderEmbeddings, EmbeddingsRequest, EmbeddingsResponse);
bridge!(dialect_embeddings, DialectEmbeddings => ParsedEmbeddings, EmbeddingsResponse);
bridge!(provider_models, ProviderModels, ModelsRequest, ModelsResponse);
bridge!(dialect_models, DialectModels => ParsedModels, ModelsResponse);
bridge!(provider_count_tokens, ProviderCountTokens, ChatRequest, TokenCount);
bridge!(dialect_count_tokens, DialectCountTokens => ParsedCount, TokenCount);
bridge!(provider_rerank, ProviderRerank, RerankRequest, RerankResponse);
bridge!(dialect_rerank, DialectRerank => ParsedRerank, RerankResponse);

/// Makes a component of an adapter: `weir_sdk::export!(Adapter: about, provider_errors, provider_chat);`
///
/// In a native build it only checks that the traits are implemented: a library with component exports does not link.
#[macro_export]
macro_rules! export {
    ($adapter:ty: $($interface:ident),+ $(,)?) => {
        const _: () = {
            type Component = $crate::adapter::Component<$adapter>;
            $($crate::export_interface!($interface);)+
        };
    };
}

/// One interface of [`export!`].
#[doc(hidden)]
#[macro_export]
macro_rules! export_interface {
    ($interface:ident) => {
        #[cfg(target_arch = "wasm32")]
        $crate::bindings::$interface::export!(Component with_types_in $crate::bindings::$interface);
        #[cfg(not(target_arch = "wasm32"))]
        const _: () = {
            const fn implements<T: $crate::bindings::$interface::exports::weir::adapter::$interface::Guest>() {}
            implements::<Component>();
        };
    };
}
