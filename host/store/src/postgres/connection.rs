//! One connection: how it begins, what its errors mean, and [`Sql`] on it.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use bytes::{BufMut, BytesMut};
use postgres::config::Host;
use postgres::error::SqlState;
use postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};
use postgres::{Client, Config, NoTls, Statement, Transaction};

use super::parts::{self, NewPart};
use super::sessions::Shared;
use super::{partitions, tls};
use crate::error::StoreError;
use crate::id::Day;
use crate::sql::{Row, Sql, Value};

/// Most statements that a connection keeps prepared.
const MAX_PREPARED: usize = 256;

/// A connection that is made when it is first needed.
#[derive(Debug)]
pub(super) struct Connection {
    shared: Arc<Shared>,
    open: Option<Open>,
    /// Until when the caller waits for what is done here.
    pub(super) wanted_until: Instant,
}

struct Open {
    client: Client,
    prepared: HashMap<String, Statement>,
}

impl std::fmt::Debug for Open {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Open").field("prepared", &self.prepared.len()).finish_non_exhaustive()
    }
}

impl Connection {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, open: None, wanted_until: Instant::now() }
    }

    fn open(&mut self) -> Result<&mut Open, StoreError> {
        if self.open.as_ref().is_some_and(|open| open.client.is_closed()) {
            self.open = None;
        }
        if self.open.is_none() {
            let mut client = connect(&self.shared)?;
            begin(&self.shared, &mut client)?;
            self.open = Some(Open { client, prepared: HashMap::new() });
        }
        let open = self.open.as_mut().ok_or_else(|| StoreError::Unavailable("no connection".to_owned()))?;
        if !self.shared.has_tables.load(Ordering::Relaxed) {
            partitions::make_tables(&mut open.client, &self.shared.schema)?;
            self.shared.has_tables.store(true, Ordering::Relaxed);
        }
        Ok(open)
    }

    /// Runs a transaction; rolls back if it fails. One that only reads ends before the statement that no caller waits
    /// for any more, so that it does not keep the connection.
    pub(super) fn transact<T>(
        &mut self,
        reads: bool,
        run: impl FnOnce(&mut Pg<'_, '_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let shared = Arc::clone(&self.shared);
        let wanted_until = reads.then_some(self.wanted_until);
        loop {
            let was_open = self.open.is_some();
            let Open { client, prepared } = self.open()?;
            let error = match client.build_transaction().read_only(reads).start() {
                Ok(transaction) => {
                    let result = carry_out(Pg { transaction, prepared, schema: &shared.schema, wanted_until }, run);
                    if let Err(StoreError::Unavailable(_)) = &result {
                        shared.doubt_tables();
                    }
                    return result;
                }
                Err(error) => failed(error),
            };
            // A connection may have ended while it was idle, as all do where the server is restarted. Nothing was done
            // on it.
            self.open = None;
            if !was_open || Instant::now() >= self.wanted_until {
                shared.doubt_tables();
                return Err(error);
            }
        }
    }

    /// Makes the partitions of a day, if they are not known to be there.
    pub(super) fn ensure_day(&mut self, day: Day) -> Result<(), StoreError> {
        if self.shared.days().contains(&day) {
            return Ok(());
        }
        self.transact(false, |pg| partitions::make_day(pg, day))?;
        self.shared.days().insert(day);
        Ok(())
    }

    /// Removes a day with its partitions.
    pub(super) fn drop_day(&mut self, day: Day) -> Result<(), StoreError> {
        self.shared.days().remove(&day);
        self.transact(false, |pg| partitions::drop_day(pg, day))
    }

    /// Begins a new part of a day if its partitions have more bytes than these. Not while they are read: then the next
    /// look will do.
    pub(super) fn bound_day(&mut self, day: Day, most: u64) -> Result<(), StoreError> {
        if !self.transact(true, |pg| Ok(partitions::size(pg, day)? > most))? {
            return Ok(());
        }
        match self.transact(false, |pg| parts::begin_part(pg, day, most))? {
            NewPart::New => {
                tracing::warn!(%day, "the day's request log is full: its older half ends before the day does");
            }
            NewPart::No => {}
            NewPart::Busy => {
                tracing::info!(%day, "the day's request log is full, and in use: its older half ends later");
            }
        }
        Ok(())
    }
}

/// Runs a transaction that has begun.
fn carry_out<T>(
    mut pg: Pg<'_, '_>,
    run: impl FnOnce(&mut Pg<'_, '_>) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let value = run(&mut pg)?;
    pg.transaction.commit().map_err(failed)?;
    Ok(value)
}

fn connect(shared: &Shared) -> Result<Client, StoreError> {
    match &shared.tls {
        Some(config) => shared.config.connect(tls::Tls::new(Arc::clone(config))),
        None => shared.config.connect(NoTls),
    }
    .map_err(|error| cannot_reach(&shared.config, error))
}

/// Why there is no connection, with the servers that were asked. The address's password is no part of it.
pub(super) fn cannot_reach(config: &Config, error: postgres::Error) -> StoreError {
    let servers = servers(config);
    match failed(error) {
        StoreError::Unavailable(why) => StoreError::Unavailable(format!("{servers}: {why}")),
        error => error,
    }
}

