//! The unified model as JSON that people can read, write and compare; `docs/fixtures.md` says how.
//!
//! The generated types of the contract already know how to be serialised, with Rust's names and every member. What is
//! here goes between them and the shorter form, for all of them alike: nothing is listed twice.

mod read;
mod write;

pub(super) use read::{Wrong, read};
pub(super) use write::write;

/// Members and cases that hold JSON as text.
const JSON: [&str; 6] = ["json", "arguments", "parameters", "schema", "metadata", "logprobs"];

/// Whether a text is an object or an array, so that it is shown as one.
pub(super) fn parsed(text: &str) -> Option<serde_json::Value> {
    let begins = text.trim_start().starts_with(['{', '[']);
    if begins { serde_json::from_str(text).ok() } else { None }
}

/// `ToolCall` as `tool_call`.
fn snake(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 4);
    for (at, character) in name.char_indices() {
        if character.is_ascii_uppercase() && at > 0 {
            out.push('_');
        }
        out.push(character.to_ascii_lowercase());
    }
    out
}

#[cfg(test)]
mod tests;
