//! Operations of OpenAI's API that compatible providers take in the same form, and that are relayed and never
//! translated: images, audio and moderations.
//!
//! Source: the paths and answers of OpenAI's API description.

use crate::manifest::{Bucket, FrameTest, Operation, Tap, UnitPlace};
use crate::types::Unit;

use super::manifest::place;

/// The format of most of them: their errors and figures are in the same places.
pub const FORMAT: &str = "openai.other";
/// The format of images, whose answers mean other tokens by their output.
pub const IMAGES: &str = "openai.images";
/// The format of speech, likewise.
pub const SPEECH: &str = "openai.speech";

/// Such an operation. Requests name a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relayed {
    /// JSON; the answer has pictures.
    Images,
    /// A form with pictures; the answer has others.
    ImageEdits,
    /// JSON; the answer is a recording.
    Speech,
    /// A form with a recording; the answer is its text.
    Transcriptions,
    /// The same; the answer is its text in English.
    Translations,
    /// JSON; the answer says what is objectionable.
    Moderations,
}

impl Relayed {
    /// The operation of this name, as it is in the labels of metrics.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "images" => Self::Images,
            "image-edits" => Self::ImageEdits,
            "speech" => Self::Speech,
            "transcriptions" => Self::Transcriptions,
            "translations" => Self::Translations,
            "moderations" => Self::Moderations,
            _ => return None,
        })
    }

    /// The operation. The contract has cases of its own for those that it has interfaces for.
    pub fn operation(self) -> Operation {
        match self {
            Self::Images => Operation::ImageGeneration,
            Self::ImageEdits => Operation::ImageEdit,
            Self::Speech => Operation::Speech,
            Self::Transcriptions => Operation::Transcription,
            Self::Translations => Operation::Other("translations".to_owned()),
            Self::Moderations => Operation::Moderation,
        }
    }

    /// The format of its requests and answers.
    pub fn format(self) -> &'static str {
        match self {
            Self::Images | Self::ImageEdits => IMAGES,
            Self::Speech => SPEECH,
            Self::Transcriptions | Self::Translations | Self::Moderations => FORMAT,
        }
    }
}

/// The formats, each with the tap of its answers. `seconds` is the pointer to the length of a recording that was read.
pub fn taps(seconds: &str) -> [(&'static str, Tap); 3] {
    [(FORMAT, tap(seconds)), (IMAGES, images_tap()), (SPEECH, speech_tap())]
}

/// Where most answers tell what is billed.
fn tap(seconds: &str) -> Tap {
    Tap {
        usage: vec![
            place(Bucket::Input, "/usage/input_tokens", &[Bucket::CacheRead, Bucket::InputAudio, Bucket::InputImage]),
            place(Bucket::CacheRead, "/usage/input_tokens_details/cached_tokens", &[]),
            place(Bucket::InputAudio, "/usage/input_token_details/audio_tokens", &[]),
            place(Bucket::InputImage, "/usage/input_tokens_details/image_tokens", &[]),
            place(Bucket::Output, "/usage/output_tokens", &[Bucket::Reasoning, Bucket::OutputImage]),
            place(Bucket::Reasoning, "/usage/output_tokens_details/reasoning_tokens", &[]),
            place(Bucket::OutputImage, "/usage/output_tokens_details/image_tokens", &[]),
        ],
        units: vec![UnitPlace::number(Unit::Second, seconds)],
        ..plain()
    }
}

/// Where answers with images tell it. What they put out is images, as `ImagesUsage` says of each event with one; only
/// some whole answers tell text apart (`ImageGenOutputTokensDetails`).
fn images_tap() -> Tap {
    Tap {
        usage: vec![
            place(Bucket::Input, "/usage/input_tokens", &[Bucket::CacheRead, Bucket::InputImage]),
            place(Bucket::CacheRead, "/usage/input_tokens_details/cached_tokens", &[]),
            place(Bucket::InputImage, "/usage/input_tokens_details/image_tokens", &[]),
            place(Bucket::OutputImage, "/usage/output_tokens", &[Bucket::Output]),
            place(Bucket::Output, "/usage/output_tokens_details/text_tokens", &[]),
        ],
        units: ["/data/*/b64_json", "/data/*/url"]
            .map(|pointer| UnitPlace::matches(Unit::Image, FrameTest::present(pointer)))
            .into(),
        ..plain()
    }
}

/// Where speech tells it: in the last event of a stream with events (`SpeechAudioDoneEvent`). All of its output is
/// audio.
fn speech_tap() -> Tap {
    Tap {
        usage: vec![
            place(Bucket::Input, "/usage/input_tokens", &[]),
            place(Bucket::OutputAudio, "/usage/output_tokens", &[]),
        ],
        end: vec![FrameTest::equals("/type", "speech.audio.done")],
        ..plain()
    }
}

fn plain() -> Tap {
    Tap { model: vec!["/model".to_owned()], failure: vec![FrameTest::present("/error")], ..Tap::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Relayed; 6] = [
        Relayed::Images,
        Relayed::ImageEdits,
        Relayed::Speech,
        Relayed::Transcriptions,
        Relayed::Translations,
        Relayed::Moderations,
    ];

    fn place_of(kind: Relayed, pointer: &str) -> Option<(Bucket, Vec<Bucket>)> {
        let (_, tap) = taps("/duration").into_iter().find(|(id, _)| *id == kind.format())?;
        let mut places = tap.usage.into_iter().filter(|place| place.pointers == [pointer]);
        places.next().map(|place| (place.bucket, place.includes))
    }

    #[test]
    fn what_is_put_out_is_what_the_operation_makes() {
        for kind in ALL {
            let expected = match kind {
                Relayed::Images | Relayed::ImageEdits => (Bucket::OutputImage, vec![Bucket::Output]),
                Relayed::Speech => (Bucket::OutputAudio, Vec::new()),
                _ => (Bucket::Output, vec![Bucket::Reasoning, Bucket::OutputImage]),
            };
            assert_eq!(place_of(kind, "/usage/output_tokens"), Some(expected), "{kind:?}");
        }
        let text = place_of(Relayed::Images, "/usage/output_tokens_details/text_tokens");
        assert_eq!(text, Some((Bucket::Output, Vec::new())));
    }

    #[test]
    fn images_and_seconds_are_counted_where_they_are_told() {
        let units = |kind: Relayed| {
            let taps = taps("/duration").into_iter().filter(|(id, _)| *id == kind.format());
            taps.flat_map(|(_, tap)| tap.units).map(|place| place.unit).collect::<Vec<_>>()
        };
        assert_eq!(units(Relayed::Images), [Unit::Image, Unit::Image]);
        assert_eq!(units(Relayed::Transcriptions), [Unit::Second]);
        assert_eq!(units(Relayed::Speech), []);
    }
}
