//! Connections to the server. What it may send is bounded: the client behind reads an answer into memory whatever its
//! length.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, RedisError};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;

use super::address::Address;
use super::error::{ServerError, TIMEOUT};

/// Opens a connection, and starts the task that serves it. TLS is needed for addresses that ask for it. The connection
/// ends as soon as the server sends more than the allowance.
pub(crate) async fn connect(
    Address { host, port, has_tls, login }: &Address,
    tls: Option<&Arc<ClientConfig>>,
    allowance: &Allowance,
) -> Result<(MultiplexedConnection, JoinHandle<()>), ServerError> {
    let broken = |error: io::Error| ServerError::Connection(error.to_string());
    let stream = TcpStream::connect((host.as_str(), *port)).await.map_err(broken)?;
    stream.set_nodelay(true).map_err(broken)?;
    let stream = Bounded { stream, allowance: allowance.clone() };
    if !has_tls {
        return start(login, stream).await;
    }
    let tls = tls.cloned().ok_or_else(|| ServerError::Connection("TLS is not set up".to_owned()))?;
    let name = ServerName::try_from(host.clone())
        .map_err(|_| ServerError::Connection("the host's name is none for TLS".to_owned()))?;
    start(login, TlsConnector::from(tls).connect(name, stream).await.map_err(broken)?).await
}

async fn start<S>(
    login: &redis::RedisConnectionInfo,
    stream: S,
) -> Result<(MultiplexedConnection, JoinHandle<()>), ServerError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let config = AsyncConnectionConfig::new().set_response_timeout(Some(TIMEOUT));
    let (mut connection, driver) = MultiplexedConnection::new_with_config(login, stream, config).await?;
    let driver = tokio::spawn(driver);
    if has_parts(&mut connection).await {
        driver.abort();
        return Err(ServerError::Cluster);
    }
    Ok((connection, driver))
}

/// Whether this server is part of a cluster that spreads data over several servers: it would refuse commands about the
/// others' data. A server that does not report this is taken for a single one.
async fn has_parts(connection: &mut MultiplexedConnection) -> bool {
    let told: Result<String, RedisError> = redis::cmd("CLUSTER").arg("INFO").query_async(connection).await;
    let told = told.unwrap_or_default();
    let size = told.lines().find_map(|line| line.strip_prefix("cluster_size:"));
    size.and_then(|size| size.trim().parse().ok()).is_some_and(|size: u64| size > 1)
}

/// How many bytes the server may send: a fixed number for each request under way.
#[derive(Debug, Clone)]
pub(crate) struct Allowance {
    each: usize,
    state: Arc<Mutex<Allowed>>,
}

#[derive(Debug, Default)]
struct Allowed {
    bytes: usize,
    requests: usize,
}

/// A request under way.
#[derive(Debug)]
pub(crate) struct Grant(Allowance);

impl Allowance {
    /// So many bytes for each request.
    pub(crate) fn new(each: usize) -> Self {
        Self { each, state: Arc::default() }
    }

    /// A request begins.
    pub(crate) fn begin(&self) -> Grant {
        let mut state = self.state();
        state.requests += 1;
        state.bytes += self.each;
        drop(state);
        Grant(self.clone())
    }

    /// Whether so many bytes were to be expected.
    fn take(&self, bytes: usize) -> bool {
        let mut state = self.state();
        let left = state.bytes.checked_sub(bytes);
        state.bytes = left.unwrap_or_default();
        left.is_some()
    }

    fn state(&self) -> MutexGuard<'_, Allowed> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Grant {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.requests -= 1;
        state.bytes = state.bytes.min(state.requests * self.0.each);
    }
}

/// A stream that ends where the server sends more than it may.
#[derive(Debug)]
struct Bounded {
    stream: TcpStream,
    allowance: Allowance,
}

impl AsyncRead for Bounded {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        let read = buffer.filled().len() - before;
        if self.allowance.take(read) {
            return Poll::Ready(Ok(()));
        }
        Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, "the server sends more than was asked for")))
    }
}

impl AsyncWrite for Bounded {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_may_send_what_the_requests_under_way_ask_for_and_no_more() {
        let allowance = Allowance::new(10);
        assert!(!allowance.take(1), "nothing was asked for");
        let (one, two) = (allowance.begin(), allowance.begin());
        assert!(allowance.take(15));
        drop(one);
        assert!(allowance.take(5) && !allowance.take(1));
        let three = allowance.begin();
        drop((two, three));
        assert!(!allowance.take(1), "what was not used is not saved up");
    }
}
