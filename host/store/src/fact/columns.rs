//! Facts as rows: the columns of the table `facts`, the same in both databases.

use std::collections::BTreeMap;

use super::packed::RowWriter;
use super::{Fact, MAX_ERROR_TEXT, MAX_NAME, TokenCounts, owner_name};
use crate::error::StoreError;
use crate::id::RequestId;
use crate::sql::{Row, Value};

/// What a column depends on. Where facts are kept in the form of [`crate::sqlite::layout`], columns of one kind make a
/// table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DependsOn {
    /// The request alone.
    Request,
    /// Who asks: few different rows, however many the requests.
    Caller,
    /// The operation, who answers and the outcome: few as well.
    Route,
}

/// The columns with their types and what they depend on, in the order of [`write`] and [`read`]: the id, which is the
/// primary key, the request's other columns, the caller's, the route's. Columns that are added later may be null;
/// [`crate::schema`] adds them to existing tables.
pub(crate) const COLUMNS: [(&str, &str, DependsOn); COUNT] = [
    ("id", "bytea not null", DependsOn::Request),
    ("sequence", "bigint", DependsOn::Request),
    ("client_request_id", "text", DependsOn::Request),
    ("user_id", "text", DependsOn::Request),
    ("tags", "text", DependsOn::Request),
    ("error_kind", "text", DependsOn::Request),
    ("error_text", "text", DependsOn::Request),
    ("attempts", "text", DependsOn::Request),
    ("input", "bigint", DependsOn::Request),
    ("input_audio", "bigint", DependsOn::Request),
    ("input_image", "bigint", DependsOn::Request),
    ("cache_read", "bigint", DependsOn::Request),
    ("cache_write", "bigint", DependsOn::Request),
    ("cache_write_hour", "bigint", DependsOn::Request),
    ("output", "bigint", DependsOn::Request),
    ("output_audio", "bigint", DependsOn::Request),
    ("output_image", "bigint", DependsOn::Request),
    ("reasoning", "bigint", DependsOn::Request),
    ("units", "text", DependsOn::Request),
    ("cost_nano", "bigint", DependsOn::Request),
    ("total_us", "bigint", DependsOn::Request),
    ("first_token_us", "bigint", DependsOn::Request),
    ("own_us", "bigint", DependsOn::Request),
    ("bytes_in", "bigint", DependsOn::Request),
    ("bytes_out", "bigint", DependsOn::Request),
    ("saved_nano", "bigint", DependsOn::Request),
    ("similarity_millionths", "bigint", DependsOn::Request),
    ("api_key", "text", DependsOn::Caller),
    ("team", "text", DependsOn::Caller),
    ("organisation", "text", DependsOn::Caller),
    ("client", "text", DependsOn::Caller),
    ("process", "bigint", DependsOn::Route),
    ("dialect", "text", DependsOn::Route),
    ("model_asked", "text", DependsOn::Route),
    ("model_served", "text", DependsOn::Route),
    ("provider", "text", DependsOn::Route),
    ("target", "text", DependsOn::Route),
    ("lane", "text", DependsOn::Route),
    ("operation", "text", DependsOn::Route),
    ("status", "bigint", DependsOn::Route),
    ("outcome", "text", DependsOn::Route),
    ("finish", "text", DependsOn::Route),
    ("estimated", "bigint", DependsOn::Route),
    ("price_version", "text", DependsOn::Route),
    ("losses", "text", DependsOn::Route),
    ("adapter", "text", DependsOn::Route),
    ("adapter_digest", "text", DependsOn::Route),
    ("service_tier", "text", DependsOn::Route),
    ("batch", "bigint", DependsOn::Route),
    ("region", "text", DependsOn::Route),
    ("model_named", "text", DependsOn::Route),
];

/// A row of all columns.
pub(crate) type Values<'a> = [Value<'a>; COUNT];

/// How many columns a fact has.
pub(crate) const COUNT: usize = 51;

/// The names of the columns, with commas.
pub(crate) fn names() -> String {
    COLUMNS.map(|(name, _, _)| name).join(",")
}

/// The definitions of the columns, with commas.
pub(crate) fn definitions() -> String {
    COLUMNS.map(|(name, kind, _)| format!("{name} {kind}")).join(",")
}

