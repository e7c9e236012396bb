//! Searches within one day, in SQL that both databases understand.
//!
//! A day has no index but its order by id, which is that of time, and a partial one of failed requests: four indexes
//! would cost more than the whole rest of a request. A key's hours are known from its sums, so that a search for a key
//! reads only those.

use super::{KeySum, Query};
use crate::error::StoreError;
use crate::fact::{Fact, columns, owner_name};
use crate::id::{Day, RequestId};
use crate::sql::{Row, Sql, Value};

/// Milliseconds of an hour.
pub const HOUR_MS: u64 = 3_600_000;

/// Facts that are read at once where not all that a database finds are wanted.
const LOOKED_AT: usize = 100;

/// The conditions of a statement with their values.
#[derive(Debug, Default)]
struct Filter<'a> {
    text: String,
    values: Vec<Value<'a>>,
}

impl<'a> Filter<'a> {
    /// Adds a condition in which each `?` stands for the next of these values.
    fn and(&mut self, condition: &str, values: impl IntoIterator<Item = Value<'a>>) {
        self.text.push_str(if self.text.is_empty() { " where " } else { " and " });
        let mut values = values.into_iter();
        for (at, part) in condition.split('?').enumerate() {
            if at > 0 {
                self.values.extend(values.next());
                self.text.push('$');
                self.text.push_str(&self.values.len().to_string());
            }
            self.text.push_str(part);
        }
    }

    fn is(&mut self, column: &str, wanted: Option<&'a str>) {
        if let Some(wanted) = wanted {
            self.and(&format!("{column} = ?"), [Value::text(wanted)]);
        }
    }

    fn is_owner(&mut self, column: &str, wanted: Option<&'a str>) {
        if let Some(wanted) = wanted {
            self.and(&format!("{column} = ?"), [Value::Text(owner_name(wanted))]);
        }
    }
}

/// A database's words for what it finds in texts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TextWords {
    /// The comparison with a pattern that takes letters of either case.
    pub like: &'static str,
    /// The function that finds the place of an exact text, 0 if there is none.
    pub place: &'static str,
}

/// The conditions of a query on facts whose ids are within a range.
fn filter<'a>(query: &'a Query, from: &'a RequestId, to: &'a RequestId, words: TextWords) -> Filter<'a> {
    let mut filter = Filter::default();
    filter.and("id >= ? and id < ?", [Value::blob(from.as_bytes()), Value::blob(to.as_bytes())]);
    filter.is("client_request_id", query.client_request_id.as_deref());
    filter.is_owner("api_key", query.key.as_deref());
    filter.is("team", query.team.as_deref());
    filter.is("organisation", query.organisation.as_deref());
    filter.is_owner("user_id", query.user.as_deref());
    filter.is("provider", query.provider.as_deref());
    filter.is("outcome", query.outcome.as_deref());
    if let Some(id) = &query.id {
        filter.and("id = ?", [Value::blob(id.as_bytes())]);
    }
    if let Some(model) = &query.model {
        filter.and("(model_asked = ? or model_served = ?)", [Value::text(model), Value::text(model)]);
    }
    if let Some((least, most)) = query.status {
        filter.and("status >= ? and status <= ?", [Value::Int(least.into()), Value::Int(most.into())]);
    }
    if let Some(least) = query.cost_from {
        filter.and("cost_nano >= ?", [Value::Int(least)]);
    }
    if let Some(end) = query.cost_to {
        filter.and("cost_nano < ?", [Value::Int(end)]);
    }
    if query.failed || query.error_text.is_some() {
        filter.and("error_kind is not null", []);
    }
    if let Some(text) = &query.error_text {
        filter.and(&format!("error_text {} ? escape '\\'", words.like), [Value::Text(may_contain(text).into())]);
    }
    if let Some((name, value)) = &query.tag {
        filter.and(&format!("{}(tags, ?) > 0", words.place), [Value::Text(pair(name, value).into())]);
    }
    filter
}

/// A pattern for all texts that contain this one in letters of either case, and some others: [`Query::finds_error`]
/// distinguishes them apart. What the databases have in common is that letters of ASCII are alike in either case.
fn may_contain(text: &str) -> String {
    let mut pattern = "%".to_owned();
    let mut is_open = true;
    for character in text.chars() {
        // The small letters of K (Kelvin) and İ are those of ASCII.
        let is_told = character.is_ascii() && !matches!(character, 'i' | 'I' | 'k' | 'K');
        if is_told && matches!(character, '\\' | '%' | '_') {
            pattern.push('\\');
        }
        if is_told {
            pattern.push(character);
        } else if !is_open {
            pattern.push('%');
        }
        is_open = !is_told;
    }
    if !is_open {
        pattern.push('%');
    }
    pattern
}

