//! Commands around the build; `cargo xtask` lists them.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool speaks through its output")]

mod allocs;
mod badday;
mod beside;
mod check;
mod clients;
mod contract;
mod dashboard;
mod deploy;
mod dist;
mod embed;
mod failures;
mod fidelity;
mod fuzz;
mod identity_provider;
mod languages;
mod leases;
mod needs;
mod plugins;
mod prices;
mod process;
mod profile;
mod python;
mod remap;
mod reproduce;
mod run;
mod served;
mod soak;
mod strip;
mod swaps;
mod tidy;
mod wasm;
mod workspace;

use std::process::ExitCode;

use anyhow::{Result, bail};
use workspace::Workspace;

const HELP: &str = "\
usage: cargo xtask VERB

  run [-- ARGS]        serve with config.example.toml (or with ARGS for `weir`) as soon as what that needs is built, in a
                       quick profile; the other adapters come while it serves
  dist [--target TARGET]... [--profile PROFILE] [--pgo]
                       what is installed: the optimised program with its adapters, target/dist/weir-VERSION-TARGET(.tar.gz),
                       with digests, a bill of materials and the licences of all crates; with --pgo built twice, the second time by
                       what the first counted while it served (needs `rustup component add llvm-tools`)
  install PREFIX       the same with `cargo install`: PREFIX/bin/weir, PREFIX/lib/weir/plugins
  reproduce [NAME]     builds an adapter in two places, and compares the digests
  deploy [--built]     checks deploy/: alerts, systemd's units, the Helm chart, the image, which is made and booted
  test [--quick] [STEP...]
                       everything that must hold: format, rules, lints, tests, official clients, a little fuzzing; or single steps
  plugins [NAME...]    build the adapters of plugins/ as components: plugins/NAME.wasm and plugins.lock
  tidy                 the rules that can be counted: the order of crates, circles, lengths, names, paths, licences, the contract
  contract [--freeze]  docs/contract.md and gRPC's messages from wit/; with --freeze the frozen copy of a contract that is released,
                       with --bindings what wit-bindgen makes of it for the templates in C and Go
  clients [TEST...]    the official clients (Python, Node, gRPC) against a running Weir
  fidelity [ID...]     recordings of every provider in every dialect, read by the official clients: docs/fidelity.md
  dashboard [TEST...]  the dashboard at /ui in a real Chromium, with axe-core (tests/ui)
  screenshots          docs/ui/*.png: pictures of the dashboard's pages
  prices FILE          host/ledger/prices/bundled.json from a price list, as sources.json beside it says
  fuzz [TARGET] [SECS] the fuzz targets, or one of them (60 s each)
  allocs [--update]    how often a request allocates, and what adapters execute, compared with docs/performance.md
  profile [LANE] [PROGRAM]
                       the instructions of a request and where they run, with perf, in a build of the profile `profiling`
  swaps [COUNT]        adapters replaced a thousand times under load: no request fails, memory stays
  badday [SEED]        an hour of outages at three providers in a minute: 99.9 % of all requests are answered
  simulate-leases [SEED]
                       many nodes with shared limits: how exact they are, and what that costs, as docs/scale.md shows
  soak BENCH [MINUTES] mixed load with faults and departing clients: memory and descriptors stay (needs a release build)
  languages [LANG...]  an adapter from each language's template, as docs/authors.md says: built, tested, served
                       (with --all, JavaScript on StarlingMonkey too, which takes long)
  ci                   what CI runs: test
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
        "test" | "ci" => check::run(&workspace, rest),
        "contract" => contract::run(&workspace, rest),
        "tidy" => tidy::check(&workspace),
        "clients" => clients::run(&workspace, rest),
        "fidelity" => fidelity::run(&workspace, rest),
        "dashboard" => dashboard::run(&workspace, rest),
        "screenshots" => dashboard::screenshots(&workspace),
        "languages" => languages::run(&workspace, rest),
        "prices" => prices::run(&workspace, rest),
        "fuzz" => fuzz::run(&workspace, rest),
        "badday" => badday::run(&workspace, rest),
        "soak" => soak::run(&workspace, rest),
        "allocs" => allocs::run(&workspace, rest),
        "profile" => profile::run(&workspace, rest),
        "simulate-leases" => leases::run(&workspace, rest),
        "swaps" => swaps::run(&workspace, rest),
        "run" => run::run(&workspace, rest),
        "dist" => dist::run(&workspace, rest),
        "install" => dist::install(&workspace, rest),
        "reproduce" => reproduce::run(&workspace, rest),
        "deploy" => deploy::run(&workspace, rest),
        // Internal: started by `run` and by `reproduce`.
        beside::VERB => beside::run(&workspace, rest),
        reproduce::VERB => reproduce::build(&workspace, rest),
        _ => bail!("there is no verb {verb:?}\n\n{HELP}"),
    }
}
