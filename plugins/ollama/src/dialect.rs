//! The dialect's side: the format of clients.

pub(crate) mod encoder;
pub(crate) mod history;
mod names;
pub(crate) mod request;
mod response;

use weir_sdk::adapter::{DialectChat, ParsedChat, Result};
use weir_sdk::json::Object;
use weir_sdk::time;
use weir_sdk::types::{ChatResponse, Context, HttpRequest, RenderedResponse};

use crate::Ollama;
pub(crate) use history::NO_NAME;

/// Memo of a request for `/api/generate`.
pub(crate) const GENERATES: &str = "generate";

impl DialectChat for Ollama {
    type Encoder = encoder::LineEncoder;

    fn parse_request(ctx: &Context, request: HttpRequest) -> Result<ParsedChat> {
        let generates = request::generates(ctx, &request);
        let memo = if generates { GENERATES.to_owned() } else { String::new() };
        Ok(ParsedChat { request: request::read(ctx, &request, generates)?, losses: Vec::new(), memo })
    }

    fn render_response(ctx: &Context, response: ChatResponse) -> Result<RenderedResponse> {
        Ok(response::write(ctx, &response))
    }
}

/// Writes the first members of every answer. Clients parse `created_at` as a time.
fn head(o: &mut Object<'_>, ctx: &Context, model: Option<&str>, created_ms: Option<f64>) {
    o.str("model", if ctx.model.is_empty() { model.unwrap_or_default() } else { &ctx.model });
    o.str("created_at", &created_at(created_ms.unwrap_or(ctx.now_ms)));
}

/// A time with milliseconds.
fn created_at(ms: f64) -> String {
    let seconds = time::format(ms);
    let fraction = (ms.max(0.0) % 1000.0).floor() as u32;
    match seconds.strip_suffix('Z') {
        Some(seconds) if fraction > 0 => format!("{seconds}.{fraction:03}Z"),
        _ => seconds,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_keep_their_milliseconds() {
        for text in ["2026-08-04T19:59:29.597Z", "2026-08-04T19:59:29Z", "2026-08-04T19:59:29.007Z"] {
            assert_eq!(created_at(time::parse(text).unwrap()), text);
        }
    }
}
