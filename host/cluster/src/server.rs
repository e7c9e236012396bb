//! The connection to the server, and rounds of reports over it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{ErrorKind, RedisError, ServerErrorKind, Value};
use rustls::ClientConfig;
use tokio::task::JoinHandle;
use weir_lease::{Answer, Kind, Report, TERM};

use super::address::Address;
use super::connection::{Allowance, connect};
use super::error::{ServerError, TIMEOUT};

/// What the server does with a report.
pub(crate) const SCRIPT: &str = include_str!("exchange.lua");
/// The most reports that are sent before their answers are read.
const MAX_AT_ONCE: usize = 1_000;

/// The most bytes that the server may send for a part of a round. The answer to a report has seven numbers as texts.
const MAX_BYTES: usize = 1 << 20;

/// A report about a node's share of one pool.
#[derive(Debug, Clone)]
pub struct PoolRequest {
    /// The pool's name. What stands in the first `{}` decides where a cluster of servers keeps it.
    pub pool: String,
    /// How its amounts come back.
    pub kind: Kind,
    /// How much all nodes together may use.
    pub limit: u64,
    /// How long the server keeps it after the last report; without it, always.
    pub kept: Option<Duration>,
    /// The name of the node's entry.
    pub entry: String,
    /// The nodes that share.
    pub nodes: u32,
    /// What the node used, holds and lacks.
    pub report: Report,
}

/// What the server answers to the reports of one round.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RoundAnswers {
    /// One for each report, in their order; none for a report that was later than another, or whose answer cannot be
    /// read.
    pub answers: Vec<Option<Answer>>,
    /// The server's time since 1970.
    pub now: Option<Duration>,
    /// Why the first answer that is missing for that reason cannot be read.
    pub unread: Option<ServerError>,
}

/// A server, connected to when it is needed.
pub struct PoolServer {
    address: Address,
    tls: Option<Arc<ClientConfig>>,
    allowance: Allowance,
    open: Option<Open>,
}

/// An open connection that knows the script.
struct Open {
    connection: MultiplexedConnection,
    /// The digest under which the server keeps the script.
    script: String,
    driver: JoinHandle<()>,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl fmt::Debug for PoolServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoolServer").field("address", &self.address).finish_non_exhaustive()
    }
}

impl PoolServer {
    /// A server to which nothing is connected yet. TLS is needed for addresses that ask for it.
    pub fn new(address: Address, tls: Option<Arc<ClientConfig>>) -> Self {
        Self { address, tls, allowance: Allowance::new(MAX_BYTES), open: None }
    }

    /// Sends reports and reads their answers. After a failure the connection is given up; some of the reports may have
    /// arrived.
    pub async fn exchange(&mut self, requests: &[PoolRequest]) -> Result<RoundAnswers, ServerError> {
        let mut round = RoundAnswers { answers: Vec::with_capacity(requests.len()), ..RoundAnswers::default() };
        for part in requests.chunks(MAX_AT_ONCE) {
            let asked = tokio::time::timeout(TIMEOUT, self.ask(part)).await;
            if let Err(error) = asked.unwrap_or(Err(ServerError::Late)).map(|answers| round.take(answers)) {
                self.open = None;
                return Err(error);
            }
        }
        Ok(round)
    }

    async fn ask(&mut self, requests: &[PoolRequest]) -> Result<Vec<Result<Reply, ServerError>>, ServerError> {
        let _grant = self.allowance.begin();
        let mut open = match self.open.take() {
            Some(open) => open,
            None => self.connect().await?,
        };
        let mut asked = query(&mut open, requests).await;
        if asked.as_ref().is_err_and(|error| error.kind() == ErrorKind::Server(ServerErrorKind::NoScript)) {
            // The server was restarted, or its scripts were flushed: nothing of the round was done.
            open.script = load(&mut open.connection).await?;
            asked = query(&mut open, requests).await;
        }
        let rows = asked.map_err(ServerError::from)?;
        self.open = Some(open);
        if rows.len() == requests.len() {
            Ok(rows.iter().map(Reply::of).collect())
        } else {
            Err(ServerError::Senseless)
        }
    }

    async fn connect(&self) -> Result<Open, ServerError> {
        let (mut connection, driver) = connect(&self.address, self.tls.as_ref(), &self.allowance).await?;
        let script = load(&mut connection).await?;
        Ok(Open { connection, script, driver })
    }
}

