//! `weir serve`: runs the gateway.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::app::App;
use crate::reload::{Reload, signal};
use crate::shrink;
use crate::signals::{Signals, StopSignals};
use crate::systemd;
use crate::systemd::Sockets;
use crate::version;
use weir_config::Config;
use weir_gateway::observe::log;

/// How long the end waits for threads that do blocking work.
const END: Duration = Duration::from_secs(10);

/// Serves until a signal arrives.
pub(super) fn run(file: Option<&Path>) -> ExitCode {
    let config = match super::load(file) {
        Ok(config) => config,
        Err(problems) => {
            super::print_problems(&problems);
            return ExitCode::from(2);
        }
    };
    log::begin(config.log);
    raise_open_files(config.server.max_connections);
    if !config.warnings.is_empty() {
        super::print_problems(&config.problems(config.warnings.clone()));
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            super::print_stderr(&format!("error: no runtime: {error}"));
            return ExitCode::FAILURE;
        }
    };
    let code = runtime.block_on(serve(config));
    // A thread that waits for a file system which hangs must not keep the process.
    runtime.shutdown_timeout(END);
    code
}

/// Raises the limit of open files to the maximum that the system allows, because each connection of a client or to a
/// provider takes one.
#[cfg(unix)]
fn raise_open_files(connections: usize) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        tracing::debug!(%error, "the limit of open files cannot be raised");
    }
    let wanted = 2 * connections as u64 + 64;
    if let Some(limit) = getrlimit(Resource::Nofile).current.filter(|limit| *limit < wanted) {
        tracing::warn!(
            limit,
            wanted,
            "`server.max_connections` may need more open files than the system allows: raise `ulimit -n`"
        );
    }
}

#[cfg(not(unix))]
fn raise_open_files(_: usize) {}

/// Why a start serves no model, and what helps.
fn nothing_served(file: Option<&Path>) -> String {
    match file {
        Some(file) => format!(
            "no model is served: {} has neither `[[models]]` nor `default_provider`; docs/configuration.md shows both",
            file.display()
        ),
        None => {
            "no model is served: no configuration file was found and no provider's key variable is set; `weir init` \
                 writes a first one"
                .to_owned()
        }
    }
}

async fn serve(config: Config) -> ExitCode {
    let file = config.path.clone();
    // Pass-through needs no model.
    let passes = config.providers.iter().any(|provider| !provider.passthrough.is_empty());
    // One that comes during the start is acted upon after it.
    let hang_up = Signals::hang_up();
    let sockets = match Sockets::take() {
        Ok(sockets) => sockets,
        Err(error) => {
            super::print_stderr(&format!("error: {error}"));
            return ExitCode::FAILURE;
        }
    };
    let app = match App::build_on(sockets, config).await {
        Ok(app) => app,
        Err(error) => return super::start_failed(error),
    };
    let addresses = app.addresses();
    let mut stop_signals = StopSignals::listen();
    let (models, providers) = app.counts();
    if models == 0 && !passes {
        tracing::warn!("{}", nothing_served(file.as_deref()));
    }
    tracing::info!(
        address = %addresses.main,
        admin = addresses.admin.map(|address| address.to_string()),
        version = version::NUMBER,
        config = file.as_deref().map_or("none".into(), Path::to_string_lossy).as_ref(),
        models,
        providers,
        "weir listens"
    );
    systemd::notify_ready(&addresses.main.to_string());
    let (stop, stopped) = watch::channel(false);
    tokio::spawn(reload_on_hang_up(hang_up, app.reload()));
    tokio::spawn(shrink::after_start(app.catalog()));
    tokio::spawn(async move {
        stop_signals.next().await;
        tracing::info!("stopping: streams may end");
        systemd::notify_stopping();
        stop.send_replace(true);
        stop_signals.next().await;
        tracing::warn!("stopping now");
        log::flush();
        std::process::exit(1);
    });
    app.run(stopped).await;
    tracing::info!("stopped");
    ExitCode::SUCCESS
}

/// Reloads the configuration at each hang-up signal.
async fn reload_on_hang_up(mut hang_up: Signals, reload: Arc<Reload>) {
    loop {
        hang_up.next().await;
        let reload = Arc::clone(&reload);
        // The result is in the log and in the metrics.
        let _told = tokio::task::spawn_blocking(move || reload.reload(&signal("SIGHUP")).is_ok()).await;
    }
}
