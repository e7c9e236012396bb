//! `weir record`: runs a recording proxy between a client and a provider.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::failure::{CommandError, Failure, NoRuntime};
use crate::record::{RecordError, Recorder, RecorderSettings};
use crate::signals::StopSignals;
use weir_config::{Log, LogFormat, LogLevel};
use weir_fixtures::fixture::Rules;
use weir_gateway::observe::log;

#[derive(Debug, Args)]
pub(super) struct Record {
    /// The provider: `https://host`, with a path if it precedes that of every request.
    #[arg(long, value_name = "URL")]
    to: String,
    /// The folder for the recordings; it is created if it is missing.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// The address to listen on.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// The provider's name, for the recordings.
    #[arg(long, value_name = "NAME")]
    provider: Option<String>,
    /// Rules in addition to the built-in ones (TOML). May be repeated.
    #[arg(long, value_name = "FILE")]
    rules: Vec<PathBuf>,
    /// Maximum size of an exchange, both bodies together; a larger one passes and is not recorded.
    #[arg(long, value_name = "SIZE", default_value = "2MiB", value_parser = size)]
    limit: u64,
    /// Maximum number of connections, and of concurrent exchanges.
    #[arg(long, value_name = "NUMBER", default_value_t = 64)]
    connections: usize,
}

/// A text is no size.
#[derive(Debug, thiserror::Error)]
#[error("a size looks like 65536, 64KiB or 4MiB")]
pub(super) struct NoSize;

pub(super) fn size(text: &str) -> Result<u64, NoSize> {
    weir_config::size(text).ok_or(NoSize)
}

/// Why nothing is recorded.
#[derive(Debug, thiserror::Error)]
enum NotRecording {
    /// There is no provider at the address, or no folder for the recordings.
    #[error(transparent)]
    Recorder(#[from] RecordError),
    /// Nothing can listen there.
    #[error("{0}: {1}")]
    Listen(SocketAddr, #[source] io::Error),
}

impl CommandError for NotRecording {
    fn is_of_usage(&self) -> bool {
        matches!(self, Self::Recorder(_))
    }
}

pub(super) fn run(asked: Record) -> ExitCode {
    log::begin(Log { level: LogLevel::Info, format: LogFormat::Human, ..Log::default() });
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let done = runtime.map_err(|error| NoRuntime(error).into()).and_then(|runtime| runtime.block_on(record(asked)));
    match done {
        Ok(count) => {
            super::print(&format!("{count} exchange(s) recorded"));
            ExitCode::SUCCESS
        }
        Err(failure) => failure.report(),
    }
}

async fn record(asked: Record) -> Result<usize, Failure> {
    let rules = Rules::read(&asked.rules)?;
    let out = asked.out.display().to_string();
    let settings = RecorderSettings {
        to: asked.to,
        out: asked.out,
        provider: asked.provider,
        limit: asked.limit,
        connections: asked.connections,
    };
    let to = settings.to.clone();
    let recorder = Recorder::new(settings, rules).map_err(NotRecording::from)?;
    let unheard = |error| NotRecording::Listen(asked.listen, error);
    let listener = TcpListener::bind(asked.listen).await.map_err(unheard)?;
    let address = listener.local_addr().map_err(unheard)?;
    if !address.ip().is_loopback() {
        tracing::warn!("{address} is open to the network: all of its clients are recorded");
    }
    let mut stop_signals = StopSignals::listen();
    super::print(&format!("http://{address} passes on to {to} and records into {out}; stop with Ctrl-C"));
    let (stop, stopped) = watch::channel(false);
    tokio::spawn(async move {
        stop_signals.next().await;
        stop.send_replace(true);
    });
    Ok(recorder.run(listener, stopped).await)
}
