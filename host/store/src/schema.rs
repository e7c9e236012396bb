//! The tables. Their definitions are the same for both databases, but for the words in which these differ.

use crate::fact::columns;

/// The version of the tables that this program writes.
pub(crate) const VERSION: i64 = 10;

/// What later versions added to the table of facts: the version, and the statement that adds it to one of an earlier
/// version.
const ADDED: [(i64, &str); 4] = [
    (2, "alter table facts add column saved_nano bigint;"),
    (4, "alter table facts add column similarity_millionths bigint;"),
    (5, "alter table facts add column region text;"),
    (6, "alter table facts add column model_named text;"),
];

/// The version from which on the sums of hours are also kept by the day.
pub(crate) const DAYS_SINCE: i64 = 3;

/// The version from which on the counts of budgets are kept.
pub(crate) const COUNTS_SINCE: i64 = 6;

/// What budgets have counted, in place of a table that no program ever wrote.
const BUDGET_COUNTS: &str = "
create table if not exists budget_counts (
  budget text, shape text, first_second bigint, end_second bigint, used bigint not null, added bigint not null,
  version bigint not null, primary key (budget, shape, first_second)) ORDERED;
create index if not exists budget_counts_version on budget_counts (version);
drop table if exists budget_state;
insert into counters (name, value) values ('budgets', 0) on conflict (name) do nothing;
";

/// The version from which on work that is not booked yet is kept.
pub(crate) const WORK_SINCE: i64 = 7;

/// Work at providers that is not booked yet.
const OPEN_WORK: &str = "
create table if not exists open_work (
  tenant text, id text, made_ms bigint not null, holder bigint not null, held_until_ms bigint not null, body text not null,
  primary key (tenant, id)) ORDERED;
";

/// The version from which on the end of the audit log is also kept apart from it.
pub(crate) const HEAD_SINCE: i64 = 8;

/// The last entry of the audit log, in one row: without it, nothing would show that entries were cut off the end. A log
/// that an earlier version wrote has the row from its next entry on.
const AUDIT_HEAD: &str = "
create table if not exists audit_head (number bigint primary key, sequence bigint not null, hash bytea not null);
";

/// The version from which on it is kept what was read of files of requests.
pub(crate) const FILES_SINCE: i64 = 9;

/// What was read of files of requests.
const REQUEST_FILES: &str = "
create table if not exists request_files (
  id text, tenant text, made_ms bigint not null, body text not null, primary key (id, tenant)) ORDERED;
create index if not exists request_files_of_tenant on request_files (tenant, made_ms);
create index if not exists request_files_by_age on request_files (made_ms);
";

/// The version from which on it is kept who made which objects.
pub(crate) const OWNERS_SINCE: i64 = 10;

/// Who made which objects.
const OBJECT_OWNERS: &str = "
create table if not exists object_owners (
  id text, tenant text not null, is_answer bigint not null, made_ms bigint not null, primary key (id)) ORDERED;
create index if not exists object_owners_by_age on object_owners (made_ms);
";

/// Puts the sums of hours that were written before into those of days.
const FILL_DAYS: &str = "
insert into ledger_days (day, subject, provider, served, price_dim, bucket, units, requests, estimated, cost_nano)
select hour / 24, subject, provider, served, price_dim, bucket, cast(sum(units) as bigint),
  cast(sum(requests) as bigint), cast(sum(estimated) as bigint), cast(sum(cost_nano) as bigint)
from ledger group by hour / 24, subject, provider, served, price_dim, bucket;
";

/// The statements that bring tables of facts of this version up to [`VERSION`].
pub(crate) fn upgrade_from(version: i64) -> String {
    ADDED.iter().filter(|(added, _)| *added > version).map(|(_, statement)| *statement).collect()
}

/// The statements that bring the tables of money of this version up to [`VERSION`], once [`main_tables`] and the
/// triggers are there.
pub(crate) fn upgrade_main_from(version: i64) -> &'static str {
    if version < DAYS_SINCE { FILL_DAYS } else { "" }
}

/// What keeps the sums of days equal to those of hours, in SQLite. Triggers, since a program of an earlier version that
/// writes beside this one does not know the table.
pub(crate) const SQLITE_TRIGGERS: &str = "
create trigger if not exists ledger_inserted after insert on ledger begin
  insert into ledger_days (day, subject, provider, served, price_dim, bucket, units, requests, estimated, cost_nano)
  values (new.hour / 24, new.subject, new.provider, new.served, new.price_dim, new.bucket, new.units, new.requests,
    new.estimated, new.cost_nano)
  on conflict (day, subject, provider, served, price_dim, bucket) do update set units = units + excluded.units,
    requests = requests + excluded.requests, estimated = estimated + excluded.estimated,
    cost_nano = cost_nano + excluded.cost_nano;
