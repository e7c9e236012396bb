//! Tokens, between the format's members and the unified buckets.
//!
//! The format's `input_tokens` leaves out what was read from or written to the cache, as the unified bucket does. Its
//! `output_tokens` includes the thinking, which newer answers tell apart in `output_tokens_details`.

use weir_sdk::json::{Object, Str};
use weir_sdk::ledger::extensions;
use weir_sdk::types::Usage;

use crate::FORMAT;
use crate::wire;

/// Reads usage; the service tier stands apart in the unified model.
pub(crate) fn read(wire: wire::Usage<'_>) -> (Usage, Option<String>) {
    let thinking = wire.output_tokens_details.and_then(|details| details.thinking_tokens).map(|count| count.0);
    let all = wire.output_tokens.map(|count| count.0);
    let thinking = thinking.map(|thinking| all.map_or(thinking, |all| thinking.min(all)));
    let output = all.map(|all| all - thinking.unwrap_or(0));
    let usage = Usage {
        input: wire.input_tokens.map(|count| count.0),
        cache_read: wire.cache_read_input_tokens.map(|count| count.0),
        cache_write: wire.cache_creation_input_tokens.map(|count| count.0),
        output,
        reasoning: thinking,
        extensions: extensions(FORMAT, wire.rest),
    };
    (usage, wire.service_tier.map(Str::into_string))
}

/// Writes the counts; `input` stands for an input that is not known. Thinking is told apart where it is known.
pub(crate) fn write(o: &mut Object<'_>, usage: &Usage, input: u32) {
    o.num("input_tokens", usage.input.unwrap_or(input));
    o.opt_num("cache_creation_input_tokens", usage.cache_write);
    o.opt_num("cache_read_input_tokens", usage.cache_read);
    write_output(o, usage);
}

/// Writes the output alone.
pub(crate) fn write_output(o: &mut Object<'_>, usage: &Usage) {
    o.num("output_tokens", usage.output_total().unwrap_or(0));
    if let Some(thinking) = usage.reasoning {
        o.object("output_tokens_details", |o| o.num("thinking_tokens", thinking));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_sdk::json::{object, parse};

    #[test]
    fn c60_the_buckets_are_disjoint_and_come_back() {
        let json = concat!(
            r#"{"input_tokens":10,"cache_creation_input_tokens":20,"cache_read_input_tokens":30,"output_tokens":50,"#,
            r#""output_tokens_details":{"thinking_tokens":40}}"#
        );
        let (usage, _) = read(parse(json).unwrap());
        assert_eq!((usage.input, usage.cache_write, usage.cache_read), (Some(10), Some(20), Some(30)));
        assert_eq!((usage.output, usage.reasoning), (Some(10), Some(40)));
        let mut out = String::new();
        object(&mut out, |o| write(o, &usage, 0));
        assert_eq!(out, json);
    }
}