/// The servers of an address: `db.internal:5432`, several with commas between.
fn servers(config: &Config) -> String {
    const USUAL_PORT: u16 = 5432;
    let ports = config.get_ports();
    let port = |at: usize| ports.get(at).or(ports.first()).copied().unwrap_or(USUAL_PORT);
    let server = |(at, host): (usize, &Host)| match host {
        Host::Tcp(name) => format!("{name}:{}", port(at)),
        #[cfg(unix)]
        Host::Unix(folder) => folder.display().to_string(),
    };
    let named: Vec<String> = config.get_hosts().iter().enumerate().map(server).collect();
    if named.is_empty() { "no server is named".to_owned() } else { named.join(", ") }
}

/// An error with its causes, since the outermost often says only what was attempted.
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        cause = inner.source();
    }
    text
}

/// The settings of a session. The server ends what the caller has given up.
fn begin(shared: &Shared, client: &mut Client) -> Result<(), StoreError> {
    let timeout = shared.timeout.as_millis();
    let schema = &shared.schema;
    let text = format!(
        "set statement_timeout = {timeout}; set idle_in_transaction_session_timeout = {timeout}; \
         set search_path = {schema}; set client_min_messages = warning"
    );
    client.batch_execute(&text).map_err(failed)
}

/// What an error of PostgreSQL means for the caller.
#[expect(clippy::needless_pass_by_value, reason = "it maps errors, which are passed by value")]
pub(super) fn failed(error: postgres::Error) -> StoreError {
    let Some(cause) = error.as_db_error() else { return StoreError::Unavailable(with_causes(&error)) };
    let text = format!("{} ({})", cause.message(), cause.code().code());
    let class = cause.code().code().get(..2).unwrap_or_default();
    // A check is violated where a row's partition is gone: another node has ended the day.
    match class {
        "22" | "23" if *cause.code() != SqlState::CHECK_VIOLATION => StoreError::Refused(text),
        _ => StoreError::Unavailable(text),
    }
}

/// A transaction as [`Sql`].
pub(super) struct Pg<'a, 't> {
    pub(super) transaction: Transaction<'t>,
    pub(super) prepared: &'a mut HashMap<String, Statement>,
    /// The schema of the tables.
    pub(super) schema: &'a str,
    /// After this, no further statement is run.
    wanted_until: Option<Instant>,
}

impl Pg<'_, '_> {
    fn statement(&mut self, sql: &str) -> Result<Statement, StoreError> {
        if self.wanted_until.is_some_and(|until| Instant::now() >= until) {
            return Err(StoreError::Unavailable("the caller has given up".to_owned()));
        }
        if let Some(statement) = self.prepared.get(sql) {
            return Ok(statement.clone());
        }
        let statement = self.transaction.prepare(sql).map_err(failed)?;
        if self.prepared.len() >= MAX_PREPARED {
            self.prepared.clear();
        }
        self.prepared.insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }
}

impl Sql for Pg<'_, '_> {
    fn execute(&mut self, sql: &str, values: &[Value<'_>]) -> Result<u64, StoreError> {
        let statement = self.statement(sql)?;
        self.transaction.execute(&statement, &parameters(values)).map_err(failed)
    }

    fn query(&mut self, sql: &str, values: &[Value<'_>]) -> Result<Vec<Row>, StoreError> {
        let statement = self.statement(sql)?;
        let rows = self.transaction.query(&statement, &parameters(values)).map_err(failed)?;
        rows.iter().map(owned).collect()
    }
}

fn parameters<'a>(values: &'a [Value<'_>]) -> Vec<&'a (dyn ToSql + Sync)> {
    values.iter().map(|value| value as &(dyn ToSql + Sync)).collect()
}

fn owned(row: &postgres::Row) -> Result<Row, StoreError> {
    let values = row.columns().iter().enumerate().map(|(at, column)| {
        let value = match *column.type_() {
            Type::INT8 => row.try_get::<_, Option<i64>>(at).map(|number| number.map(Value::Int)),
            Type::BYTEA => {
                row.try_get::<_, Option<Vec<u8>>>(at).map(|bytes| bytes.map(|bytes| Value::Blob(bytes.into())))
            }
            _ => row.try_get::<_, Option<Raw>>(at).map(|text| text.map(|Raw(bytes)| Value::text_of(bytes))),
        };
        let value = value.map_err(|error| StoreError::Unreadable(error.to_string()))?;
        Ok(value.unwrap_or(Value::Null))
    });
    values.collect::<Result<_, StoreError>>().map(Row::new)
}

/// The bytes of a text: a server checks them when they come, not when they are read from a damaged disk.
struct Raw(Vec<u8>);

impl<'a> FromSql<'a> for Raw {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self(raw.to_vec()))
    }

    fn accepts(kind: &Type) -> bool {
        <String as FromSql<'_>>::accepts(kind)
    }
}

impl ToSql for Value<'_> {
    fn to_sql(&self, kind: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        let fits = match self {
            Self::Null => true,
            Self::Int(_) => *kind == Type::INT8,
            Self::Text(_) => *kind == Type::TEXT,
            Self::Blob(_) | Self::Damaged(_) => *kind == Type::BYTEA,
        };
        if !fits {
            return Err(format!("a parameter of type {kind}").into());
        }
        match self {
            Self::Null => return Ok(IsNull::Yes),
            Self::Int(number) => out.put_i64(*number),
            Self::Text(text) => out.put_slice(text.as_bytes()),
            Self::Blob(bytes) | Self::Damaged(bytes) => out.put_slice(bytes),
        }
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}
