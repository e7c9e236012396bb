//! Everything around the build, in one place: `cargo xtask` prints what it can do.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool speaks through its output")]

mod plugins;
mod process;
mod run;
mod wasm;
mod workspace;

use std::process::ExitCode;

use anyhow::{Result, bail};
use workspace::Workspace;

const HELP: &str = "\
usage: cargo xtask VERB

  run [-- ARGS]        build everything and serve with config.example.toml (or with ARGS for `weir`)
  plugins [NAME...]    build the adapters of plugins/ as components: plugins/NAME.wasm and plugins.lock
";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match dispatch(&words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(words: &[String]) -> Result<()> {
    let Some((verb, rest)) = words.split_first() else {
        print!("{HELP}");
        return Ok(());
    };
    if matches!(verb.as_str(), "help" | "--help" | "-h") {
        print!("{HELP}");
        return Ok(());
    }
    let workspace = Workspace::find()?;
    match verb.as_str() {
        "plugins" => plugins::build(&workspace, rest),
        "run" => run::run(&workspace, rest),
        _ => bail!("there is no verb {verb:?}\n\n{HELP}"),
    }
}
