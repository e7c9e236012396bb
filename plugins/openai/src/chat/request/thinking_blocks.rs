//! Thinking in a history as LiteLLM writes it: `thinking_blocks`, in the shape of Claude's own blocks. Its clients, and
//! agents built on it, send back what they have of earlier answers.

use weir_sdk::compat::wire::Detail;
use weir_sdk::json::{self, RawValue, Rest, Str};

const MEMBER: &str = "thinking_blocks";
/// How entries of `reasoning_details` name Claude's values.
const CLAUDE: &str = "anthropic-claude-v1";

/// Takes the blocks as entries of `reasoning_details`. A list with anything else stays a member.
pub(super) fn take<'a>(rest: &mut Rest<'a>) -> Vec<Detail<'a>> {
    let blocks = rest.get(MEMBER).and_then(json::list).unwrap_or_default();
    let details: Option<Vec<Detail<'a>>> = blocks.into_iter().map(detail).collect();
    let Some(details) = details else { return Vec::new() };
    rest.take(MEMBER);
    details
}

fn detail(raw: &RawValue) -> Option<Detail<'_>> {
    let mut block = Rest::parse(raw.get()).ok()?;
    let detail = match &*block.str("type")? {
        "thinking" => Detail {
            kind: Some(Str("reasoning.text".into())),
            text: Some(block.str("thinking")?),
            signature: block.str("signature").filter(|signature| !signature.is_empty()),
            ..Detail::default()
        },
        "redacted_thinking" => Detail {
            kind: Some(Str("reasoning.encrypted".into())),
            data: Some(block.str("data")?),
            ..Detail::default()
        },
        _ => return None,
    };
    // Nothing vouches for thinking without a signature.
    let is_signed = detail.signature.is_some() || detail.data.is_some();
    Some(Detail { format: is_signed.then(|| Str(CLAUDE.into())), ..detail })
}
