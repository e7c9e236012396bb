//! Facts as rows: the columns of the table `facts`, the same in both databases.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::{Fact, MOST_ERROR_TEXT, MOST_JSON, MOST_NAME, MOST_TAGS, TokenCounts, fitting};
use crate::error::StoreError;
use crate::id::RequestId;
use crate::sql::{Row, Value};

/// What a column depends on. Where facts are kept in the form of [`crate::sqlite::layout`], columns of one kind make a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Of {
    /// The request alone.
    Request,
    /// Who asks: few different rows, however many the requests.
    Caller,
    /// What is asked, who answers and how it goes: few as well.
    Route,
}

/// The columns with their types and what they depend on, in the order of [`values`] and [`read`]. The id, which is the primary
/// key, is the first. What is added later goes to the end, may be null, and is added to existing tables by [`crate::schema`].
pub(crate) const COLUMNS: [(&str, &str, Of); COUNT] = [
    ("id", "bytea not null", Of::Request),
    ("process", "bigint", Of::Route),
    ("sequence", "bigint", Of::Request),
    ("client_request_id", "text", Of::Request),
    ("api_key", "text", Of::Caller),
    ("team", "text", Of::Caller),
    ("organisation", "text", Of::Caller),
    ("user_id", "text", Of::Request),
    ("tags", "text", Of::Request),
    ("client", "text", Of::Caller),
    ("dialect", "text", Of::Route),
    ("model_asked", "text", Of::Route),
    ("model_served", "text", Of::Route),
    ("provider", "text", Of::Route),
    ("target", "text", Of::Route),
    ("lane", "text", Of::Route),
    ("operation", "text", Of::Route),
    ("status", "bigint", Of::Route),
    ("outcome", "text", Of::Route),
    ("finish", "text", Of::Route),
    ("error_kind", "text", Of::Request),
    ("error_text", "text", Of::Request),
    ("attempts", "text", Of::Request),
    ("input", "bigint", Of::Request),
    ("input_audio", "bigint", Of::Request),
    ("input_image", "bigint", Of::Request),
    ("cache_read", "bigint", Of::Request),
    ("cache_write", "bigint", Of::Request),
    ("cache_write_hour", "bigint", Of::Request),
    ("output", "bigint", Of::Request),
    ("output_audio", "bigint", Of::Request),
    ("output_image", "bigint", Of::Request),
    ("reasoning", "bigint", Of::Request),
    ("estimated", "bigint", Of::Route),
    ("units", "text", Of::Request),
    ("cost_nano", "bigint", Of::Request),
    ("price_version", "text", Of::Route),
    ("total_us", "bigint", Of::Request),
    ("first_token_us", "bigint", Of::Request),
    ("own_us", "bigint", Of::Request),
    ("bytes_in", "bigint", Of::Request),
    ("bytes_out", "bigint", Of::Request),
    ("losses", "text", Of::Route),
    ("adapter", "text", Of::Route),
    ("adapter_digest", "text", Of::Route),
    ("service_tier", "text", Of::Route),
    ("batch", "bigint", Of::Route),
    ("saved_nano", "bigint", Of::Request),
    ("similarity_millionths", "bigint", Of::Request),
];

/// A row of all columns.
pub(crate) type Values<'a> = [Value<'a>; COUNT];

/// How many columns a fact has.
pub(crate) const COUNT: usize = 49;

/// The names of the columns, with commas.
pub(crate) fn names() -> String {
    COLUMNS.map(|(name, _, _)| name).join(",")
}

/// The definitions of the columns, with commas.
pub(crate) fn definitions() -> String {
    COLUMNS.map(|(name, kind, _)| format!("{name} {kind}")).join(",")
}

/// A fact's values in the order of the columns, each cut to its bound and without what no database takes.
pub(crate) fn values<T: AsRef<str>>(fact: &Fact<T>) -> Values<'_> {
    let tokens = &fact.tokens;
    [
        Value::blob(fact.id.as_bytes()),
        Value::Int(fact.process),
        Value::count(fact.sequence),
        name(&fact.client_request_id),
        name(&fact.key),
        name(&fact.team),
        name(&fact.organisation),
        name(&fact.user),
        tags_value(&fact.tags),
        name(&fact.client),
        name(&fact.dialect),
        name(&fact.model_asked),
        name(&fact.model_served),
        name(&fact.provider),
        name(&fact.target),
        name(&fact.lane),
        name(&fact.operation),
        Value::Int(i64::from(fact.status)),
        name(&fact.outcome),
        name(&fact.finish),
        name(&fact.error_kind),
        text(&fact.error_text, MOST_ERROR_TEXT),
        json(&fact.attempts),
        Value::maybe(tokens.input),
        Value::maybe(tokens.input_audio),
        Value::maybe(tokens.input_image),
        Value::maybe(tokens.cache_read),
        Value::maybe(tokens.cache_write),
        Value::maybe(tokens.cache_write_hour),
        Value::maybe(tokens.output),
        Value::maybe(tokens.output_audio),
        Value::maybe(tokens.output_image),
        Value::maybe(tokens.reasoning),
        Value::Int(i64::from(fact.estimated)),
        json(&fact.units),
        fact.cost_nano.map_or(Value::Null, Value::Int),
        name(&fact.price_version),
        Value::count(fact.total_us),
        Value::maybe(fact.first_token_us),
        Value::count(fact.own_us),
        Value::count(fact.bytes_in),
        Value::count(fact.bytes_out),
        json(&fact.losses),
        name(&fact.adapter),
        name(&fact.adapter_digest),
        name(&fact.service_tier),
        Value::Int(i64::from(fact.batch)),
        fact.saved_nano.map_or(Value::Null, Value::Int),
        fact.similarity_millionths.map_or(Value::Null, Value::Int),
    ]
}

