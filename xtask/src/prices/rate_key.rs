//! What a member's name in the price list means: which measure it prices, and when.

/// Conditions under which a rate holds, in the order in which offers are written.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct When {
    pub(super) context_over: Option<u64>,
    pub(super) tier: Option<String>,
    pub(super) batch: bool,
    pub(super) cache_minutes: Option<u32>,
    pub(super) region: Option<String>,
    pub(super) variant: Option<String>,
    /// The text of a list of hours.
    pub(super) hours: Option<String>,
}

/// The meaning of a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Meaning {
    /// A rate of a measure.
    Rate(&'static str, When),
    /// A charge that no measure expresses.
    Gap,
    /// Another statement, or a rate that another member has as well.
    None,
}

/// The cost of writing to the cache, for the usual time or for hours (`_above_1hr`).
const CACHE_WRITE: &str = "cache_creation_input_token_cost";

const TIERS: [&str; 5] = ["priority", "flex", "balanced", "ultrafast", "decisions"];

/// Reads a member's name; `mode` is what the model is for.
pub(super) fn meaning(name: &str, mode: &str) -> Meaning {
    let mut when = When::default();
    let mut rest = name;
    if let Some(start) = rest.strip_suffix("_batches") {
        (rest, when.batch) = (start, true);
    }
    for tier in TIERS {
        if let Some(start) = rest.strip_suffix(tier).and_then(|start| start.strip_suffix('_')) {
            (rest, when.tier) = (start, Some(tier.to_owned()));
        }
    }
    if let Some((start, thousands)) = rest.strip_suffix("k_tokens").and_then(|start| start.rsplit_once("_above_"))
        && let Ok(thousands) = thousands.parse::<u64>()
    {
        (rest, when.context_over) = (start, Some(thousands * 1_000));
    }
    let mut hours = None;
    if let Some((start, count)) = rest.strip_suffix("hr").and_then(|start| start.rsplit_once("_above_")) {
        (rest, hours) = (start, count.parse::<u32>().ok());
    }
    if hours.is_some() && rest != CACHE_WRITE {
        return Meaning::Gap;
    }
    match measure(rest, mode, hours, &mut when) {
        Some(measure) => Meaning::Rate(measure, when),
        None => other(rest),
    }
}

/// The measure of a member without what its name says of tiers, batches and lengths; `None` if it is no rate of one.
/// `hours` is how long the cache keeps what is written.
fn measure(name: &str, mode: &str, hours: Option<u32>, when: &mut When) -> Option<&'static str> {
    let is_picture = mode.starts_with("image");
    Some(match name {
        CACHE_WRITE if hours == Some(1) => "cache_write_hour",
        CACHE_WRITE => {
            when.cache_minutes = hours.map(|hours| hours * 60);
            "cache_write"
        }
        "input_cost_per_token" => "input",
        "output_cost_per_token" => "output",
        "cache_read_input_token_cost" => "cache_read",
        "input_cost_per_audio_token" => "input_audio",
        "input_cost_per_image_token" => "input_image",
        "output_cost_per_audio_token" => "output_audio",
        "output_cost_per_image_token" => "output_image",
        "output_cost_per_reasoning_token" => "reasoning",
        "input_cost_per_query" if mode == "rerank" || mode == "search" => "search",
        "google_maps_grounding_cost_per_query" => {
            when.variant = Some("maps".to_owned());
            "search"
        }
        "input_cost_per_request" => "request",
        "code_interpreter_cost_per_session" => "tool_run",
        "input_cost_per_second" | "output_cost_per_second" | "output_cost_per_video_per_second" => "second",
        "ocr_cost_per_page" => "page",
        "annotation_cost_per_page" => {
            when.variant = Some("annotation".to_owned());
            "page"
        }
        "output_cost_per_image" => "image",
        // An image that is embedded is billed by the piece as one that is made.
        "input_cost_per_image" if is_picture || mode == "embedding" => "image",
        "input_cost_per_character" => "character",
        _ => return None,
    })
}

/// Members that are no rate of a measure.
fn other(name: &str) -> Meaning {
    if let Some(resolution) = name.strip_prefix("output_cost_per_second_") {
        return Meaning::Rate("second", When { variant: Some(resolution.to_owned()), ..When::default() });
    }
    let is_rate = name.contains("_cost_per_") || name.ends_with("_cost") || name.contains("_token_cost");
    // The same amounts stand beside these, or tokens pay for them.
    let is_said_elsewhere = name.contains("dbu_cost")
        || name == "input_cost_per_token_cache_hit"
        || name == "cost_per_second"
        || name == "search_context_cost_per_query"
        || name.starts_with("input_cost_per_image");
    if is_rate && !is_said_elsewhere { Meaning::Gap } else { Meaning::None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_their_meaning() {
        let when = |context_over, tier: Option<&str>, batch, cache_minutes| When {
            context_over,
            tier: tier.map(str::to_owned),
            batch,
            cache_minutes,
            ..When::default()
        };
        for (name, measure, expected) in [
            ("input_cost_per_token", "input", When::default()),
            ("input_cost_per_token_above_200k_tokens", "input", when(Some(200_000), None, false, None)),
            (
                "output_cost_per_token_above_272k_tokens_priority",
                "output",
                when(Some(272_000), Some("priority"), false, None),
            ),
            ("cache_read_input_token_cost_batches", "cache_read", when(None, None, true, None)),
            ("cache_creation_input_token_cost_above_1hr", "cache_write_hour", When::default()),
            (
                "cache_creation_input_token_cost_above_1hr_above_200k_tokens",
                "cache_write_hour",
                when(Some(200_000), None, false, None),
            ),
            (
                "cache_creation_input_token_cost_above_12hr_flex",
                "cache_write",
                when(None, Some("flex"), false, Some(720)),
            ),
        ] {
            assert_eq!(meaning(name, "chat"), Meaning::Rate(measure, expected), "{name}");
        }
        for name in
            ["citation_cost_per_token", "input_cost_per_pixel", "input_cost_per_video_per_second_above_8s_interval"]
        {
            assert_eq!(meaning(name, "chat"), Meaning::Gap, "{name}");
        }
        for name in ["max_tokens", "input_dbu_cost_per_token", "supports_vision", "litellm_provider"] {
            assert_eq!(meaning(name, "chat"), Meaning::None, "{name}");
        }
        for mode in ["image_generation", "embedding"] {
            assert_eq!(meaning("input_cost_per_image", mode), Meaning::Rate("image", When::default()), "{mode}");
        }
        assert_eq!(meaning("input_cost_per_image", "chat"), Meaning::None);
    }
}
