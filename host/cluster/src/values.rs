//! Values by name, as a cache of several nodes keeps them: each with an end of its own.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use redis::Value;
use redis::aio::MultiplexedConnection;
use rustls::ClientConfig;
use tokio::task::JoinHandle;
use weir_cache::similar::shared_list::Position;

use super::address::Address;
use super::connection::{Allowance, Grant, connect};
use super::error::{ServerError, TIMEOUT};

/// How long a value lives with which a server shows that it can be written to.
const TRIED: Duration = Duration::from_mins(1);

/// The name of the one field that values of streams have.
const FIELD: &str = "q";

/// An open connection, over which many requests go at the same time.
pub(crate) struct Values {
    connection: MultiplexedConnection,
    driver: JoinHandle<()>,
    allowance: Allowance,
}

impl fmt::Debug for Values {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Values").finish_non_exhaustive()
    }
}

impl Drop for Values {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Values {
    /// Connects, and sees that the server can be written to and read from. No answer of it may have more bytes than
    /// `most_bytes`.
    pub(crate) async fn open(
        address: &Address,
        tls: &Arc<ClientConfig>,
        most_bytes: usize,
        tried: &str,
    ) -> Result<Self, ServerError> {
        let allowance = Allowance::new(most_bytes);
        let opened = tokio::time::timeout(TIMEOUT, async {
            let _login = allowance.begin();
            let (connection, driver) = connect(address, Some(tls), &allowance).await?;
            let values = Self { connection, driver, allowance: allowance.clone() };
            values.put(tried, b"1", TRIED).await?;
            match values.get(&[tried.to_owned()]).await?.as_slice() {
                [Some(value)] if value == b"1" => Ok(values),
                _ => Err(ServerError::Senseless),
            }
        });
        opened.await.unwrap_or(Err(ServerError::Late))
    }

    /// The values of these names, in their order; none for one that has no value, or another kind of value.
    pub(crate) async fn get(&self, names: &[String]) -> Result<Vec<Option<Vec<u8>>>, ServerError> {
        let (mut connection, _grant) = self.begin();
        let values: Vec<Option<Vec<u8>>> = redis::cmd("MGET").arg(names).query_async(&mut connection).await?;
        if values.len() == names.len() { Ok(values) } else { Err(ServerError::Senseless) }
    }

    /// Sets a value, which ends after this time.
    pub(crate) async fn put(&self, name: &str, value: &[u8], lasts: Duration) -> Result<(), ServerError> {
        let (mut connection, _grant) = self.begin();
        let lasts = u64::try_from(lasts.as_millis()).unwrap_or(u64::MAX).max(1);
        let mut command = redis::cmd("SET");
        command.arg(name).arg(value).arg("PX").arg(lasts);
        let reply: String = command.query_async(&mut connection).await?;
        if reply == "OK" { Ok(()) } else { Err(ServerError::Senseless) }
    }

    /// Removes values.
    pub(crate) async fn remove(&self, names: &[String]) -> Result<(), ServerError> {
        let (mut connection, _grant) = self.begin();
        redis::cmd("DEL").arg(names).query_async::<u64>(&mut connection).await?;
        Ok(())
    }

    /// Adds one to a number, and returns it. It ends after this time, or never.
    pub(crate) async fn count_up(&self, name: &str, lasts: Option<Duration>) -> Result<u64, ServerError> {
        let (mut connection, _grant) = self.begin();
        let number = redis::cmd("INCR").arg(name).query_async::<u64>(&mut connection).await?;
        if let Some(lasts) = lasts {
            let lasts = u64::try_from(lasts.as_millis()).unwrap_or(u64::MAX);
            redis::cmd("PEXPIRE").arg(name).arg(lasts).query_async::<u64>(&mut connection).await?;
        }
        Ok(number)
    }

    /// Adds a value to a stream, which has about so many at most and ends after this time unless more follow.
    pub(crate) async fn append(
        &self,
        stream: &str,
        value: &[u8],
        most: usize,
        lasts: Duration,
    ) -> Result<(), ServerError> {
        let (mut connection, _grant) = self.begin();
        let mut command = redis::cmd("XADD");
        command.arg(stream).arg("MAXLEN").arg("~").arg(most).arg("*").arg(FIELD).arg(value);
        command.query_async::<String>(&mut connection).await?;
        let lasts = u64::try_from(lasts.as_millis()).unwrap_or(u64::MAX).max(1);
        redis::cmd("PEXPIRE").arg(stream).arg(lasts).query_async::<u64>(&mut connection).await?;
        Ok(())
    }

    /// Up to so many values of a stream from this place on, with their own places.
    pub(crate) async fn entries(
        &self,
        stream: &str,
        from: &str,
        count: usize,
    ) -> Result<Vec<(Position, Vec<u8>)>, ServerError> {
        let (mut connection, _grant) = self.begin();
        let mut command = redis::cmd("XRANGE");
        command.arg(stream).arg(from).arg("+").arg("COUNT").arg(count);
        let Value::Array(entries) = command.query_async::<Value>(&mut connection).await? else {
            return Err(ServerError::Senseless);
        };
        let entries: Option<Vec<_>> = entries.into_iter().map(entry).collect();
        entries.filter(|entries| entries.len() <= count).ok_or(ServerError::Senseless)
    }

    fn begin(&self) -> (MultiplexedConnection, Grant) {
        (self.connection.clone(), self.allowance.begin())
    }
}

/// An entry of a stream: its place, and the value of its one field.
fn entry(entry: Value) -> Option<(Position, Vec<u8>)> {
    let Value::Array(parts) = entry else { return None };
    let [Value::BulkString(name), Value::Array(fields)] = <[Value; 2]>::try_from(parts).ok()? else { return None };
    let [_, Value::BulkString(value)] = <[Value; 2]>::try_from(fields).ok()? else { return None };
    Some((Position::parse(std::str::from_utf8(&name).ok()?)?, value))
}
