//! A provider's export of use: rows by day and model, as CSV or JSON.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde_json::Value;

use weir_ledger::{MoneyError, Nano};
use weir_types::json_mistake::JsonMistake;

/// The length of a day such as 2026-11-21, which a time may follow.
const DAY_LEN: usize = 10;
/// The largest export, in bytes.
pub(super) const MAX_EXPORT_BYTES: u64 = 256 << 20;

/// What was used on a day with a model. What an export does not have is none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Used {
    pub(super) requests: Option<u64>,
    pub(super) input: Option<u64>,
    pub(super) output: Option<u64>,
    pub(super) cost_nano: Option<i64>,
}

impl Used {
    /// Whether neither tokens nor a cost are there.
    pub(super) fn is_nothing(&self) -> bool {
        let tokens = [self.input, self.output].into_iter().flatten().fold(0, u64::saturating_add);
        tokens == 0 && self.cost_nano.unwrap_or_default() == 0
    }

    pub(super) fn add(&mut self, other: Self) {
        let sum = |one: Option<u64>, other: Option<u64>| match (one, other) {
            (None, None) => None,
            (one, other) => Some(one.unwrap_or_default().saturating_add(other.unwrap_or_default())),
        };
        self.requests = sum(self.requests, other.requests);
        self.input = sum(self.input, other.input);
        self.output = sum(self.output, other.output);
        self.cost_nano = match (self.cost_nano, other.cost_nano) {
            (None, None) => None,
            (one, other) => Some(one.unwrap_or_default().saturating_add(other.unwrap_or_default())),
        };
    }
}

/// Day (`2026-11-21`) and model.
pub(super) type Place = (String, String);

/// Why a text is no export of use.
#[derive(Debug, thiserror::Error)]
pub(super) enum ExportError {
    /// It is no list in JSON.
    #[error(transparent)]
    Json(#[from] JsonMistake),
    /// A line is no object in JSON: the words have no place, since each line is a text of its own.
    #[error("{}", .0.problem)]
    Line(JsonMistake),
    /// It has something else than rows.
    #[error("a row is not an object")]
    NoObject,
    /// It is no CSV.
    #[error("a quoted cell has no end")]
    Quote,
    /// A row says something that it cannot.
    #[error("row {number}: {source}")]
    Row {
        /// Counted from 1, without the head.
        number: usize,
        /// What is wrong with it.
        source: RowError,
    },
}

/// What is wrong with a row.
#[derive(Debug, thiserror::Error)]
pub(super) enum RowError {
    /// It lacks a column.
    #[error("`{0}` is missing")]
    Missing(&'static str),
    /// A text is not a number, or the number is negative.
    #[error("`{0}` is not a count")]
    Count(&'static str),
    /// A text is not an amount.
    #[error("`cost_usd`: {0}")]
    Cost(#[from] MoneyError),
    /// A text that begins with no date.
    #[error("`day` is not a day such as 2026-11-21")]
    Day,
}

/// Reads an export: a JSON array of objects, an object a line, or CSV with a head.
pub(super) fn parse(text: &str) -> Result<BTreeMap<Place, Used>, ExportError> {
    let mut sums = BTreeMap::<Place, Used>::new();
    for (at, row) in rows(text)?.into_iter().enumerate() {
        let (place, used) = read(&row).map_err(|source| ExportError::Row { number: at + 1, source })?;
        sums.entry(place).or_default().add(used);
    }
    Ok(sums)
}

type Row = BTreeMap<String, String>;

fn rows(text: &str) -> Result<Vec<Row>, ExportError> {
    let text = text.trim_start_matches('\u{feff}').trim();
    if text.starts_with('[') {
        let list: Vec<Value> = serde_json::from_str(text).map_err(|error| JsonMistake::from(&error))?;
        return list.into_iter().map(row_of).collect();
    }
    if text.starts_with('{') {
        let value = |line: &str| {
            let parsed = serde_json::from_str(line).map_err(|error| ExportError::Line(JsonMistake::from(&error)));
            parsed.and_then(row_of)
        };
        return text.lines().filter(|line| !line.trim().is_empty()).map(value).collect();
    }
    let mut lines = text.lines().filter(|line| !line.trim().is_empty());
    let head: Vec<String> =
        cells(lines.next().unwrap_or_default())?.iter().map(|name| name.trim().to_lowercase()).collect();
    lines.map(|line| Ok(head.iter().cloned().zip(cells(line)?).collect())).collect()
}

fn row_of(value: Value) -> Result<Row, ExportError> {
    let Value::Object(members) = value else { return Err(ExportError::NoObject) };
    let text = |value: Value| match value {
        Value::String(text) => text,
        Value::Null => String::new(),
        other => other.to_string(),
    };
    Ok(members.into_iter().map(|(name, value)| (name.to_lowercase(), text(value))).collect())
}

/// The cells of a line of CSV; a quoted cell may hold commas, and quotes doubled.
fn cells(line: &str) -> Result<Vec<String>, ExportError> {
    let (mut cells, mut cell, mut is_quoted) = (Vec::new(), String::new(), false);
    let mut letters = line.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' if is_quoted && letters.peek() == Some(&'"') => {
                letters.next();
                cell.push('"');
            }
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => cells.push(std::mem::take(&mut cell)),
            other => cell.push(other),
        }
    }
    if is_quoted {
        return Err(ExportError::Quote);
    }
    cells.push(cell);
    Ok(cells)
}

fn read(row: &Row) -> Result<(Place, Used), RowError> {
    let cell = |name: &str| row.get(name).map(|text| text.trim()).filter(|text| !text.is_empty());
    let needed = |name: &'static str| cell(name).ok_or(RowError::Missing(name));
    let count = |name: &'static str| -> Result<Option<u64>, RowError> {
        cell(name).map(|text| whole(text).ok_or(RowError::Count(name))).transpose()
    };
    // Sums of others are often fractions of two.
    let cost = cell("cost_usd").map(|text| Nano::nearest(text).map(Nano::get));
    let day = needed("day")?.get(..DAY_LEN).filter(|day| day.parse::<Date>().is_ok()).ok_or(RowError::Day)?;
    let used = Used {
        requests: count("requests")?,
        input: count("input_tokens")?,
        output: count("output_tokens")?,
        cost_nano: cost.transpose()?,
    };
    Ok(((day.to_owned(), needed("model")?.to_owned()), used))
}

