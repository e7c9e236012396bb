//! Token counts: `tokens` has the used tokens, `billed_units` the billed ones, and `cached_tokens` the part of the
//! input that came from a cache. The figures of `tokens` are the usage; if they are missing, the billed ones are. What
//! is billed is counted in units beside them.

use weir_sdk::json::{Count, Number, Object, Rest, parse};
use weir_sdk::losses::{Losses, extension, extensions};
use weir_sdk::types::{Unit, Usage};

use crate::FORMAT;
use crate::read::members;
use crate::wire::{self, Tokens, Unnamed};
use crate::write::{mark, own};

/// Key of the details of `tokens` without a bucket (`image_tokens`); null if the service sent billed figures only.
const TOKENS: &str = "tokens";
/// The member with the billed figures.
const BILLED: &str = "billed_units";

/// What is billed, and its members there. Prices apply to these counts where the service sends them.
const BILLED_UNITS: [(Unit, &str); 3] =
    [(Unit::BilledInput, "input_tokens"), (Unit::BilledOutput, "output_tokens"), (Unit::Search, "search_units")];

weir_sdk::wire! {
    /// What is billed for vectors.
    struct Billed<'a> {
        "input_tokens" => input: Count,
        "image_tokens" => image: Count,
        "images" => images: Number,
    }
}