/// A tag as it stands in the JSON of all tags.
fn pair(name: &str, value: &str) -> String {
    let quoted = |text: &str| serde_json::to_string(text).unwrap_or_default();
    format!("{}:{}", quoted(name), quoted(value))
}

/// The newest facts of a day that meet a query, at most `most`.
pub(crate) fn search_day(
    sql: &mut dyn Sql,
    day: Day,
    query: &Query,
    most: usize,
    words: TextWords,
) -> Result<Vec<Fact>, StoreError> {
    let mut found = Vec::new();
    for (from, mut to) in ranges(sql, day, query)? {
        loop {
            let left = most.saturating_sub(found.len());
            if left == 0 {
                return Ok(found);
            }
            let at_once = if query.error_text.is_some() { left.max(LOOKED_AT) } else { left };
            let filter = filter(query, &from, &to, words);
            let text =
                format!("select {} from facts{} order by id desc limit {at_once}", columns::names(), filter.text);
            let rows = sql.query(&text, &filter.values)?;
            let is_last = rows.len() < at_once;
            let facts = rows.into_iter().map(|mut row| columns::read(&mut row)).collect::<Result<Vec<_>, _>>()?;
            to = facts.last().map_or(to, |fact| fact.id);
            found.extend(facts.into_iter().filter(|fact| query.finds_error(fact)).take(left));
            if is_last {
                break;
            }
        }
    }
    Ok(found)
}

/// The ranges of ids to be read for a query, newest first: the day, or for a key the hours in which it was used.
fn ranges(sql: &mut dyn Sql, day: Day, query: &Query) -> Result<Vec<(RequestId, RequestId)>, StoreError> {
    let (first, end) = query.id_range();
    let clip = |from_ms: u64, to_ms: u64| {
        let from = RequestId::first_of(from_ms).max(first);
        let to = end.map_or(RequestId::first_of(to_ms), |end| end.min(RequestId::first_of(to_ms)));
        (from < to).then_some((from, to))
    };
    let Some(key) = &query.key else {
        return Ok(clip(day.start_ms(), day.next().start_ms()).into_iter().collect());
    };
    let rows = sql.query(
        "select hour from key_hours where day = $1 and api_key = $2 order by hour desc",
        &[Value::Int(day.number().into()), Value::Text(owner_name(key))],
    )?;
    let mut hours: Vec<(u64, u64)> = Vec::new();
    for mut row in rows {
        let hour = row.count()?;
        match hours.last_mut() {
            Some((from, _)) if *from == hour + 1 => *from = hour,
            _ => hours.push((hour, hour + 1)),
        }
    }
    Ok(hours.into_iter().filter_map(|(from, to)| clip(from * HOUR_MS, to * HOUR_MS)).collect())
}

/// What a key used in a day, in the hours from one to another (excluded).
pub(crate) fn key_sum_of_day(
    sql: &mut dyn Sql,
    day: Day,
    key: &str,
    from_hour: u64,
    to_hour: u64,
) -> Result<KeySum, StoreError> {
    let rows = sql.query(
        "select requests,failed,unpriced,input,output,cost_nano from key_hours \
         where day = $1 and api_key = $2 and hour >= $3 and hour < $4",
        &[
            Value::Int(day.number().into()),
            Value::Text(owner_name(key)),
            Value::count(from_hour),
            Value::count(to_hour),
        ],
    )?;
    let mut sum = KeySum::default();
    for mut row in rows {
        sum.merge(&read_sum(&mut row)?);
    }
    Ok(sum)
}

fn read_sum(row: &mut Row) -> Result<KeySum, StoreError> {
    Ok(KeySum {
        requests: row.count()?,
        failed: row.count()?,
        unpriced: row.count()?,
        input: row.count()?,
        output: row.count()?,
        cost_nano: row.int()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_leaves_open_what_databases_do_not_fold() {
        for (text, pattern) in [("", "%"), ("100%_\\", "%100\\%\\_\\\\%"), ("Überlast", "%berlast%"), ("Kiöp", "%p%")]
        {
            assert_eq!(may_contain(text), pattern);
        }
    }
}
