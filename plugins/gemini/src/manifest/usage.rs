//! Where answers and messages hold their usage.

use weir_sdk::manifest::{Bucket, Merge, PointerEquals, UsagePlace};

use crate::usage::MODALITIES;

/// The places of usage whose output stands in members that begin with `output`: `candidates` in answers, `response` in
/// the messages of sessions. The prompt's count includes cached tokens, as the counts of its kinds do those that are of
/// their kind; tokens from the service's own tools have a separate count.
pub(super) fn places(output: &str, merge: Merge) -> Vec<UsagePlace> {
    let place = |bucket: Bucket, member: &str, includes: Vec<Bucket>| UsagePlace {
        merge,
        includes,
        ..UsagePlace::new(bucket, vec![format!("/usageMetadata/{member}")])
    };
    let mut places = vec![
        place(Bucket::Input, "promptTokenCount", vec![Bucket::CacheRead, Bucket::InputAudio, Bucket::InputImage]),
        place(Bucket::Input, "toolUsePromptTokenCount", Vec::new()),
        place(Bucket::CacheRead, "cachedContentTokenCount", vec![Bucket::CacheRead]),
        place(Bucket::Output, &format!("{output}TokenCount"), vec![Bucket::OutputAudio, Bucket::OutputImage]),
        place(Bucket::Reasoning, "thoughtsTokenCount", Vec::new()),
    ];
    for (bucket, part, name) in [
        (Bucket::InputAudio, "prompt", "AUDIO"),
        (Bucket::InputImage, "prompt", "IMAGE"),
        (Bucket::InputImage, "prompt", "VIDEO"),
        (Bucket::CacheRead, "cache", "AUDIO"),
        (Bucket::CacheRead, "cache", "IMAGE"),
        (Bucket::CacheRead, "cache", "VIDEO"),
        (Bucket::OutputAudio, output, "AUDIO"),
        (Bucket::OutputImage, output, "IMAGE"),
    ] {
        let includes = if part == "prompt" { vec![Bucket::CacheRead] } else { Vec::new() };
        // Clients may ask for enums as numbers, which a relayed answer then has.
        let number = MODALITIES.iter().position(|known| *known == name).map(|number| number.to_string());
        for json in [Some(format!("\"{name}\"")), number].into_iter().flatten() {
            let beside = Some(PointerEquals { pointer: "/modality".into(), json });
            let details = place(bucket, &format!("{part}TokensDetails/*/tokenCount"), includes.clone());
            places.push(UsagePlace { beside, ..details });
        }
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_of_content_are_known_by_name_and_by_number() {
        let places = places("candidates", Merge::Last);
        for (bucket, part, name, number) in [
            (Bucket::InputAudio, "prompt", "\"AUDIO\"", "4"),
            (Bucket::InputImage, "prompt", "\"IMAGE\"", "2"),
            (Bucket::InputImage, "prompt", "\"VIDEO\"", "3"),
            (Bucket::CacheRead, "cache", "\"AUDIO\"", "4"),
            (Bucket::CacheRead, "cache", "\"IMAGE\"", "2"),
            (Bucket::CacheRead, "cache", "\"VIDEO\"", "3"),
            (Bucket::OutputAudio, "candidates", "\"AUDIO\"", "4"),
            (Bucket::OutputImage, "candidates", "\"IMAGE\"", "2"),
        ] {
            for json in [name, number] {
                let is_it = |place: &&UsagePlace| place.bucket == bucket && place.pointers[0].contains(part);
                let mut besides = places.iter().filter(is_it).filter_map(|place| place.beside.as_ref());
                assert!(
                    besides.any(|beside| beside.pointer == "/modality" && beside.json == json),
                    "{bucket:?} {json}"
                );
            }
        }
    }
}