impl RoundAnswers {
    /// Takes over the replies to a part. One that cannot be read is the loss of its own report only.
    fn take(&mut self, replies: Vec<Result<Reply, ServerError>>) {
        for reply in replies {
            let read = reply.unwrap_or_else(|error| {
                self.unread.get_or_insert(error);
                Reply(None)
            });
            self.now = read.0.map(|(_, now)| now).or(self.now);
            self.answers.push(read.0.map(|(answer, _)| answer));
        }
    }
}

async fn load(connection: &mut MultiplexedConnection) -> Result<String, ServerError> {
    Ok(redis::cmd("SCRIPT").arg("LOAD").arg(SCRIPT).query_async(connection).await?)
}

async fn query(open: &mut Open, requests: &[PoolRequest]) -> Result<Vec<Value>, RedisError> {
    let mut pipe = redis::pipe();
    for request in requests {
        pipe.cmd("EVALSHA").arg(&open.script).arg(2).arg(&keys(&request.pool)).arg(arguments(request));
    }
    let rows: Vec<Value> = pipe.ignore_errors().query_async(&mut open.connection).await?;
    match rows.iter().find_map(|row| if let Value::ServerError(error) = row { of_all(error) } else { None }) {
        Some(error) => Err(error),
        None => Ok(rows),
    }
}

/// An error that is not about one pool only. A failed script is: another program may have written to the pool's key.
fn of_all(error: &redis::ServerError) -> Option<RedisError> {
    let is_of_one = error.code() == "WRONGTYPE" || error.kind() == Some(ServerErrorKind::ResponseError);
    (!is_of_one).then(|| error.clone().into())
}

/// The script's keys: the hash of a pool, and the one of its entries that were added up.
pub(crate) fn keys(pool: &str) -> [String; 2] {
    [pool.to_owned(), format!("{pool}:added")]
}

/// The script's arguments, in its order.
pub(crate) fn arguments(request: &PoolRequest) -> Vec<String> {
    let Report { seq, used, ceiling, short, ahead, is_known, generation, gone, before, returned } = &request.report;
    let kind = match request.kind {
        Kind::Window => "w",
        Kind::Bucket => "b",
        Kind::Places => "p",
    };
    let (before, before_used) = before.as_ref().map_or(("", 0), |before| (&before.entry, before.used));
    let kept = request.kept.map_or(0, |kept| kept.as_millis());
    let words = [kind, &request.limit.to_string(), &request.entry].map(str::to_owned);
    let numbers = [*seq, *used, *ceiling, *short, *ahead, u64::from(*is_known), *generation, *gone];
    let mut all = Vec::from(words);
    all.extend(numbers.map(|number| number.to_string()));
    all.extend([before.to_owned(), before_used.to_string(), request.nodes.to_string()]);
    all.extend([TERM.as_millis(), kept, u128::from(*returned)].map(|number| number.to_string()));
    all
}

/// One answer with the server's time; none for a report that came too late.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reply(pub(crate) Option<(Answer, Duration)>);

impl Reply {
    fn of(row: &Value) -> Result<Self, ServerError> {
        if let Value::ServerError(error) = row {
            return Err(RedisError::from(error.clone()).into());
        }
        let row: Vec<String> = redis::from_redis_value_ref(row).map_err(|_| ServerError::Senseless)?;
        Self::read(&row).ok_or(ServerError::Senseless)
    }

    pub(crate) fn read(row: &[String]) -> Option<Self> {
        let [ceiling, others, gone, left, nodes, generation, now] = row else {
            return row.is_empty().then_some(Self(None));
        };
        let answer = Answer {
            ceiling: amount(ceiling)?,
            others: amount(others)?,
            gone: amount(gone)?,
            left: saturating(left)?,
            nodes: nodes.parse().ok()?,
            generation: generation.parse().ok()?,
        };
        Some(Self(Some((answer, Duration::from_millis(now.parse().ok()?)))))
    }
}

/// Reads an amount. The script adds in floating point, so that a sum may be larger than any number here.
fn amount(text: &str) -> Option<u64> {
    let number: i128 = text.parse().ok()?;
    u64::try_from(number).ok().or((number > 0).then_some(u64::MAX))
}

/// Reads a figure that may be negative, within the range of `i64`.
fn saturating(text: &str) -> Option<i64> {
    let number: i128 = text.parse().ok()?;
    i64::try_from(number.clamp(i64::MIN.into(), i64::MAX.into())).ok()
}
