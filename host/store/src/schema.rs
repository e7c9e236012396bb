//! The tables. Their definitions are the same for both databases, but for the words in which these differ.

use crate::fact::columns;

/// The version of the tables that this program writes.
pub(crate) const VERSION: i64 = 2;

/// What later versions added to the table of facts: the version, and the statement that adds it to one of an earlier version.
const ADDED: [(i64, &str); 1] = [(2, "alter table facts add column saved_nano bigint;")];

/// The statements that bring tables of facts of this version up to [`VERSION`].
pub(crate) fn upgrade_from(version: i64) -> String {
    ADDED.iter().filter(|(added, _)| *added > version).map(|(_, statement)| *statement).collect()
}

/// How a database wants its tables.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Words {
    /// Texts that are compared byte by byte.
    pub(crate) text: &'static str,
    /// Follows the columns of a table that is stored in the order of its primary key.
    pub(crate) ordered: &'static str,
}

/// SQLite's words.
pub(crate) const SQLITE: Words = Words { text: " text", ordered: " without rowid" };
/// PostgreSQL's words.
pub(crate) const POSTGRES: Words = Words { text: " text collate \"C\"", ordered: "" };

/// The tables that are not divided by day.
pub(crate) fn main_tables(words: Words) -> String {
    let text = "
create table if not exists schema_version (version bigint not null);
create table if not exists counters (name text primary key, value bigint not null) ORDERED;
create table if not exists flushes (process bigint primary key, number bigint not null);
create table if not exists ledger (
  hour bigint, subject text, provider text, served text, price_dim text, bucket text, units bigint not null,
  requests bigint not null, estimated bigint not null, cost_nano bigint not null,
  primary key (hour, subject, provider, served, price_dim, bucket)) ORDERED;
create table if not exists budget_state (
  budget text, time_window text, node text, sequence bigint not null, reserved bigint not null,
  settled bigint not null, state text not null, primary key (budget, time_window, node)) ORDERED;
create table if not exists documents (
  kind text, id text, revision bigint not null, body text, primary key (kind, id)) ORDERED;
create unique index if not exists documents_revision on documents (revision);
create table if not exists audit (
  sequence bigint primary key, time_ms bigint not null, event text not null, hash bytea not null);
insert into counters (name, value) values ('documents', 0), ('audit', 0) on conflict (name) do nothing;
";
    spell(text, words)
}

/// The tables of one day: each of its name with what is between its parentheses.
pub(crate) fn day_tables(words: Words) -> Vec<(&'static str, String)> {
    let facts = format!("{}, primary key (id)", columns::definitions());
    let tables = [
        ("facts", facts.as_str()),
        (
            "key_hours",
            "day bigint not null, api_key text not null, hour bigint not null, requests bigint not null, \
             failed bigint not null, unpriced bigint not null, input bigint not null, output bigint not null, \
             cost_nano bigint not null, primary key (day, api_key, hour)",
        ),
        (
            "bodies",
            "id bytea not null, side bigint not null, length bigint not null, recipe bytea not null, \
             primary key (id, side)",
        ),
        (
            "chunks",
            "day bigint not null, hash bytea not null, length bigint not null, is_zstd bigint not null, \
             data bytea not null, primary key (day, hash)",
        ),
    ];
    tables.map(|(name, columns)| (name, spell(columns, words))).into()
}

fn spell(text: &str, words: Words) -> String {
    text.replace(" text", words.text).replace(" ORDERED", words.ordered)
}
