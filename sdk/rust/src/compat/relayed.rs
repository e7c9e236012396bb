//! Operations of OpenAI's API that compatible providers take in the same form, and that are relayed and never translated:
//! images, audio and moderations.
//!
//! Source: the paths and answers of OpenAI's API description.

use crate::manifest::{Bucket, FrameTest, Operation, Tap, UnitPlace};
use crate::types::Unit;

use super::manifest::place;

/// One format for all of them: their errors and figures are in the same places.
pub const FORMAT: &str = "openai.other";

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
}

/// Where their answers tell what is billed. `seconds` is the pointer to the length of a recording that was read.
pub fn tap(seconds: &str) -> Tap {
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
        units: vec![
            UnitPlace::number(Unit::Second, seconds),
            UnitPlace::matches(Unit::Image, FrameTest::present("/data/*/b64_json")),
            UnitPlace::matches(Unit::Image, FrameTest::present("/data/*/url")),
        ],
        model: vec!["/model".to_owned()],
        failure: vec![FrameTest::Present("/error".to_owned())],
        ..Tap::default()
    }
}
