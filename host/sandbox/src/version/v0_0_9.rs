//! Version 0.0.9, which was made up for the tests: see [`crate::contract::v0_0_9`].

use wasmtime::Store;
use wasmtime::component::ResourceAny;

use super::{MissingFunction, Said, Speech, exports};
use crate::call::{Calls, ChatOutcome, ParsedChat};
use crate::contract::v0_0_9 as contract;
use crate::contract::v0_0_9::downward;
use crate::contract::v0_0_9::downward::Ledger;
use crate::instance::{Instance, Interface, Interfaces};
use crate::state::State;
use weir_types::contract::about::Manifest;
use weir_types::contract::types::{
    ChatEvent, ChatRequest, ChatResponse, Context, Decoded, Encoded, Error, ErrorKind, Frame, HttpRequest,
    HttpResponse, RenderedRequest, RenderedResponse,
};

exports! {
    v0_0_9:
    About, about, AboutOnly, AboutOnlyIndices;
    ProviderChat, provider_chat, ProviderChatOnly, ProviderChatOnlyIndices;
    DialectChat, dialect_chat, DialectChatOnly, DialectChatOnlyIndices;
}

/// Takes what was passed down out of its `Result`; what cannot be passed down is the call's answer.
macro_rules! passed {
    ($passed:expr) => {
        match $passed {
            Ok(passed) => passed,
            Err(error) => return Ok(Err(error)),
        }
    };
}

/// What came back, in the newest version's types.
fn upward<T, U: From<T>, E, F: From<E>>(said: Result<T, E>) -> Result<U, F> {
    said.map(U::from).map_err(F::from)
}

impl Calls for Voice<'_> {
    fn parse_chat(&mut self, ctx: &Context, request: &HttpRequest) -> Said<ParsedChat> {
        let request = passed!(downward::http_request(request));
        let (store, view) = self.dialect_chat()?;
        Ok(upward(view.weir_adapter_dialect_chat().call_parse_request(store, &ctx.into(), &request)?))
    }

    fn render_chat_response(&mut self, ctx: &Context, response: &ChatResponse) -> Said<RenderedResponse> {
        let mut ledger = Ledger::default();
        let response = passed!(downward::chat_response(response, &mut ledger));
        let (store, view) = self.dialect_chat()?;
        let said = view.weir_adapter_dialect_chat().call_render_response(store, &ctx.into(), &response)?;
        Ok(upward(said).map(|mut rendered: RenderedResponse| {
            rendered.losses.extend(ledger.0);
            rendered
        }))
    }

    fn render_chat(&mut self, ctx: &Context, request: &ChatRequest) -> Said<RenderedRequest> {
        let mut ledger = Ledger::default();
        let request = passed!(downward::chat_request(request, &mut ledger));
        let (store, view) = self.provider_chat()?;
        let said = view.weir_adapter_provider_chat().call_render_request(store, &ctx.into(), &request)?;
        Ok(upward(said).map(|mut rendered: RenderedRequest| {
            rendered.losses.extend(ledger.0);
            rendered
        }))
    }

    fn parse_chat_response(&mut self, ctx: &Context, response: &HttpResponse) -> Said<ChatOutcome> {
        let response = passed!(downward::http_response(response));
        let (store, view) = self.provider_chat()?;
        Ok(upward(view.weir_adapter_provider_chat().call_parse_response(store, &ctx.into(), &response)?))
    }
}

impl Speech for Voice<'_> {
    fn prepare(&mut self, interfaces: Interfaces) -> wasmtime::Result<()> {
        self.look_up(interfaces)
    }

    fn describe(&mut self) -> wasmtime::Result<Manifest> {
        let (store, view) = self.about()?;
        view.weir_adapter_about().call_describe(store).map(Manifest::from)
    }

    /// Came later: an error of the provider's is told by its status alone.
    fn parse_error(&mut self, _: &Context, response: &HttpResponse) -> wasmtime::Result<Error> {
        let kind = match response.status {
            429 => ErrorKind::RateLimited,
            400..500 => ErrorKind::InvalidRequest,
            _ => ErrorKind::Upstream,
        };
        let message = format!("the provider answered with status {}", response.status);
        let status = Some(response.status);
        Ok(Error { kind, message, status, code: None, param: None, retry_after_ms: None })
    }

    fn decoder(&mut self, ctx: &Context) -> wasmtime::Result<ResourceAny> {
        let (store, view) = self.provider_chat()?;
        view.weir_adapter_provider_chat().chat_decoder().call_constructor(store, &ctx.into())
    }

    fn decoder_push(&mut self, decoder: ResourceAny, frames: &[Frame]) -> Said<Decoded> {
        let frames: Vec<_> = frames.iter().map(Into::into).collect();
        let (store, view) = self.provider_chat()?;
        Ok(upward(view.weir_adapter_provider_chat().chat_decoder().call_push(store, decoder, &frames)?))
    }

    fn decoder_finish(&mut self, decoder: ResourceAny) -> Said<Decoded> {
        let (store, view) = self.provider_chat()?;
        Ok(upward(view.weir_adapter_provider_chat().chat_decoder().call_finish(store, decoder)?))
    }

    fn encoder(&mut self, ctx: &Context) -> wasmtime::Result<ResourceAny> {
        let (store, view) = self.dialect_chat()?;
        view.weir_adapter_dialect_chat().chat_encoder().call_constructor(store, &ctx.into())
    }

    fn encoder_push(&mut self, encoder: ResourceAny, events: &[ChatEvent]) -> Said<Encoded> {
        let mut ledger = Ledger::default();
        let events = passed!(downward::chat_events(events, &mut ledger));
        let (store, view) = self.dialect_chat()?;
        let said = view.weir_adapter_dialect_chat().chat_encoder().call_push(store, encoder, &events)?;
        Ok(upward(said).map(|mut encoded: Encoded| {
            encoded.losses.extend(ledger.0);
            encoded
        }))
    }

    fn encoder_finish(&mut self, encoder: ResourceAny) -> Said<Encoded> {
        let (store, view) = self.dialect_chat()?;
        Ok(upward(view.weir_adapter_dialect_chat().chat_encoder().call_finish(store, encoder)?))
    }
}
