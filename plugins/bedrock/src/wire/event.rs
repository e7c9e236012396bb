//! Events of a stream: one shape for all of them, since the event's name decides which members are present.

use weir_sdk::json::{Count, RawValue, Str};
use weir_sdk::wire;

use super::{ToolUse, Usage};

wire! {
    /// A message of the event stream by its `:event-type`.
    pub(crate) struct Event<'a> {
        "contentBlockIndex" => index: Count,
        "delta" => delta: Delta<'a>,
        "start" => start: Start<'a>,
        "role" => role: Str<'a>,
        "stopReason" => stop_reason: Str<'a>,
        "additionalModelResponseFields" => additional: &'a RawValue,
        "usage" => usage: Usage<'a>,
        "message" => message: &'a RawValue,
        // Random padding, which hides the length of the content.
        "p" => padding: &'a RawValue,
    }

    /// A delta of a block.
    pub(crate) struct Delta<'a> {
        "text" => text: Str<'a>,
        "toolUse" => tool_use: Input<'a>,
        "reasoningContent" => reasoning: Thought<'a>,
        "citation" => citation: &'a RawValue,
        "toolResult" => tool_result: Vec<&'a RawValue>,
        "image" => image: Picture<'a>,
    }

    /// A piece of a call's arguments, as text.
    pub(crate) struct Input<'a> {
        "input" => input: Str<'a>,
    }

    /// A piece of thinking, or of its signature.
    pub(crate) struct Thought<'a> {
        "text" => text: Str<'a>,
        "signature" => signature: Str<'a>,
        "redactedContent" => redacted: Str<'a>,
    }

    /// An image that the model generated.
    pub(crate) struct Picture<'a> {
        "source" => source: super::Source<'a>,
        "error" => error: &'a RawValue,
    }

    /// The start of a block. Text and thinking have none.
    pub(crate) struct Start<'a> {
        "toolUse" => tool_use: ToolUse<'a>,
        "toolResult" => tool_result: &'a RawValue,
        "image" => image: super::Media<'a>,
    }
}
