//! Commands around the build; `cargo xtask` lists them.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool speaks through its output")]

mod allocs;
mod background_build;
mod badday;
mod check;
mod clients;
mod contract;
mod dashboard;
mod deploy;
mod dist;
mod embedded_fixtures;
mod failures;
mod fidelity;
mod fuzz;
mod identity_provider;
mod languages;
mod leases;
mod needed_adapters;
mod path_remapping;
mod plugins;
mod prices;
mod process;
mod profile;
mod python;
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

to use Weir
  run [-- ARGS]        builds the program (profile `quick`) and the adapters that config.example.toml needs, and serves it;
                       the other adapters are built while it serves. With ARGS: runs `weir ARGS`
  dist [--target TARGET]... [--profile PROFILE] [--pgo]
                       makes target/dist/weir-VERSION-TARGET and its .tar.gz: the optimised program, its adapters,
                       digests, a bill of materials, the licences of all crates. With --pgo the program is built twice, and
                       optimised by what the first one counted (needs `rustup component add llvm-tools`)
  install PREFIX       installs the same by `cargo install`: PREFIX/bin/weir, PREFIX/lib/weir/plugins
  plugins [NAME...]    builds adapters and guards as components: plugins/NAME.wasm and plugins.lock

to check a change
  test [--quick] [STEP...]
                       runs every check, or the steps that are named: format, rules, lints, tests, official clients, some
                       fuzzing; --quick leaves out the slow ones. CI runs the same (`ci`)
  tidy                 checks rules: order of crates, circles, lengths, names, comments, paths, licences, contract, docs
  clients [TEST...]    runs the official clients (Python, Node, gRPC) against a running Weir
  dashboard [TEST...]  opens the dashboard in Chromium, with axe-core (tests/ui)
  fidelity [ID...]     reads recordings of every provider with the official clients, and writes docs/fidelity.md
  fuzz [TARGET] [SECS] runs all fuzz targets, or one (60 s each)
  languages [LANG...]  makes, tests and serves an adapter and a guard from each language's template, as docs/authors.md
                       describes it (with --all also JavaScript on StarlingMonkey, which takes long)
  deploy [--built]     checks deploy/: alerts, systemd's units, the Helm chart, and the image, which is built and booted
  reproduce [NAME]     builds an adapter here and in another place, and compares the bytes

to write files that are generated
  contract [--freeze]  writes docs/contract.md and the messages of gRPC from wit/; --freeze writes the frozen copy of a
                       released contract, --bindings the bindings of the templates in C and Go
  prices FILE          writes host/ledger/prices/bundled.json from a price list, as sources.json beside it describes
  screenshots          writes docs/ui/*.png, pictures of the dashboard's pages

to measure
  allocs [--update]    counts allocations and guest instructions of a request, and compares them with docs/performance.md
  profile [LANE] [PROGRAM]
                       counts the instructions of a request by function, with perf (profile `profiling`)
  swaps [COUNT]        replaces adapters under load, 1,000 times by default: no request may fail, no memory may leak
  badday [SEED]        plays an hour of outages at three providers within a minute: 99.9 % of requests must be answered
  simulate-leases [SEED]
                       simulates many nodes with shared limits: how exact they are and what that costs (docs/scale.md)
  soak BENCH [MINUTES] runs a mixed load with faults and leaving clients: memory and descriptors must not grow (needs a
                       release build)
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
        background_build::VERB => background_build::run(&workspace, rest),
        reproduce::VERB => reproduce::build(&workspace, rest),
        _ => bail!("there is no verb {verb:?}\n\n{HELP}"),
    }
}
