//! Features on trial that clients of Claude's own API ask for in a header. The platform knows some of them, and refuses
//! a request that names another one: "Unexpected value(s) `files-api-2025-04-14` for the `anthropic-beta` header".
//!
//! Sources: Anthropic's guides to these features, which say where each is to be had, and what users of the platform
//! report of requests that it refused.

use weir_adapter_anthropic::{BETA, FORMAT};
use weir_sdk::json::{Str, parse, quote};
use weir_sdk::losses::Losses;
use weir_sdk::types::{ChatRequest, Extension};

/// The search for tools, which is all that the platform has of [`ADVANCED`].
const TOOL_SEARCH: &str = "tool-search-tool-2025-10-19";
/// The search for tools, calls by code, and examples of calls.
const ADVANCED: &str = "advanced-tool-use-2025-11-20";

/// The features that the platform knows.
const KNOWN: [&str; 13] = [
    TOOL_SEARCH,
    "compact-2026-01-12",
    "compact-2026-09-04",
    "computer-use-2025-01-24",
    "computer-use-2025-11-24",
    "context-1m-2025-08-07",
    "context-management-2025-06-27",
    "dangerous-tool-use-2026-09-03",
    "interleaved-thinking-2025-05-14",
    "per-turn-control-2026-07-01",
    "thinking-binding-controls-2026-08-01",
    "thinking-display-updates-2026-08-18",
    "web-search-2025-03-05",
];

/// The features that models have without being asked, or whose members are enough; and names that ask for none.
const USUAL: [&str; 10] = [
    "adaptive-thinking-2026-01-28",
    "claude-code-20250219",
    "effort-2025-11-24",
    "extended-cache-ttl-2025-04-11",
    "fine-grained-tool-streaming-2025-05-14",
    "oauth-2025-04-20",
    "pdfs-2024-09-25",
    "prompt-caching-2024-07-31",
    "structured-outputs-2025-11-13",
    "token-counting-2024-11-01",
];

/// Leaves the features in a request that the platform knows, and reports if others that change something are lost.
pub(crate) fn keep_known(request: &mut ChatRequest, losses: &mut Losses) {
    let Some(at) = request.extensions.iter().position(is_header) else { return };
    let asked = request.extensions.swap_remove(at);
    let asked = parse::<Str<'_>>(&asked.json).map(Str::into_string).unwrap_or_default();
    let mut kept: Vec<&str> = Vec::new();
    let mut lost = false;
    for name in asked.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        lost |= !KNOWN.contains(&name) && !USUAL.contains(&name);
        let name = if name == ADVANCED { TOOL_SEARCH } else { name };
        if KNOWN.contains(&name) && !kept.contains(&name) {
            kept.push(name);
        }
    }
    losses.dropped_if(lost, BETA, "the platform does not know all of these features");
    if !kept.is_empty() {
        let mut json = String::new();
        quote(&mut json, &kept.join(","));
        request.extensions.push(Extension { format: FORMAT.into(), key: BETA.into(), json });
    }
}

fn is_header(own: &Extension) -> bool {
    own.format == FORMAT && own.key == BETA
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(header: &str) -> (Option<String>, bool) {
        let mut json = String::new();
        quote(&mut json, header);
        let extensions = vec![Extension { format: FORMAT.into(), key: BETA.into(), json }];
        let mut request = ChatRequest { extensions, ..ChatRequest::default() };
        let mut losses = Losses::default();
        keep_known(&mut request, &mut losses);
        let left = request.extensions.first().and_then(|own| parse::<Str<'_>>(&own.json).ok()).map(Str::into_string);
        (left, !losses.into_losses().is_empty())
    }

    #[test]
    fn only_features_that_the_platform_knows_are_asked_for() {
        for (header, left, lost) in [
            ("context-1m-2025-08-07", Some("context-1m-2025-08-07"), false),
            ("interleaved-thinking-2025-05-14, files-api-2025-04-14", Some("interleaved-thinking-2025-05-14"), true),
            ("prompt-caching-2024-07-31,claude-code-20250219", None, false),
            ("structured-outputs-2025-11-13", None, false),
            ("fast-mode-2026-02-01", None, true),
            ("advanced-tool-use-2025-11-20,tool-search-tool-2025-10-19", Some(TOOL_SEARCH), true),
            ("", None, false),
        ] {
            assert_eq!(kept(header), (left.map(str::to_owned), lost), "{header}");
        }
    }
}
