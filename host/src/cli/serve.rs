//! `weir serve`: the program itself.

use std::path::Path;
use std::process::ExitCode;

use tokio::signal;
use tokio::sync::watch;

use crate::app::App;
use crate::config::Config;
use crate::observe::log;

/// Serves until a signal comes.
pub(super) fn run(file: Option<&Path>) -> ExitCode {
    let config = match super::load(file) {
        Ok(config) => config,
        Err(problems) => {
            super::complain_of(&problems);
            return ExitCode::from(2);
        }
    };
    log::begin(config.log);
    if !config.warnings.is_empty() {
        super::complain_of(&config.problems(config.warnings.clone()));
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            super::complain(&format!("error: no runtime: {error}"));
            return ExitCode::FAILURE;
        }
    };
    runtime.block_on(serve(config))
}

async fn serve(config: Config) -> ExitCode {
    let app = match App::build(config).await {
        Ok(app) => app,
        Err(error) => {
            super::complain(&format!("error: {error}"));
            return ExitCode::FAILURE;
        }
    };
    let addresses = app.addresses();
    tracing::info!(address = %addresses.main, admin = addresses.admin.map(|address| address.to_string()), "weir listens");
    let (stop, stopped) = watch::channel(false);
    tokio::spawn(async move {
        told_to_stop().await;
        tracing::info!("stopping: streams may end");
        stop.send_replace(true);
        told_to_stop().await;
        tracing::warn!("stopping now");
        std::process::exit(1);
    });
    app.run(stopped).await;
    tracing::info!("stopped");
    ExitCode::SUCCESS
}

/// Waits for an interrupt or a termination signal.
pub(super) async fn told_to_stop() {
    let mut terminate = match signal::unix::signal(signal::unix::SignalKind::terminate()) {
        Ok(terminate) => terminate,
        Err(error) => {
            tracing::warn!(%error, "termination signals are not heard");
            return std::future::pending().await;
        }
    };
    tokio::select! {
        _ = signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}