/// A count. Tools that know no missing counts write whole ones as `12.0`.
fn whole(text: &str) -> Option<u64> {
    let digits = text.split_once('.').filter(|(_, rest)| rest.bytes().all(|digit| digit == b'0'));
    digits.map_or(text, |(digits, _)| digits).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn csv_and_json_say_the_same() {
        let csv =
            "day,model,input_tokens,output_tokens,cost_usd\n2026-11-21,\"m,1\",10.0,5,0.25\n2026-11-21,\"m,1\",1,,\n";
        let json = r#"[{"day":"2026-11-21T00:00:00Z","model":"m,1","input_tokens":11,"output_tokens":5,"cost_usd":0.25000000000000006}]"#;
        let place = ("2026-11-21".to_owned(), "m,1".to_owned());
        let used = Used { requests: None, input: Some(11), output: Some(5), cost_nano: Some(250_000_000) };
        for text in [csv.to_owned(), json.to_owned(), json.trim_matches(['[', ']']).to_owned()] {
            assert_eq!(parse(&text).unwrap(), BTreeMap::from([(place.clone(), used)]), "{text}");
        }
    }

    #[test]
    fn what_is_no_export_is_refused_with_its_row() {
        for (text, reason) in [
            ("day,model\nnoon,m", "row 1: `day`"),
            ("day,model\n2026-13-01,m", "row 1: `day`"),
            ("day,model\n21-11-2026,m", "row 1: `day`"),
            ("day,model,requests\n2026-11-21,m,1.5", "`requests` is not a count"),
            ("day,model,requests\n2026-11-21,m,-1", "`requests` is not a count"),
            ("day,input_tokens\n2026-11-21,1", "`model` is missing"),
            ("day,model,cost_usd\n2026-11-21,m,NaN", "`cost_usd`"),
            ("day,model\n2026-11-21,\"m", "no end"),
            ("[1]", "not an object"),
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
        }
    }
}