end;
create trigger if not exists ledger_updated after update on ledger begin
  insert into ledger_days (day, subject, provider, served, price_dim, bucket, units, requests, estimated, cost_nano)
  values (new.hour / 24, new.subject, new.provider, new.served, new.price_dim, new.bucket, new.units - old.units,
    new.requests - old.requests, new.estimated - old.estimated, new.cost_nano - old.cost_nano)
  on conflict (day, subject, provider, served, price_dim, bucket) do update set units = units + excluded.units,
    requests = requests + excluded.requests, estimated = estimated + excluded.estimated,
    cost_nano = cost_nano + excluded.cost_nano;
end;
";

/// The same in PostgreSQL.
pub(crate) const POSTGRES_TRIGGERS: &str = "
create or replace function ledger_to_days() returns trigger language plpgsql
  set search_path from current as $$
declare
  units_added bigint := new.units;
  requests_added bigint := new.requests;
  estimated_added bigint := new.estimated;
  cost_added bigint := new.cost_nano;
begin
  if tg_op = 'UPDATE' then
    units_added := units_added - old.units;
    requests_added := requests_added - old.requests;
    estimated_added := estimated_added - old.estimated;
    cost_added := cost_added - old.cost_nano;
  end if;
  insert into ledger_days (day, subject, provider, served, price_dim, bucket, units, requests, estimated, cost_nano)
  values (new.hour / 24, new.subject, new.provider, new.served, new.price_dim, new.bucket, units_added, requests_added,
    estimated_added, cost_added)
  on conflict (day, subject, provider, served, price_dim, bucket) do update set
    units = ledger_days.units + excluded.units, requests = ledger_days.requests + excluded.requests,
    estimated = ledger_days.estimated + excluded.estimated, cost_nano = ledger_days.cost_nano + excluded.cost_nano;
  return null;
end $$;
drop trigger if exists ledger_kept_by_day on ledger;
create trigger ledger_kept_by_day after insert or update on ledger
  for each row execute function ledger_to_days();
";

/// Removes rows of hours before one, so many at once that money is written in between, in SQLite.
pub(crate) const SQLITE_END_HOURS: &str = "delete from ledger where (hour, subject, provider, served, price_dim, bucket) <= \
     (select hour, subject, provider, served, price_dim, bucket from (select * from ledger where hour < $1 \
     order by hour, subject, provider, served, price_dim, bucket limit 5000) \
     order by hour desc, subject desc, provider desc, served desc, price_dim desc, bucket desc limit 1)";
/// The same in PostgreSQL, where rows are found by their places.
pub(crate) const POSTGRES_END_HOURS: &str =
    "delete from ledger where ctid = any(array(select ctid from ledger where hour < $1 order by hour limit 5000))";

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
create table if not exists ledger_days (
  day bigint, subject text, provider text, served text, price_dim text, bucket text, units bigint not null,
  requests bigint not null, estimated bigint not null, cost_nano bigint not null,
  primary key (day, subject, provider, served, price_dim, bucket)) ORDERED;
create table if not exists documents (
  kind text, id text, revision bigint not null, body text, primary key (kind, id)) ORDERED;
create unique index if not exists documents_revision on documents (revision);
create table if not exists audit (
  sequence bigint primary key, time_ms bigint not null, event text not null, hash bytea not null);
insert into counters (name, value) values ('documents', 0), ('audit', 0) on conflict (name) do nothing;
";
    spell(&[text, BUDGET_COUNTS, OPEN_WORK, AUDIT_HEAD, REQUEST_FILES, OBJECT_OWNERS].concat(), words)
}

/// The table of the counts of budgets, for tables of an earlier version in PostgreSQL.
pub(crate) fn budget_counts(words: Words) -> String {
    spell(BUDGET_COUNTS, words)
}

/// The table of work that is not booked yet, for tables of an earlier version in PostgreSQL.
pub(crate) fn open_work(words: Words) -> String {
    spell(OPEN_WORK, words)
}

/// The table of the audit log's end, for tables of an earlier version in PostgreSQL.
pub(crate) fn audit_head(words: Words) -> String {
    spell(AUDIT_HEAD, words)
}

/// The table of what was read of files of requests, for tables of an earlier version in PostgreSQL.
pub(crate) fn request_files(words: Words) -> String {
    spell(REQUEST_FILES, words)
}

/// The table of who made which objects, for tables of an earlier version in PostgreSQL.
pub(crate) fn object_owners(words: Words) -> String {
    spell(OBJECT_OWNERS, words)
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
