//! The part of an answer that clients of any format may have, without what describes the exchange that made it.

use serde::{Deserialize, Serialize};

use weir_types::contract::types::{ChatResponse, Extension};

/// An answer that clients of other formats may have.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Portable {
    /// The format that it was read from.
    format: String,
    answer: ChatResponse,
}

impl Portable {
    pub(super) fn new(format: &str, answer: ChatResponse) -> Self {
        Self { format: format.to_owned(), answer }
    }

    /// The answer for a client of this format. If that is not the first client's format, it comes without what
    /// describes the first exchange, for which other formats have no place either.
    pub(crate) fn into_answer(self, format: &str) -> ChatResponse {
        let Self { format: own, mut answer } = self;
        if own != format {
            answer.service_tier = None;
            answer.extensions.retain(|member| !is_about_the_exchange(member));
            if let Some(usage) = &mut answer.usage {
                usage.extensions.clear();
            }
        }
        answer
    }
}

/// Whether a member beside the content describes the exchange: a single value does, such as the fingerprint of a
/// backend. Lists and objects may hold content, such as pages that were found.
fn is_about_the_exchange(member: &Extension) -> bool {
    !member.json.trim_start().starts_with(['[', '{'])
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_types::contract::types::Usage;

    #[test]
    fn what_describes_the_exchange_is_for_its_own_format_and_content_is_for_all_or_none() {
        let member = |key: &str, json: &str| Extension {
            format: "a.chat".to_owned(),
            key: key.to_owned(),
            json: json.to_owned(),
        };
        let extensions = vec![member("fingerprint", "\"fp\""), member("pages", "[1]"), member("more", " {}")];
        let usage = Usage { extensions: vec![member("details", "{}")], ..Usage::default() };
        let (service_tier, usage) = (Some("default".to_owned()), Some(usage));
        let (id, model, created_ms, candidates) = (String::new(), None, None, Vec::new());
        let answer = ChatResponse { id, model, created_ms, candidates, usage, service_tier, extensions };
        let same = Portable::new("a.chat", answer.clone()).into_answer("a.chat");
        assert_eq!((same.extensions.len(), same.service_tier.as_deref()), (3, Some("default")));
        let other = Portable::new("a.chat", answer).into_answer("b.chat");
        let keys: Vec<&str> = other.extensions.iter().map(|member| member.key.as_str()).collect();
        assert_eq!((keys, other.service_tier), (vec!["pages", "more"], None));
        assert!(other.usage.unwrap().extensions.is_empty());
    }
}