/// Writes a fact as one of a process, with its number there, in the order of the columns. Each text is cut to its
/// bound, without what no database takes.
pub(crate) fn write<T: AsRef<str>>(fact: &Fact<T>, process: i64, sequence: u64, row: &mut RowWriter) {
    let tokens = &fact.tokens;
    row.bytes(fact.id.as_bytes());
    row.count(sequence);
    row.text(fact.client_request_id.as_ref(), MAX_NAME);
    row.text(&owner_name(fact.user.as_ref()), MAX_NAME);
    row.tags(&fact.tags);
    row.text(fact.error_kind.as_ref(), MAX_NAME);
    row.text(fact.error_text.as_ref(), MAX_ERROR_TEXT);
    row.json(fact.attempts.as_ref());
    row.maybe(tokens.input);
    row.maybe(tokens.input_audio);
    row.maybe(tokens.input_image);
    row.maybe(tokens.cache_read);
    row.maybe(tokens.cache_write);
    row.maybe(tokens.cache_write_hour);
    row.maybe(tokens.output);
    row.maybe(tokens.output_audio);
    row.maybe(tokens.output_image);
    row.maybe(tokens.reasoning);
    row.json(fact.units.as_ref());
    row.maybe_int(fact.cost_nano);
    row.count(fact.total_us);
    row.maybe(fact.first_token_us);
    row.count(fact.own_us);
    row.count(fact.bytes_in);
    row.count(fact.bytes_out);
    row.maybe_int(fact.saved_nano);
    row.maybe_int(fact.similarity_millionths);
    row.text(&owner_name(fact.key.as_ref()), MAX_NAME);
    row.text(fact.team.as_ref(), MAX_NAME);
    row.text(fact.organisation.as_ref(), MAX_NAME);
    row.text(fact.client.as_ref(), MAX_NAME);
    row.int(process);
    row.text(fact.dialect.as_ref(), MAX_NAME);
    row.text(fact.model_asked.as_ref(), MAX_NAME);
    row.text(fact.model_served.as_ref(), MAX_NAME);
    row.text(fact.provider.as_ref(), MAX_NAME);
    row.text(fact.target.as_ref(), MAX_NAME);
    row.text(fact.lane.as_ref(), MAX_NAME);
    row.text(fact.operation.as_ref(), MAX_NAME);
    row.int(i64::from(fact.status));
    row.text(fact.outcome.as_ref(), MAX_NAME);
    row.text(fact.finish.as_ref(), MAX_NAME);
    row.int(i64::from(fact.estimated));
    row.text(fact.price_version.as_ref(), MAX_NAME);
    row.json(fact.losses.as_ref());
    row.text(fact.adapter.as_ref(), MAX_NAME);
    row.text(fact.adapter_digest.as_ref(), MAX_NAME);
    row.text(fact.service_tier.as_ref(), MAX_NAME);
    row.int(i64::from(fact.batch));
    row.text(fact.region.as_ref(), MAX_NAME);
    row.text(fact.model_named.as_ref(), MAX_NAME);
}

const fn is(kind: DependsOn, other: DependsOn) -> bool {
    kind as u8 == other as u8
}

/// How many columns are of a kind.
pub(crate) const fn count(kind: DependsOn) -> usize {
    let (mut at, mut found) = (0, 0);
    while at < COUNT {
        found += is(COLUMNS[at].2, kind) as usize;
        at += 1;
    }
    found
}

/// The columns of a kind, which follow each other.
pub(crate) fn of(kind: DependsOn) -> impl Iterator<Item = (&'static str, &'static str)> + Clone {
    COLUMNS.into_iter().filter(move |column| column.2 == kind).map(|(name, kind, _)| (name, kind))
}

/// The place of a column, which is known when the program is built.
pub(crate) const fn place(name: &str) -> usize {
    let mut at = 0;
    while at < COUNT && !is_same(COLUMNS[at].0.as_bytes(), name.as_bytes()) {
        at += 1;
    }
    assert!(at < COUNT, "there is no such column");
    at
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
        sequence: row.count()?,
        client_request_id: row.text()?,
        user: row.text()?,
        tags: read_tags(&row.text()?)?,
        error_kind: row.text()?,
        error_text: row.text()?,
        attempts: row.text()?,
        tokens: read_tokens(row)?,
        units: row.text()?,
        cost_nano: row.maybe_int()?,
        total_us: row.count()?,
        first_token_us: row.maybe_count()?,
        own_us: row.count()?,
        bytes_in: row.count()?,
        bytes_out: row.count()?,
        saved_nano: row.maybe_int()?,
        similarity_millionths: row.maybe_int()?,
        key: row.text()?,
        team: row.text()?,
        organisation: row.text()?,
        client: row.text()?,
        process: row.int()?,
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
        estimated: row.int()? != 0,
        price_version: row.text()?,
        losses: row.text()?,
        adapter: row.text()?,
        adapter_digest: row.text()?,
        service_tier: row.text()?,
        batch: row.int()? != 0,
        region: row.text()?,
        model_named: row.text()?,
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
