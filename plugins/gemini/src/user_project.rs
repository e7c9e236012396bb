//! The project whose quota requests take and which pays for them, where that is not the credential's own: the
//! operator's choice, which no client makes by a header of its own.
//!
//! Source: Google's guide to system parameters (`x-goog-user-project`).

use weir_sdk::manifest::Acceptance;
use weir_sdk::types::{Context, Header, RenderedRequest};

const HEADER: &str = "x-goog-user-project";
const OPTION: &str = "user_project";

/// A request that names the project, if the operator has set one.
pub fn named(ctx: &Context, mut rendered: RenderedRequest) -> RenderedRequest {
    let headers = &mut rendered.request.headers;
    if let Some(project) = ctx.option_str(OPTION).filter(|_| headers.iter().all(|header| header.name != HEADER)) {
        headers.push(Header::new(HEADER, project));
    }
    rendered
}

/// The same for a request that is passed on unchanged.
pub fn accepted(acceptance: Acceptance) -> Acceptance {
    Acceptance { set_headers: vec![Header::new(HEADER, format!("{{option.{OPTION}}}"))], ..acceptance }
}
