//! Reads the database of another program, to take over what it holds.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use postgres::config::SslMode;
use postgres::fallible_iterator::FallibleIterator as _;
use postgres::{Client, NoTls};

use super::connection::{cannot_reach, failed};
use super::tls::Tls;
use crate::error::StoreError;

/// Another program's PostgreSQL database. All that is read comes from one snapshot, in a transaction that cannot write.
pub struct ForeignDatabase {
    client: Client,
}

impl ForeignDatabase {
    /// Connects to an address such as `postgres://reader@db.internal/other`. `schema` is where names are looked up
    /// first; without it, where the database says.
    ///
    /// # Errors
    ///
    /// The address is none, or the database does not answer within `timeout` or refuses.
    pub fn open(
        url: &str,
        schema: Option<&str>,
        tls: rustls::ClientConfig,
        timeout: Duration,
    ) -> Result<Self, StoreError> {
        let mut config: postgres::Config =
            url.parse().map_err(|error: postgres::Error| StoreError::Settings(error.to_string()))?;
        config.connect_timeout(timeout).tcp_user_timeout(timeout).application_name("weir");
        let connected = match config.get_ssl_mode() {
            SslMode::Disable => config.connect(NoTls),
            _ => config.connect(Tls::new(Arc::new(tls))),
        };
        let mut client = connected.map_err(|error| cannot_reach(&config, error))?;
        client.batch_execute("begin isolation level repeatable read read only").map_err(failed)?;
        if let Some(schema) = schema {
            client.execute("select set_config('search_path', quote_ident($1), true)", &[&schema]).map_err(failed)?;
        }
        Ok(Self { client })
    }

    /// Whether there is a table with this name.
    ///
    /// # Errors
    ///
    /// The database is gone.
    pub fn has_table(&mut self, name: &str) -> Result<bool, StoreError> {
        let row = self.client.query_one("select to_regclass(quote_ident($1)) is not null", &[&name]);
        row.and_then(|row| row.try_get(0)).map_err(failed)
    }

    /// Gives each row of a table to `take` as a JSON object, in the order of a column. Rows are not held together.
    ///
    /// # Errors
    ///
    /// The table or the column is missing, or the database is gone.
    pub fn rows(&mut self, table: &str, order: &str, mut take: impl FnMut(&str)) -> Result<(), StoreError> {
        let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
        let query = format!("select row_to_json(t)::text from {} t order by {}", quoted(table), quoted(order));
        let none: [&str; 0] = [];
        let mut rows = self.client.query_raw(&query, none).map_err(failed)?;
        while let Some(row) = rows.next().map_err(failed)? {
            take(row.try_get(0).map_err(failed)?);
        }
        Ok(())
    }
}

impl fmt::Debug for ForeignDatabase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ForeignDatabase").finish_non_exhaustive()
    }
}
