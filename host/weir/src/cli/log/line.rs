//! A request as one line for people.

use serde_json::Value;

/// What the parts of a line are, to stand above the lines.
pub(super) const HEAD: &str =
    "TIME (UTC) | ID | STATUS | OUTCOME | KEY | MODEL | PROVIDER/MODEL | TOKENS IN+OUT | COST | DURATION | ERROR";

/// Time, status, outcome, key, model, provider, tokens, cost, duration, error.
pub(super) fn line(fact: &Value) -> String {
    let text = |name: &str| fact[name].as_str().filter(|text| !text.is_empty()).unwrap_or("-");
    let number = |name: &str| fact[name].as_u64().unwrap_or_default();
    let tokens = |names: &[&str]| names.iter().filter_map(|name| fact["tokens"][name].as_u64()).sum::<u64>();
    let input = tokens(&["input", "input_audio", "input_image", "cache_read", "cache_write", "cache_write_hour"]);
    let output = tokens(&["output", "output_audio", "output_image", "reasoning"]);
    let cost = fact["cost_usd"].as_str().map_or_else(|| "-".to_owned(), |cost| format!("${cost}"));
    let milliseconds = number("total_us") as f64 / 1e3;
    let time = text("time");
    let line = format!(
        "{} {} {} {:<9} {} {} {}/{} {input}+{output} {cost} {milliseconds:.0}ms",
        time.get(..19).unwrap_or(time),
        text("id"),
        number("status"),
        text("outcome"),
        text("key"),
        text("model_asked"),
        text("provider"),
        text("model_served"),
    );
    let line = match text("error_text") {
        "-" => line,
        error => format!("{line} {error}"),
    };
    // What clients and providers wrote may have line breaks, and characters by which a terminal is controlled.
    line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_no_control_characters_of_others() {
        let fact = serde_json::json!({
            "time": "2026-11-21T08:00:00.123Z", "id": "0192", "status": 429, "outcome": "failed", "key": "a",
            "model_asked": "m\u{9b}2J", "provider": "p", "model_served": "m-1", "tokens": {"input": 3, "cache_read": 4},
            "cost_usd": null, "total_us": 12_345, "error_text": "too\n\u{1b}[31mmany",
        });
        let expected = "2026-11-21T08:00:00 0192 429 failed    a m 2J p/m-1 7+0 - 12ms too  [31mmany";
        assert_eq!(line(&fact), expected);
    }
}
