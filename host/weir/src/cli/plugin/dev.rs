//! `weir plugin dev`: rebuilds a project whenever it changes.

use std::io::IsTerminal as _;
use std::path::PathBuf;

use clap::Args;

use crate::cli::failure::{CommandError, Failure};
use crate::cli::print_stderr;
use weir_author::dev::{self, Target};
use weir_author::project::Project;
use weir_author::sources::Sources;
use weir_config::Secret;

#[derive(Debug, Args)]
pub(crate) struct Dev {
    /// The project's folder.
    #[arg(default_value = ".")]
    dir: PathBuf,
    /// The plugins folder of a running Weir, where adapters that pass their fixtures are installed.
    #[arg(long, value_name = "DIR")]
    plugins: Option<PathBuf>,
    /// The address of a running Weir's operations endpoints (`http://127.0.0.1:8080`), which report whether it serves
    /// the adapter.
    #[arg(long, value_name = "URL", requires = "plugins")]
    admin: Option<String>,
    /// The token of the operations endpoints, if they need one; the environment keeps it out of the list of processes.
    #[arg(long, value_name = "TOKEN", env = "WEIR_ADMIN_TOKEN", hide_env_values = true)]
    admin_token: Option<String>,
    /// Runs one round, whose result is the exit code.
    #[arg(long)]
    once: bool,
}

/// The token fits into no header.
#[derive(Debug, thiserror::Error)]
#[error("`--admin-token` (or WEIR_ADMIN_TOKEN) has characters that an HTTP header cannot carry")]
struct BadToken;

impl CommandError for BadToken {}

pub(super) fn run(asked: &Dev) -> Result<String, Failure> {
    let project = Project::read(&asked.dir)?;
    let loader = super::loader()?;
    let target = Target { plugins: asked.plugins.clone(), admin: asked.admin.clone(), token: token(asked)? };
    let round = || {
        let built = dev::round(&asked.dir, &target, &loader, &mut |line| print_stderr(line));
        built.map(|built| super::build::shown(&built))
    };
    if asked.once {
        return Ok(round()?);
    }
    let sources = Sources::of(&project);
    loop {
        clear();
        let before = sources.snapshot();
        print_stderr(&round().unwrap_or_else(|error| format!("error: {error}")));
        print_stderr("waiting for changes (end with Ctrl-C)");
        sources.wait(&before);
    }
}

/// The token; an error if it does not fit into a header.
fn token(asked: &Dev) -> Result<Option<Secret>, BadToken> {
    let Some(token) = &asked.admin_token else { return Ok(None) };
    let token = token.trim();
    if token.is_empty() {
        return Ok(None);
    }
    if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(BadToken);
    }
    Ok(Some(Secret::new(token)))
}

/// Clears the terminal, so that it shows one round.
fn clear() {
    if std::io::stderr().is_terminal() {
        print_stderr("\u{1b}[2J\u{1b}[H");
    }
}