/// Parses usage into disjoint buckets (C-60).
pub(crate) fn read(wire: wire::Usage<'_>) -> Usage {
    let mut kept = extensions(FORMAT, wire.rest);
    kept.extend(wire.billed_units.map(|raw| mark(BILLED, raw.get())));
    let billed = || wire.billed_units.and_then(|raw| parse::<Tokens<'_>>(raw.get()).ok()).unwrap_or_default();
    let known = wire.tokens.filter(|tokens| tokens.input.is_some() || tokens.output.is_some());
    kept.push(match &known {
        Some(tokens) => mark(TOKENS, members(&tokens.rest)),
        None => mark(TOKENS, "null"),
    });
    kept.retain(|kept| kept.key != TOKENS || kept.json != "{}");
    let tokens = known.unwrap_or_else(billed);
    let cached = wire.cached_tokens.map(|count| count.0);
    let reasoning = tokens.reasoning.map(|count| count.0);
    let all = tokens.input.map(|count| count.0);
    let cached = cached.map(|cached| all.map_or(cached, |all| cached.min(all)));
    let without = |total: u32, some: Option<u32>| total.checked_sub(some.unwrap_or(0)).unwrap_or(total);
    let mut units = wire.billed_units.and_then(|raw| Rest::parse(raw.get()).ok());
    let usage = Usage {
        input: all.map(|all| without(all, cached)),
        cache_read: cached,
        output: tokens.output.map(|count| without(count.0, reasoning)),
        reasoning,
        extensions: kept,
        ..Usage::default()
    };
    BILLED_UNITS.into_iter().fold(usage, |usage, (unit, member)| {
        usage.with_units(unit, units.as_mut().and_then(|units| units.number(member)))
    })
}

/// Parses the usage of vectors. What is billed of them is the usage itself, and nothing is counted beside it: images
/// have tokens of their own, whose price is that of a bucket, or are billed by the piece.
pub(crate) fn read_of_vectors(wire: wire::Usage<'_>) -> Usage {
    let billed = wire.billed_units.and_then(|raw| parse::<Billed<'_>>(raw.get()).ok()).unwrap_or_default();
    let usage = Usage { units: Vec::new(), ..read(wire) };
    let usage = usage.with_units(Unit::Image, billed.images.map(|count| count.0));
    let (input, image) = (billed.input.map(|count| count.0), billed.image.map(|count| count.0));
    if input.is_none() && image.is_none() {
        return usage;
    }
    let input = input.unwrap_or(0);
    let cache_read = usage.cache_read.map(|cached| cached.min(input));
    Usage {
        input: Some(input - cache_read.unwrap_or(0)),
        input_image: image.filter(|tokens| *tokens > 0),
        cache_read,
        ..usage
    }
}

/// Writes the member `usage`.
pub(crate) fn write(o: &mut Object<'_>, usage: &Usage, losses: &mut Losses) {
    o.object("usage", |o| members_of(o, usage));
    losses.foreign("usage.", &usage.extensions, FORMAT);
}

/// Writes the figures. Billed ones are the service's own, or for other services the used ones.
pub(crate) fn members_of(o: &mut Object<'_>, usage: &Usage) {
    let (input, output) = (usage.input_total(), usage.output_total());
    match extension(&usage.extensions, FORMAT, BILLED) {
        Some(billed) => o.raw(BILLED, billed),
        None => o.object(BILLED, |o| {
            o.opt_num("input_tokens", input);
            o.opt_num("output_tokens", output);
        }),
    }
    let details = extension(&usage.extensions, FORMAT, TOKENS);
    if details != Some("null") {
        o.object(TOKENS, |o| {
            o.opt_num("input_tokens", input);
            o.opt_num("output_tokens", output);
            o.opt_num("reasoning_tokens", usage.reasoning);
            let details: Unnamed<'_> = details.and_then(|json| parse(json).ok()).unwrap_or_default();
            details.rest.0.iter().for_each(|(key, raw)| o.raw(key, raw.get()));
        });
    }
    o.opt_num("cached_tokens", usage.cache_read);
    let others = own(&usage.extensions, FORMAT).filter(|own| own.key != BILLED && own.key != TOKENS);
    others.for_each(|own| o.raw(&own.key, &own.json));
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_sdk::json::object;

    fn back(json: &str) -> String {
        let usage = read(parse(json).unwrap());
        let mut out = String::new();
        object(&mut out, |o| write(o, &usage, &mut Losses::default()));
        out
    }

    #[test]
    fn c60_buckets_are_disjoint() {
        let json = r#"{"billed_units":{"input_tokens":80,"output_tokens":301},"tokens":{"input_tokens":1494,"output_tokens":330,"reasoning_tokens":30,"image_tokens":9},"cached_tokens":1008}"#;
        let usage = read(parse(json).unwrap());
        assert_eq!((usage.input, usage.cache_read), (Some(486), Some(1008)));
        assert_eq!((usage.output, usage.reasoning), (Some(300), Some(30)));
        assert_eq!((usage.units_of(Unit::BilledInput), usage.units_of(Unit::BilledOutput)), (Some(80.0), Some(301.0)));
        assert_eq!(back(json), format!("{{\"usage\":{json}}}"));
    }

    #[test]
    fn images_that_were_embedded_are_billed_by_their_tokens_or_by_the_piece() {
        let read = |json: &str| read_of_vectors(parse(json).unwrap());
        let usage = read(r#"{"billed_units":{"input_tokens":3,"image_tokens":30},"tokens":{"input_tokens":33}}"#);
        assert_eq!((usage.input, usage.input_image, usage.input_total()), (Some(3), Some(30), Some(33)));
        assert!(usage.units.is_empty(), "{:?}", usage.units);
        let usage = read(r#"{"billed_units":{"input_tokens":7,"image_tokens":0}}"#);
        assert_eq!((usage.input, usage.input_image, usage.units.len()), (Some(7), None, 0));
        let usage = read(r#"{"billed_units":{"images":2}}"#);
        assert_eq!((usage.input, usage.units_of(Unit::Image)), (None, Some(2.0)));
        let usage = read(r#"{"tokens":{"input_tokens":5}}"#);
        assert_eq!((usage.input, usage.units.len()), (Some(5), 0));
        let json = r#"{"billed_units":{"input_tokens":3,"image_tokens":30}}"#;
        let mut out = String::new();
        object(&mut out, |o| write(o, &read(json), &mut Losses::default()));
        assert_eq!(out, format!("{{\"usage\":{json}}}"));
    }

    #[test]
    fn a_cache_figure_that_exceeds_the_input_is_cut() {
        let usage = read(parse(r#"{"tokens":{"input_tokens":10,"output_tokens":3},"cached_tokens":16}"#).unwrap());
        assert_eq!((usage.input, usage.cache_read), (Some(0), Some(10)));
    }

    #[test]
    fn c82_billed_figures_stand_in_for_missing_ones() {
        let json = r#"{"billed_units":{"input_tokens":4,"output_tokens":45}}"#;
        let usage = read(parse(json).unwrap());
        assert_eq!((usage.input_total(), usage.output_total()), (Some(4), Some(45)));
        assert_eq!(back(json), format!("{{\"usage\":{json}}}"));
    }
}
