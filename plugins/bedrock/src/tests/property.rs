//! Properties of all streams.

use proptest::prelude::*;
use serde_json::Value;
use weir_sdk::testing::overlap::{Overlap, PARTS};

use super::{context, encoded, fold};

/// The text of a part in a folded block.
fn words(block: &Value) -> &str {
    let thought = || block["reasoningContent"]["reasoningText"]["text"].as_str();
    let input = || block["toolUse"]["input"]["input"].as_str();
    block["text"].as_str().or_else(thought).or_else(input).unwrap_or_default()
}

/// A step: the part, and the text of a delta or `None` for the part's end.
fn happening() -> impl Strategy<Value = (u32, Option<String>)> {
    (0..PARTS, proptest::option::weighted(0.8, "[a-z\"\\\\\n é]{0,6}"))
}

proptest! {
    /// However parts overlap, the blocks come one after the other, and each has all of its part's text in order (C-05).
    #[test]
    fn c05_overlapping_parts_lose_nothing(happenings in proptest::collection::vec(happening(), 0..40)) {
        let stream = Overlap::of(happenings);
        let (frames, _) = encoded(&context("m"), &stream.events, 3);
        fold::check(&frames);
        let answer = fold::answer(&frames);
        let blocks = answer["output"]["message"]["content"].as_array().unwrap();
        let mut written: Vec<&str> = blocks.iter().map(words).collect();
        written.sort_unstable();
        prop_assert_eq!(written, stream.words());
    }
}
