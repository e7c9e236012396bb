//! Members of requests that Chat shares with Responses, or with legacy completions, and the unified model lacks. Each
//! format keeps them as its own extensions; they become the other format's before that format is written, so that they
//! are not lost.

use super::completions::FORMAT as COMPLETIONS;
use super::end_user::SAFETY;
use super::responses::FORMAT as RESPONSES;
use super::wire::{FORMAT as CHAT, rest_json};
use crate::json::Rest;
use crate::losses::extension;
use crate::types::Extension;

/// Members of the same name and meaning.
const SAME: [&str; 4] = ["moderation", "prompt_cache_options", "prompt_cache_retention", SAFETY];

/// Members of Chat that legacy completions have as well; servers other than OpenAI's know the last two.
const SAMPLING: [&str; 3] = ["logit_bias", "min_p", "repetition_penalty"];

/// A member of Chat that Responses have within `text`.
const VERBOSITY: &str = "verbosity";
const TEXT: &str = "text";

/// Makes Chat's members those of Responses.
pub fn to_responses(extensions: &mut [Extension]) {
    rename(extensions, CHAT, RESPONSES, &SAME);
    if extension(extensions, RESPONSES, TEXT).is_some() {
        return;
    }
    for own in extensions.iter_mut().filter(|own| own.format == CHAT && own.key == VERBOSITY) {
        let json = format!("{{\"{VERBOSITY}\":{}}}", own.json);
        *own = Extension { format: RESPONSES.to_owned(), key: TEXT.to_owned(), json };
    }
}

/// Makes the members of Responses Chat's.
pub fn to_chat(extensions: &mut Vec<Extension>) {
    rename(extensions, RESPONSES, CHAT, &SAME);
    rename(extensions, COMPLETIONS, CHAT, &SAMPLING);
    let Some(at) = extensions.iter().position(|own| own.format == RESPONSES && own.key == TEXT) else { return };
    let text = extensions.swap_remove(at);
    let Ok(mut rest) = Rest::parse(&text.json) else { return extensions.push(text) };
    let verbosity = rest.value(VERBOSITY).map(|raw| raw.get().to_owned());
    if !rest.0.is_empty() {
        let json = rest_json(&rest);
        extensions.push(Extension { json, format: text.format, key: text.key });
    }
    extensions.extend(verbosity.map(|json| Extension { format: CHAT.to_owned(), key: VERBOSITY.to_owned(), json }));
}

/// Makes Chat's members those of legacy completions.
pub fn to_completions(extensions: &mut [Extension]) {
    rename(extensions, CHAT, COMPLETIONS, &SAMPLING);
}

fn rename(extensions: &mut [Extension], from: &str, to: &str, members: &[&str]) {
    let shared = |own: &&mut Extension| own.format == from && members.contains(&own.key.as_str());
    extensions.iter_mut().filter(shared).for_each(|own| to.clone_into(&mut own.format));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(format: &str, key: &str, json: &str) -> Extension {
        Extension { format: format.into(), key: key.into(), json: json.into() }
    }

    #[test]
    fn members_of_both_formats_come_across_and_back() {
        let members = |format: &str| {
            [
                ("prompt_cache_retention", "\"24h\""),
                ("prompt_cache_options", "{}"),
                ("moderation", "{}"),
                (SAFETY, "null"),
            ]
            .map(|(key, json)| own(format, key, json))
            .to_vec()
        };
        let mut extensions = members(CHAT);
        to_responses(&mut extensions);
        assert_eq!(extensions, members(RESPONSES));
        to_chat(&mut extensions);
        assert_eq!(extensions, members(CHAT));
    }

    #[test]
    fn what_steers_sampling_is_the_same_in_legacy_completions() {
        let members = |format: &str| SAMPLING.map(|key| own(format, key, "1.1")).to_vec();
        let mut extensions = members(COMPLETIONS);
        to_chat(&mut extensions);
        assert_eq!(extensions, members(CHAT));
        to_completions(&mut extensions);
        assert_eq!(extensions, members(COMPLETIONS));
    }

    #[test]
    fn verbosity_is_within_text_in_one_format_and_alone_in_the_other() {
        let mut extensions = vec![own(CHAT, "store", "true"), own(CHAT, VERBOSITY, "\"low\"")];
        to_responses(&mut extensions);
        assert_eq!(extensions, [own(CHAT, "store", "true"), own(RESPONSES, TEXT, r#"{"verbosity":"low"}"#)]);
        to_chat(&mut extensions);
        assert_eq!(extensions, [own(CHAT, "store", "true"), own(CHAT, VERBOSITY, "\"low\"")]);
    }

    #[test]
    fn what_chat_has_no_place_for_stays_in_text() {
        let mut extensions = vec![own(RESPONSES, TEXT, r#"{"verbosity":"low","new":1}"#)];
        to_chat(&mut extensions);
        assert_eq!(extensions, [own(RESPONSES, TEXT, r#"{"new":1}"#), own(CHAT, VERBOSITY, "\"low\"")]);
    }
}
