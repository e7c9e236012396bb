//! What version 0.1.0 has no place for becomes the nearest value that it has. The other conversions are generated.

use super::types::{ChatEvent, PartArgument, PartDelta, Usage};
use super::v0_1_0::types as old;

/// Tokens of a bucket that is not there count in the more general one.
impl From<Usage> for old::Usage {
    fn from(usage: Usage) -> Self {
        let sum = |buckets: &[Option<u32>]| {
            let known = buckets.iter().flatten();
            known.copied().reduce(u32::saturating_add)
        };
        Self {
            input: sum(&[usage.input, usage.input_audio, usage.input_image]),
            cache_read: usage.cache_read,
            cache_write: sum(&[usage.cache_write, usage.cache_write_hour]),
            output: sum(&[usage.output, usage.output_audio, usage.output_image]),
            reasoning: usage.reasoning,
            extensions: usage.extensions,
        }
    }
}

/// A piece of arguments is a delta without its place.
impl From<ChatEvent> for old::ChatEvent {
    fn from(event: ChatEvent) -> Self {
        match event {
            ChatEvent::Start(it) => Self::Start(it),
            ChatEvent::PartStart(it) => Self::PartStart(it),
            ChatEvent::Delta(it) => Self::Delta(it),
            ChatEvent::Argument(it) => Self::Delta(it.into()),
            ChatEvent::Signature(it) => Self::Signature(it),
            ChatEvent::Citation(it) => Self::Citation(it),
            ChatEvent::PartStop(it) => Self::PartStop(it),
            ChatEvent::Logprobs(it) => Self::Logprobs(it),
            ChatEvent::Finish(it) => Self::Finish(it),
            ChatEvent::Usage(it) => Self::Usage(it.into()),
            ChatEvent::Failure(it) => Self::Failure(it),
            ChatEvent::Opaque(it) => Self::Opaque(it),
        }
    }
}

impl From<PartArgument> for PartDelta {
    fn from(piece: PartArgument) -> Self {
        Self { candidate: piece.candidate, part: piece.part, text: piece.text }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_token_is_lost_on_the_way_to_an_older_version() {
        let usage = Usage {
            input: Some(1),
            input_audio: Some(2),
            input_image: Some(4),
            cache_read: Some(8),
            cache_write: None,
            cache_write_hour: Some(16),
            output: Some(32),
            output_audio: Some(64),
            reasoning: None,
            ..Usage::default()
        };
        let old = old::Usage::from(usage);
        let buckets = [old.input, old.cache_read, old.cache_write, old.output, old.reasoning];
        assert_eq!(buckets, [Some(7), Some(8), Some(16), Some(96), None]);
        let back = Usage::from(old);
        assert_eq!((back.input, back.input_audio, back.units), (Some(7), None, Vec::new()));
    }

    #[test]
    fn a_piece_of_arguments_is_a_delta_to_an_older_version() {
        let piece = PartArgument {
            candidate: 0,
            part: 2,
            text: "{\"a\":1}".into(),
            path: "$.a".into(),
            json: "1".into(),
            continues: false,
        };
        let delta = old::ChatEvent::from(ChatEvent::Argument(piece));
        assert_eq!(delta, old::ChatEvent::Delta(PartDelta { candidate: 0, part: 2, text: "{\"a\":1}".into() }));
    }
}
