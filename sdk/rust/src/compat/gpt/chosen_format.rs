//! The format in which a chat goes to a model of OpenAI's. The host asks for Chat unless the operator says otherwise,
//! but some models answer in Responses only, and others call no functions in Chat while they think.
//!
//! Sources: the endpoints of each model on its page and in the price data, and the services' errors: "Function tools
//! with `reasoning_effort` are not supported for gpt-5.4 in `/v1/chat/completions`. Please use `/v1/responses`
//! instead.". Azure says so even if the effort is none.

use super::{model, thinking, version};
use crate::compat::quirks::Quirks;
use crate::compat::{responses, wire};
use crate::types::{ChatRequest, Context, RenderedRequest};

/// What a memo begins with if the request went in Responses although the context names Chat. No memo is of this form
/// else.
const MARK: &str = "responses\n";

/// The first version that thinks about calls in Responses only.
const THINKS_IN_RESPONSES: (u32, u32) = (5, 4);

/// When a model is asked about functions in Responses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Functions {
    /// When it thinks about them.
    Thinking,
    /// Also when the request says that it must not think, which is refused in Chat as well.
    Said,
}

/// The context for a request that has to go in Responses although it was to go in Chat; `None` if it goes as it was to.
pub fn for_request(quirks: &Quirks, functions: Functions, ctx: &Context, request: &ChatRequest) -> Option<Context> {
    if ctx.format != wire::FORMAT || quirks.paths_of(ctx).responses.is_empty() {
        return None;
    }
    let model = model(ctx, request);
    let has_to = is_in_responses_only(&model) || thinks_about_calls(&model, functions, request);
    has_to.then(|| Context { format: responses::FORMAT.to_owned(), ..ctx.clone() })
}

/// Marks a request of [`for_request`]'s context, so that its answer is read as one of Responses.
pub fn marked(mut rendered: RenderedRequest) -> RenderedRequest {
    rendered.memo.insert_str(0, MARK);
    rendered
}

/// The context for an answer to a marked request; `None` for any other.
pub fn for_answer(ctx: &Context) -> Option<Context> {
    let memo = ctx.memo.strip_prefix(MARK)?;
    Some(Context { format: responses::FORMAT.to_owned(), memo: memo.to_owned(), ..ctx.clone() })
}

/// Whether a model is served in Responses only.
fn is_in_responses_only(model: &str) -> bool {
    let is_of = |family: &str| model.starts_with(family);
    let is_variant = |name: &str| model.split('-').any(|word| word == name);
    match () {
        () if version(model).is_some() => is_variant("codex") || is_variant("pro"),
        () if is_of("o1-") || is_of("o3-") || is_of("o4-") => is_variant("pro") || model.contains("deep-research"),
        () => is_of("codex-mini") || is_of("computer-use-"),
    }
}

/// Whether a request has functions, and the model thinks about them. Since `gpt-5.5`, models think unless they are
/// asked not to.
fn thinks_about_calls(model: &str, functions: Functions, request: &ChatRequest) -> bool {
    let Some(version) = version(model).filter(|version| *version >= THINKS_IN_RESPONSES) else { return false };
    let thinks = match &request.reasoning {
        Some(reasoning) => functions == Functions::Said || !thinking::is_off(reasoning),
        None => version > THINKS_IN_RESPONSES,
    };
    thinks && !request.tools.is_empty()
}