fn name(name: &impl AsRef<str>) -> Value<'_> {
    text(name, MOST_NAME)
}

fn text(text: &impl AsRef<str>, most: usize) -> Value<'_> {
    let text = text.as_ref();
    if text.is_empty() { Value::Null } else { Value::Text(fitting(text, most)) }
}

fn json(json: &impl AsRef<str>) -> Value<'_> {
    if json.as_ref().len() > MOST_JSON { Value::text("\"too long\"") } else { text(json, MOST_JSON) }
}

fn tags_value(tags: &BTreeMap<String, String>) -> Value<'static> {
    if tags.is_empty() {
        return Value::Null;
    }
    let tags: BTreeMap<_, _> = tags.iter().take(MOST_TAGS).map(|(name, value)| (tag(name), tag(value))).collect();
    // A map of texts always has a JSON form.
    serde_json::to_string(&tags).map_or(Value::Null, |text| Value::Text(text.into()))
}

fn tag(text: &str) -> Cow<'_, str> {
    fitting(text, MOST_NAME)
}

/// The place of a column, which is known when the program is built.
pub(crate) const fn place(name: &str) -> usize {
    let mut at = 0;
    while at < COUNT {
        if is_same(COLUMNS[at].0.as_bytes(), name.as_bytes()) {
            return at;
        }
        at += 1;
    }
    panic!("there is no such column")
}

const fn is_same(one: &[u8], other: &[u8]) -> bool {
    let mut at = 0;
    while at < one.len() && at < other.len() && one[at] == other[at] {
        at += 1;
    }
    at == one.len() && at == other.len()
}

/// Reads a fact from a row of all columns.
pub(crate) fn read(row: &mut Row) -> Result<Fact, StoreError> {
    Ok(Fact {
        id: RequestId::from_bytes(row.array()?),
        process: row.int()?,
        sequence: row.count()?,
        client_request_id: row.text()?,
        key: row.text()?,
        team: row.text()?,
        organisation: row.text()?,
        user: row.text()?,
        tags: read_tags(&row.text()?)?,
        client: row.text()?,
        dialect: row.text()?,
        model_asked: row.text()?,
        model_served: row.text()?,
        provider: row.text()?,
        target: row.text()?,
        lane: row.text()?,
        operation: row.text()?,
        status: u16::try_from(row.int()?).unwrap_or_default(),
        outcome: row.text()?,
        finish: row.text()?,
        error_kind: row.text()?,
        error_text: row.text()?,
        attempts: row.text()?,
        tokens: read_tokens(row)?,
        estimated: row.int()? != 0,
        units: row.text()?,
        cost_nano: row.maybe_int()?,
        price_version: row.text()?,
        total_us: row.count()?,
        first_token_us: row.maybe_count()?,
        own_us: row.count()?,
        bytes_in: row.count()?,
        bytes_out: row.count()?,
        losses: row.text()?,
        adapter: row.text()?,
        adapter_digest: row.text()?,
        service_tier: row.text()?,
        batch: row.int()? != 0,
        saved_nano: row.maybe_int()?,
        similarity_millionths: row.maybe_int()?,
    })
}

fn read_tokens(row: &mut Row) -> Result<TokenCounts, StoreError> {
    Ok(TokenCounts {
        input: row.maybe_count()?,
        input_audio: row.maybe_count()?,
        input_image: row.maybe_count()?,
        cache_read: row.maybe_count()?,
        cache_write: row.maybe_count()?,
        cache_write_hour: row.maybe_count()?,
        output: row.maybe_count()?,
        output_audio: row.maybe_count()?,
        output_image: row.maybe_count()?,
        reasoning: row.maybe_count()?,
    })
}

fn read_tags(text: &str) -> Result<BTreeMap<String, String>, StoreError> {
    if text.is_empty() {
        return Ok(BTreeMap::new());
    }
    serde_json::from_str(text).map_err(|error| StoreError::Unreadable(format!("tags: {error}")))
}
