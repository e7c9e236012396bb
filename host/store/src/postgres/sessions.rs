//! Connections on threads of their own. The client's calls wait for the network without an end; here, they are waited
//! for up to a time, and a connection that does not come back is left to itself.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use postgres::config::SslMode;

use super::PostgresOptions;
use super::connection::Connection;
use crate::error::StoreError;

/// Most letters of a schema's name: with what the one beside it has after it, PostgreSQL cuts none off.
const MAX_SCHEMA: usize = 50;

/// How long a connection is idle before its server is asked whether it is there.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// Work for a connection.
type Job = Box<dyn FnOnce(&mut Connection) + Send>;

/// The connections of a store.
#[derive(Debug)]
pub(super) struct Sessions {
    shared: Arc<Shared>,
    pool: Arc<Pool>,
    most: usize,
    timeout: Duration,
}

/// What connections need to begin.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) config: postgres::Config,
    pub(super) tls: Option<Arc<rustls::ClientConfig>>,
    pub(super) schema: String,
    pub(super) timeout: Duration,
    /// Whether the tables are known to be there.
    pub(super) has_tables: AtomicBool,
    /// The days that are known to have partitions.
    pub(super) days: Mutex<std::collections::BTreeSet<crate::id::Day>>,
}

#[derive(Debug, Default)]
struct Pool {
    state: Mutex<State>,
    freed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    idle: Vec<Session>,
    /// Threads that run, also if they do not come back.
    live: usize,
}

#[derive(Debug)]
struct Session {
    jobs: mpsc::Sender<Job>,
}

impl Sessions {
    pub(super) fn new(url: &str, options: PostgresOptions) -> Result<Self, StoreError> {
        let mut config: postgres::Config =
            url.parse().map_err(|error: postgres::Error| StoreError::Settings(error.to_string()))?;
        let PostgresOptions { schema, connections, timeout, tls, .. } = options;
        if config.get_ssl_mode() == SslMode::Require && tls.is_none() {
            return Err(StoreError::Settings("the address requires TLS, and none is set up".to_owned()));
        }
        let is_plain =
            |character: char| character.is_ascii_lowercase() || character.is_ascii_digit() || character == '_';
        if schema.is_empty() || schema.len() > MAX_SCHEMA || !schema.chars().all(is_plain) {
            return Err(StoreError::Settings(format!(
                "{schema:?} is not a schema of lower-case letters, digits and _"
            )));
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(timeout.min(Duration::from_secs(5)));
        }
        config.tcp_user_timeout(timeout);
        // A server or a firewall that has forgotten an idle connection shows before the next call needs it.
        config.keepalives_idle(config.get_keepalives_idle().min(KEEPALIVE));
        config.keepalives_interval(config.get_keepalives_interval().unwrap_or(KEEPALIVE));
        if config.get_application_name().is_none() {
            config.application_name("weir");
        }
        let (has_tables, days) = (AtomicBool::new(false), Mutex::default());
        let shared = Arc::new(Shared { config, tls, schema, timeout, has_tables, days });
        Ok(Self { shared, pool: Arc::default(), most: connections.max(1), timeout })
    }

    /// Further connections to the same tables, so many at most, which take no place of these.
    pub(super) fn beside(&self, most: usize) -> Self {
        Self { shared: Arc::clone(&self.shared), pool: Arc::default(), most: most.max(1), timeout: self.timeout }
    }

