//! Which requests a compatible provider does not take as they are, so that they are translated.

use crate::compat::effort;
use crate::compat::quirks::{Clamp, Effort, Quirks, Thinking};
use crate::manifest::{Exclusion, FrameTest, PointerEquals};

fn exclusion(member: &str, reason: &str) -> Exclusion {
    Exclusion { test: FrameTest::Present(format!("/{member}")), reason: reason.to_owned() }
}

/// Exclusions for embeddings, from the members that they share with chat.
pub(super) fn embedding_exclusions(quirks: &Quirks) -> Vec<Exclusion> {
    let differs = |member: &&&str| quirks.spelling(member) != Ok(**member);
    let members = ["dimensions", "encoding_format", "user"];
    members
        .iter()
        .filter(differs)
        .map(|member| exclusion(member, "it is not taken, or has another name here"))
        .collect()
}

/// Requests that must be translated. They come from the same data as the translation.
pub(super) fn exclusions(quirks: &Quirks) -> Vec<Exclusion> {
    let mut exclusions: Vec<Exclusion> = quirks.drops.iter().map(|drop| exclusion(drop.member, drop.reason)).collect();
    exclusions.extend(quirks.renames.iter().map(|rename| exclusion(rename.from, "it has another name here")));
    exclusions.extend(quirks.clamps.iter().flat_map(beyond));
    if quirks.max_tokens == "max_tokens" {
        exclusions.push(exclusion("max_completion_tokens", "it is called max_tokens here"));
    }
    if quirks.seed != "seed" {
        exclusions.push(exclusion("seed", "it has another name here"));
    }
    let equals = |pointer: &str, word: &str, reason: &str| Exclusion {
        test: FrameTest::equals(pointer, word),
        reason: reason.to_owned(),
    };
    exclusions.extend(refused_seeds(quirks));
    if !quirks.developer_role {
        exclusions.push(equals("/messages/*/role", "developer", "the role is not known here"));
    }
    if quirks.tool_required != "required" {
        exclusions.push(equals("/tool_choice", "required", "it has another word here"));
    }
    if !quirks.json_schema {
        exclusions.push(equals("/response_format/type", "json_schema", "schemas are not taken"));
    }
    exclusions.extend(more_exclusions(quirks));
    exclusions.extend(quirks.message_members.into_iter().flat_map(refused_members));
    if !quirks.allowed_tools {
        exclusions.push(equals("/tool_choice/type", "allowed_tools", "the list of tools is narrowed instead"));
    }
    exclusions
}

/// Members that only some providers take in messages, their parts and their calls.
const MESSAGE_MEMBERS: [&str; 13] = [
    "refusal",
    "audio",
    "function_call",
    "annotations",
    "cache_control",
    "extra_content",
    "reasoning",
    "reasoning_content",
    "reasoning_details",
    "content/*/refusal",
    "content/*/cache_control",
    "content/*/prompt_cache_breakpoint",
    "tool_calls/*/extra_content",
];

/// Those that a provider refuses, also if they are empty or null, as libraries write what they do not use.
fn refused_members(taken: &[&str]) -> Vec<Exclusion> {
    let refused = MESSAGE_MEMBERS.iter().filter(|member| !taken.contains(member));
    let tests = refused.flat_map(|member| {
        let pointer = format!("/messages/*/{member}");
        let null = PointerEquals { pointer: pointer.clone(), json: "null".to_owned() };
        [FrameTest::other_than(pointer, []), FrameTest::Equals(null)]
    });
    tests.map(|test| Exclusion { test, reason: "messages have no such member here".to_owned() }).collect()
}

/// Seeds that the provider refuses.
pub(super) fn refused_seeds(quirks: &Quirks) -> Option<Exclusion> {
    let below = || Exclusion::new(FrameTest::below(format!("/{}", quirks.seed), 0.0), "seeds are not negative here");
    (!quirks.negative_seeds).then(below)
}

