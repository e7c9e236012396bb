//! Parses answers and errors of the service.

use weir_sdk::adapter::{ChatAnswer, ChatOutcome, ProviderChat, ProviderErrors, Result};
use weir_sdk::types::{ChatRequest, Context, Error, HttpResponse, RenderedRequest};

use crate::decoder::OutputDecoder;
use crate::prediction::{self, Progress};
use crate::{Replicate, error, request};

impl ProviderChat for Replicate {
    type Decoder = OutputDecoder;

    fn render_request(ctx: &Context, request: ChatRequest) -> Result<RenderedRequest> {
        request::write(ctx, &request)
    }

    fn parse_response(ctx: &Context, response: HttpResponse) -> Result<ChatOutcome> {
        Ok(match prediction::read(ctx, &response)? {
            Progress::Done(response) => ChatOutcome::Complete(ChatAnswer { response, losses: Vec::new() }),
            Progress::Next(step) => ChatOutcome::FollowUp(step),
        })
    }
}

impl ProviderErrors for Replicate {
    fn parse_error(ctx: &Context, response: HttpResponse) -> Error {
        error::read(ctx, &response)
    }
}
