//! What an adapter implements: one trait for each interface of the contract, and [`export!`](crate::export) that makes a
//! component of those that it has.
//!
//! The traits are the contract's functions without its generated ceremony: no cells, no handles, no unused arguments by
//! value. They are plain Rust, so an adapter builds and is unit-tested natively.

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

/// What every call answers.
pub type Result<T> = std::result::Result<T, Error>;

/// Says what the adapter is: the only interface that every adapter has.
pub trait About: 'static {
    /// The manifest, always the same.
    fn describe() -> Manifest;
}

/// Understands the provider's errors.
pub trait ProviderErrors: 'static {
    /// Reads an answer with a status of 400 or over; its body may be anything.
    fn parse_error(ctx: &Context, response: HttpResponse) -> Error;
}

/// Reads a provider's streamed answer.
pub trait Decoder: Sized + 'static {
    /// Begins; what is wrong with the context shows at the first push.
    fn new(ctx: Context) -> Self;
    /// Takes the frames of one read.
    fn push(&mut self, frames: Vec<Frame>) -> Result<Decoded>;
    /// The upstream has ended in an orderly way.
    fn finish(&mut self) -> Result<Decoded>;
}

/// A provider of answers.
pub trait ProviderChat: 'static {
    /// Its stream reader.
    type Decoder: Decoder;
    /// Writes the request for the provider.
    fn render_request(ctx: &Context, request: ChatRequest) -> Result<RenderedRequest>;
    /// Reads a whole answer with a status below 400.
    fn parse_response(ctx: &Context, response: HttpResponse) -> Result<ChatOutcome>;
}

/// Writes a streamed answer for a client.
pub trait Encoder: Sized + 'static {
    /// Begins; what is wrong with the context shows at the first push.
    fn new(ctx: Context) -> Self;
    /// Takes the events of one read.
    fn push(&mut self, events: Vec<ChatEvent>) -> Result<Encoded>;
    /// All events have been pushed.
    fn finish(&mut self) -> Result<Encoded>;
}

/// A format that clients speak.
pub trait DialectChat: 'static {
    /// Its stream writer.
    type Encoder: Encoder;
    /// Reads a client's request.
    fn parse_request(ctx: &Context, request: HttpRequest) -> Result<ParsedChat>;
    /// Writes a whole answer.
    fn render_response(ctx: &Context, response: ChatResponse) -> Result<RenderedResponse>;
}

/// Declares the pairs of traits that have no streams: one for the provider's side, one for the dialect's.
macro_rules! sides {
    ($(#[$doc:meta])* $provider:ident, $dialect:ident, $request:ty, $response:ty, $parsed:ty) => {
        $(#[$doc])*
        pub trait $provider: 'static {
            /// Writes the request for the provider.
            fn render_request(ctx: &Context, request: $request) -> Result<RenderedRequest>;
            /// Reads an answer with a status below 400.
            fn parse_response(ctx: &Context, response: HttpResponse) -> Result<$response>;
        }
        $(#[$doc])*
        pub trait $dialect: 'static {
            /// Reads a client's request.
            fn parse_request(ctx: &Context, request: HttpRequest) -> Result<$parsed>;
            /// Writes the answer.
            fn render_response(ctx: &Context, response: $response) -> Result<RenderedResponse>;
        }
    };
}
sides!(
    /// Embeddings.
    ProviderEmbeddings, DialectEmbeddings, EmbeddingsRequest, EmbeddingsResponse, ParsedEmbeddings
);
sides!(
    /// Lists of models.
    ProviderModels, DialectModels, ModelsRequest, ModelsResponse, ParsedModels
);
sides!(
    /// Counting the tokens of a request.
    ProviderCountTokens, DialectCountTokens, ChatRequest, TokenCount, ParsedCount
);
sides!(
    /// Ordering documents.
    ProviderRerank, DialectRerank, RerankRequest, RerankResponse, ParsedRerank
);

/// The bridge from the traits above to the generated ones.
#[derive(Debug)]
pub struct Component<A>(PhantomData<A>);

/// A stream reader or writer behind the shared reference that the generated traits hand out.
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
/// Natively it only checks that the traits are there: a library with component exports does not link.
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