/// Values beyond what is taken.
fn beyond(clamp: &Clamp) -> [Exclusion; 2] {
    let pointer = format!("/{}", clamp.member);
    let reason = format!("this provider takes {} to {}", clamp.min, clamp.max);
    [FrameTest::below(&pointer, clamp.min), FrameTest::above(&pointer, clamp.max)]
        .map(|test| Exclusion::new(test, &reason))
}

/// Those of what is rare: levels of effort, names, ids, and how thinking stands in the history.
fn more_exclusions(quirks: &Quirks) -> Vec<Exclusion> {
    let here = |there: bool, member: &str, reason: &str| there.then(|| exclusion(member, reason));
    let thinking = quirks.thinking;
    // A provider without a place for thinking may still accept it: the bytes pass through.
    let other = |spellings: &[Thinking]| thinking != Thinking::None && !spellings.contains(&thinking);
    let history = "thinking in the history has another place here";
    let several = [
        here(quirks.max_stop < 4, &format!("stop/{}", quirks.max_stop), "fewer stop sequences are taken"),
        here(!quirks.speaker_names, "messages/*/name", "speakers have no names here"),
        here(!quirks.tools, "tools", "there are no tools here"),
        here(quirks.tool_ids.exact, "messages/*/tool_call_id", "ids of calls have another shape here"),
        here(quirks.logprobs_number, "top_logprobs", "it has another place here"),
        here(quirks.effort == Effort::None, "reasoning_effort", "thinking cannot be steered here"),
        here(other(&[Thinking::Content]), "messages/*/reasoning_content", history),
        here(other(&[Thinking::Reasoning, Thinking::Details]), "messages/*/reasoning", history),
        here(other(&[Thinking::Details]), "messages/*/reasoning_details", history),
    ];
    let flags = ["true", "false"].into_iter().filter(|_| quirks.logprobs_number).map(|json| Exclusion {
        test: FrameTest::Equals(PointerEquals { pointer: "/logprobs".to_owned(), json: json.to_owned() }),
        reason: "it is a number here".to_owned(),
    });
    several.into_iter().flatten().chain(flags).chain(unknown_levels(quirks, "/reasoning_effort")).collect()
}

/// Requests of Responses that must be translated.
pub(super) fn responses_exclusions(quirks: &Quirks) -> Vec<Exclusion> {
    unknown_levels(quirks, "/reasoning/effort").collect()
}

/// The levels of effort that the provider does not know.
fn unknown_levels<'q>(quirks: &'q Quirks, pointer: &'q str) -> impl Iterator<Item = Exclusion> + 'q {
    let unknown = effort::names().filter(|level| !quirks.efforts.contains(level));
    unknown.map(move |level| Exclusion {
        test: FrameTest::equals(pointer, level),
        reason: "this level is not known here".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compat::quirks::Paths;

    #[test]
    fn negative_seeds_are_translated_where_they_are_refused() {
        let refused = FrameTest::below("/seed", 0.0);
        for negative_seeds in [true, false] {
            let paths = Paths { completions: "completions", ..Quirks::COMPATIBLE.paths };
            let quirks = Quirks { paths, negative_seeds, ..Quirks::COMPATIBLE };
            for accepted in crate::compat::manifest::describe(&quirks).accepts.iter().take(2) {
                let excludes = accepted.exclusions.iter().any(|one| one.test == refused);
                assert_eq!(excludes, !negative_seeds, "{}", accepted.format);
            }
        }
    }

    #[test]
    fn every_level_that_the_provider_does_not_know_is_translated() {
        let quirks = Quirks { efforts: &["low", "high"], ..Quirks::COMPATIBLE };
        for (pointer, all) in
            [("/reasoning_effort", exclusions(&quirks)), ("/reasoning/effort", responses_exclusions(&quirks))]
        {
            let excludes = |level: &str| all.iter().any(|one| one.test == FrameTest::equals(pointer, level));
            for unknown in ["none", "minimal", "medium", "xhigh", "max"] {
                assert!(excludes(unknown), "{pointer} {unknown}");
            }
            assert!(!excludes("low") && !excludes("high"));
        }
    }
}
