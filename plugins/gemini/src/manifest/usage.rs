//! Where answers and messages hold their usage.

use weir_sdk::manifest::{Bucket, Merge, UsagePlace};

/// The places of usage whose output stands in members that begin with `output`: `candidates` in answers, `response` in the
/// messages of sessions. The prompt's count includes cached tokens; tokens from the service's own tools have a separate count.
pub(super) fn places(output: &str, merge: Merge) -> Vec<UsagePlace> {
    let place = |bucket: Bucket, member: &str, includes: Vec<Bucket>| UsagePlace {
        merge,
        includes,
        ..UsagePlace::new(bucket, vec![format!("/usageMetadata/{member}")])
    };
    let modality = |bucket, part: &str, name: &str| {
        place(bucket, &format!("{part}TokensDetails/*/tokenCount"), Vec::new()).beside("modality", name)
    };
    vec![
        place(Bucket::Input, "promptTokenCount", vec![Bucket::CacheRead, Bucket::InputAudio, Bucket::InputImage]),
        modality(Bucket::InputAudio, "prompt", "AUDIO"),
        modality(Bucket::InputImage, "prompt", "IMAGE"),
        modality(Bucket::InputImage, "prompt", "VIDEO"),
        place(Bucket::Input, "toolUsePromptTokenCount", Vec::new()),
        place(Bucket::CacheRead, "cachedContentTokenCount", Vec::new()),
        place(Bucket::Output, &format!("{output}TokenCount"), vec![Bucket::OutputAudio, Bucket::OutputImage]),
        modality(Bucket::OutputAudio, output, "AUDIO"),
        modality(Bucket::OutputImage, output, "IMAGE"),
        place(Bucket::Reasoning, "thoughtsTokenCount", Vec::new()),
    ]
}
