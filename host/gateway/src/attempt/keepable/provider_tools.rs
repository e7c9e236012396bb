//! Members of a request by which a provider runs tools of its own, such as a search, beside those that stand among its
//! tools.

use std::sync::LazyLock;

use serde::Deserialize;
use weir_types::contract::types::ChatRequest;

/// The members, each with the page that describes it.
const MEMBERS: &str = include_str!("../../../data/provider_tools.json");

#[derive(Debug, Deserialize)]
struct ProviderTool {
    member: String,
}

static KNOWN: LazyLock<Vec<ProviderTool>> = LazyLock::new(|| serde_json::from_str(MEMBERS).unwrap_or_default());

/// Whether a request has such a member, unless it says that it wants none.
pub(super) fn are_asked_for(chat: &ChatRequest) -> bool {
    let is_known = |key: &str| KNOWN.iter().any(|known| known.member == key);
    let wants = |json: &str| !matches!(json.trim(), "null" | "false" | "[]");
    chat.extensions.iter().any(|member| is_known(&member.key) && wants(&member.json))
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_types::contract::types::Extension;

    #[test]
    fn a_known_member_asks_for_a_tool_unless_it_says_no() {
        let asks = |key: &str, json: &str| {
            let mut chat = ChatRequest::user("Hi");
            chat.extensions = vec![Extension { format: "x.chat".into(), key: key.into(), json: json.into() }];
            are_asked_for(&chat)
        };
        assert!(KNOWN.len() >= 7);
        for known in &*KNOWN {
            assert!(asks(&known.member, "{}") && asks(&known.member, "true"), "{known:?}");
            assert!(["null", " false ", "[]"].iter().all(|no| !asks(&known.member, no)), "{known:?}");
        }
        assert!(!asks("a_member_of_tomorrow", "{}"));
    }
}
