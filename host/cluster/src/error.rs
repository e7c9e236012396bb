//! What may go wrong with the server.

use std::time::Duration;

use redis::{ErrorKind, RedisError, ServerErrorKind};

/// How long a connection, or the answer to a round, may take.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(1);

/// The longest text of a server that is shown.
const MAX_SHOWN: usize = 300;

/// Why a round failed. Shows no address and no login.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ServerError {
    /// There is no connection, or it broke.
    #[error("the connection failed: {0}")]
    Connection(String),
    /// No answer came in time.
    #[error("no answer within {} s", TIMEOUT.as_secs())]
    Late,
    /// The login is wrong, or its user may not run scripts, which no further try changes.
    #[error("the server does not allow it: {0}")]
    NotAllowed(String),
    /// The server refuses to work: it loads its data, or is a replica.
    #[error("the server refuses: {0}")]
    Refused(String),
    /// Other servers have a part of the data, and this one refuses what is theirs.
    #[error(
        "it is one server of a cluster, which Weir does not follow: name one that has all data, or a proxy before the cluster"
    )]
    Cluster,
    /// The script of these rounds does not answer so.
    #[error("the server's answer makes no sense")]
    Senseless,
}

/// What a server says, on one line and shortened.
fn shown(error: &RedisError) -> String {
    error.to_string().chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_SHOWN).collect()
}

impl From<RedisError> for ServerError {
    fn from(error: RedisError) -> Self {
        let code = error.code().unwrap_or_default();
        match error.kind() {
            ErrorKind::AuthenticationFailed | ErrorKind::Server(ServerErrorKind::NoPerm) => {
                Self::NotAllowed(shown(&error))
            }
            ErrorKind::Extension if matches!(code, "NOAUTH" | "WRONGPASS") => Self::NotAllowed(shown(&error)),
            ErrorKind::Server(ServerErrorKind::Moved | ServerErrorKind::Ask | ServerErrorKind::CrossSlot) => {
                Self::Cluster
            }
            ErrorKind::Server(_) | ErrorKind::Extension => Self::Refused(shown(&error)),
            _ if error.is_timeout() => Self::Late,
            _ => Self::Connection(shown(&error)),
        }
    }
}
