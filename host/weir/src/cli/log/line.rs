//! Requests as lines for people, in columns.

use serde_json::Value;

/// The columns.
const HEAD: [&str; 11] = [
    "TIME (UTC)",
    "ID",
    "STATUS",
    "OUTCOME",
    "KEY",
    "MODEL",
    "PROVIDER/MODEL",
    "TOKENS IN+OUT",
    "COST",
    "DURATION",
    "ERROR",
];

/// The most characters by which a column is widened: what clients write must not push all other columns away.
const WIDEST: usize = 64;

/// The widths of the columns so far: lines that come later are at least as wide, so that they stand below the earlier
/// ones.
#[derive(Debug, Clone, Default)]
pub(super) struct Columns([usize; HEAD.len()]);

impl Columns {
    /// Columns that are as wide as their heads at least.
    pub(super) fn with_head() -> Self {
        Self(HEAD.map(|name| name.chars().count()))
    }

    /// The heads, in the present widths.
    pub(super) fn head(&self) -> String {
        self.line(&HEAD.map(str::to_owned))
    }

    /// A line for each of these requests: time, id, status, outcome, key, model, provider, tokens, cost, duration,
    /// error.
    pub(super) fn lines(&mut self, facts: &[Value]) -> Vec<String> {
        let rows: Vec<[String; HEAD.len()]> = facts.iter().map(cells).collect();
        for row in &rows {
            for (width, cell) in self.0.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count().min(WIDEST));
            }
        }
        rows.iter().map(|row| self.line(row)).collect()
    }

    fn line(&self, cells: &[String; HEAD.len()]) -> String {
        let padded = cells.iter().zip(self.0).map(|(cell, width)| format!("{cell:width$}"));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    }
}

fn cells(fact: &Value) -> [String; HEAD.len()] {
    let text = |name: &str| fact[name].as_str().filter(|text| !text.is_empty()).unwrap_or("-");
    let number = |name: &str| fact[name].as_u64().unwrap_or_default();
    let tokens = |names: &[&str]| names.iter().filter_map(|name| fact["tokens"][name].as_u64()).sum::<u64>();
    let input = tokens(&["input", "input_audio", "input_image", "cache_read", "cache_write", "cache_write_hour"]);
    let output = tokens(&["output", "output_audio", "output_image", "reasoning"]);
    let milliseconds = number("total_us") as f64 / 1e3;
    let time = text("time");
    let cells = [
        time.get(..19).unwrap_or(time).to_owned(),
        text("id").to_owned(),
        number("status").to_string(),
        text("outcome").to_owned(),
        text("key").to_owned(),
        text("model_asked").to_owned(),
        format!("{}/{}", text("provider"), text("model_served")),
        format!("{input}+{output}"),
        fact["cost_usd"].as_str().map_or_else(|| "-".to_owned(), |cost| format!("${cost}")),
        format!("{milliseconds:.0}ms"),
        Some(text("error_text")).filter(|error| *error != "-").unwrap_or_default().to_owned(),
    ];
    // What clients and providers wrote may have line breaks, and characters by which a terminal is controlled.
    cells.map(|cell| cell.chars().map(|c| if c.is_control() { ' ' } else { c }).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fact(id: &str, status: u16, model: &str) -> Value {
        serde_json::json!({
            "time": "2026-11-21T08:00:00.123Z", "id": id, "status": status, "outcome": "failed", "key": "a",
            "model_asked": model, "provider": "p", "model_served": "m-1", "tokens": {"input": 3, "cache_read": 4},
            "cost_usd": null, "total_us": 12_345, "error_text": "too\n\u{1b}[31mmany",
        })
    }

    #[test]
    fn a_line_has_no_control_characters_of_others() {
        let lines = Columns::default().lines(&[fact("0192", 429, "m\u{9b}2J")]);
        assert_eq!(lines, ["2026-11-21T08:00:00  0192  429  failed  a  m 2J  p/m-1  7+0  -  12ms  too  [31mmany"]);
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_value_and_get_no_narrower() {
        let mut columns = Columns::with_head();
        let lines = columns.lines(&[fact("1", 200, "small"), fact("22", 429, "a-model-with-a-long-name")]);
        let at = |line: &str, word: &str| line.find(word).unwrap();
        assert_eq!(at(&lines[0], "p/m-1"), at(&lines[1], "p/m-1"), "{lines:?}");
        assert_eq!(at(&columns.head(), "PROVIDER/MODEL"), at(&lines[0], "p/m-1"), "{lines:?}");
        let later = columns.lines(&[fact("3", 200, "m")]);
        assert_eq!(at(&later[0], "p/m-1"), at(&lines[0], "p/m-1"));
        let hostile = columns.lines(&[fact("4", 200, &"x".repeat(500))]);
        assert!(hostile[0].len() > 500 && columns.lines(&[fact("5", 200, "m")])[0].len() < 250, "{hostile:?}");
    }
}