    /// Runs something on a connection. After an error that may be the connection's, the connection is closed.
    pub(super) fn run<T: Send + 'static>(
        &self,
        run: impl FnOnce(&mut Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let deadline = Instant::now() + self.timeout;
        let session = self.session(deadline)?;
        let (answer, answered) = mpsc::sync_channel(1);
        let job = Box::new(move |connection: &mut Connection| {
            connection.wanted_until = deadline;
            // The caller may have given up.
            let _ = answer.send(run(connection));
        });
        if session.jobs.send(job).is_err() {
            return Err(StoreError::Unavailable("the connection's thread has ended".to_owned()));
        }
        match answered.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(result) => {
                if !result.as_ref().is_err_and(StoreError::is_transient) {
                    self.pool.put_back(session);
                }
                result
            }
            Err(RecvTimeoutError::Timeout) => {
                let text = format!("the database did not answer within {} ms", self.timeout.as_millis());
                Err(StoreError::Unavailable(text))
            }
            Err(RecvTimeoutError::Disconnected) => {
                Err(StoreError::Unavailable("the connection's thread has ended".to_owned()))
            }
        }
    }

    /// An idle connection or a new one; if there are too many, the next that becomes idle.
    fn session(&self, deadline: Instant) -> Result<Session, StoreError> {
        let mut state = self.pool.state();
        loop {
            if let Some(session) = state.idle.pop() {
                return Ok(session);
            }
            if state.live < self.most {
                state.live += 1;
                drop(state);
                return self.start();
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let text = format!("all {} connections are in use or do not answer", self.most);
                return Err(StoreError::Unavailable(text));
            }
            state = self.pool.freed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn start(&self) -> Result<Session, StoreError> {
        let (jobs, received) = mpsc::channel::<Job>();
        let live = Live(Arc::clone(&self.pool));
        let shared = Arc::clone(&self.shared);
        // Where the thread cannot start, the closure is dropped, and with it the count of it.
        thread::Builder::new().name("weir-postgres".to_owned()).spawn(move || {
            let _live = live;
            let mut connection = Connection::new(shared);
            for job in received {
                job(&mut connection);
            }
        })?;
        Ok(Session { jobs })
    }
}

impl Shared {
    pub(super) fn days(&self) -> MutexGuard<'_, std::collections::BTreeSet<crate::id::Day>> {
        self.days.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets what is known of the tables: some may have been removed.
    pub(super) fn doubt_tables(&self) {
        self.has_tables.store(false, Ordering::Relaxed);
        self.days().clear();
    }
}

impl Pool {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put_back(&self, session: Session) {
        self.state().idle.push(session);
        self.freed.notify_one();
    }
}

/// Counts a thread for as long as it runs.
struct Live(Arc<Pool>);

impl Drop for Live {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.live = state.live.saturating_sub(1);
        self.0.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::Sql as _;

    #[test]
    fn a_read_that_its_caller_has_given_up_ends_before_its_next_statement() {
        const WITHIN: Duration = Duration::from_secs(20);
        let Some(database) = weir_test_postgres::Database::start() else { return };
        let options = PostgresOptions { timeout: Duration::from_millis(500), ..PostgresOptions::default() };
        let sessions = Sessions::new(&database.socket_url(), options).unwrap();
        let begun = Instant::now();
        while sessions.run(|connection| connection.transact(true, |_| Ok(()))).is_err() {
            assert!(begun.elapsed() < WITHIN, "the database is not there");
        }
        let (told, ended) = mpsc::channel();
        let given_up = sessions.run(move |connection| {
            let ended = connection
                .transact(true, |pg| (0..1_000).try_for_each(|_| pg.execute("select pg_sleep(0.05)", &[]).map(drop)));
            told.send(ended).unwrap();
            Ok(())
        });
        assert!(given_up.is_err_and(|error| error.is_transient()));
        assert!(ended.recv_timeout(WITHIN).unwrap().is_err_and(|error| error.is_transient()));
    }

    #[test]
    fn a_restart_of_the_database_costs_idle_sessions_no_failure() {
        const SESSIONS: usize = 4;
        let Some(database) = weir_test_postgres::Database::start() else { return };
        let sessions = Sessions::new(&database.socket_url(), PostgresOptions::default()).unwrap();
        // All at the same time, so that each has a session of its own.
        let use_all = || {
            let together = Arc::new(std::sync::Barrier::new(SESSIONS));
            thread::scope(|scope| {
                let one = || {
                    let together = Arc::clone(&together);
                    sessions.run(move |connection| {
                        together.wait();
                        connection.transact(false, |pg| pg.execute("select 1", &[]))
                    })
                };
                let running: Vec<_> = (0..SESSIONS).map(|_| scope.spawn(one)).collect();
                running
                    .into_iter()
                    .map(|one| one.join().unwrap().map_err(|error| error.to_string()))
                    .collect::<Vec<_>>()
            })
        };
        assert_eq!(use_all(), [Ok(1), Ok(1), Ok(1), Ok(1)]);
        for _ in 0..2 {
            database.stop();
            database.go();
            assert_eq!(use_all(), [Ok(1), Ok(1), Ok(1), Ok(1)]);
        }
        database.stop();
        assert!(use_all().iter().all(Result::is_err), "one that is gone is not waited for");
    }
}
