//! `cargo xtask test`: everything that must hold before a change lands, in one run, with a summary at its end.

mod disk;
mod lanes;
mod lints;

use std::env;
use std::fmt::Write as _;
use std::num::NonZero;
use std::process::Command;
use std::thread::available_parallelism;
use std::time::Duration;

use anyhow::{Result, bail};

use crate::failures;
use crate::process::{self, cargo, linting_cargo};
use crate::workspace::Workspace;
use crate::{
    clients, dashboard, deploy, fidelity, fuzz, identity_provider, languages, plugins, reproduce, swaps, tidy,
};

/// Seconds that each fuzz target gets here; a longer run is `cargo xtask fuzz TARGET SECONDS`.
const FUZZ_SECONDS: u64 = 5;
/// How many tests run at the same time for each processor: most of them wait, for programs that start and for clocks.
const TESTS_A_PROCESSOR: usize = 2;
/// The variable that says how many tests run at the same time.
const TEST_THREADS: &str = "RUST_TEST_THREADS";
/// Longest time to fetch the list of advisories.
const FETCH: Duration = Duration::from_mins(1);

/// The result of a step that did not fail.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The check passed.
    Passed,
    /// The check could not run on this machine; with the reason.
    Skipped(String),
}

#[derive(Debug)]
struct Step {
    name: &'static str,
    /// `--quick` leaves this step out.
    long: bool,
    /// Steps that must pass before this one is worth running.
    needs: &'static [&'static str],
    /// Runs beside the others, in a process of its own. Such a step shares no build folder with what may run at that
    /// time.
    beside: bool,
    act: fn(&Workspace) -> Result<Outcome>,
}

impl Step {
    const fn new(name: &'static str, act: fn(&Workspace) -> Result<Outcome>) -> Self {
        Self { name, long: false, needs: &[], beside: false, act }
    }

    const fn long(self) -> Self {
        Self { long: true, ..self }
    }

    const fn needs(self, needs: &'static [&'static str]) -> Self {
        Self { needs, ..self }
    }

    const fn beside(self) -> Self {
        Self { beside: true, ..self }
    }
}

/// Cargo's words for the build that all steps use.
const EVERYTHING: [&str; 3] = ["build", "--workspace", "--all-targets"];
/// What a step needs that drives the program.
const SERVED: &[&str] = &["build", "plugins"];

/// The steps, in the order in which each lane takes them. One build of everything serves the lints, the tests and the
/// clients: another selection of packages would enable other features of the dependencies, and build them again.
const STEPS: &[Step] = &[
    Step::new("format", format),
    Step::new("tidy", |workspace| passed(tidy::check(workspace))),
    Step::new("plugins", |workspace| passed(plugins::build(workspace, &[]))).beside(),
    Step::new("fuzz", |workspace| fuzz::run_all(workspace, FUZZ_SECONDS)).long().beside(),
    Step::new("reproduce", reproduce::test).long().needs(&["plugins"]).beside(),
    Step::new("build", |workspace| passed(build_everything(workspace))),
    Step::new("clippy", |workspace| passed(lints::check(workspace))).needs(&["build"]),
    Step::new("tests", tests).needs(SERVED),
    Step::new("deploy", deploy::test).long().needs(SERVED).beside(),
    Step::new("languages", languages::test).long().needs(SERVED).beside(),
    Step::new("clients", clients::test).long().needs(SERVED).beside(),
    Step::new("swaps", |workspace| passed(swaps::run(workspace, &[]))).long().needs(&["tests"]),
    Step::new("dashboard", dashboard::test).long().needs(SERVED),
    Step::new("fidelity", fidelity::test).long().needs(SERVED).beside(),
    Step::new("deny", deny).long(),
    Step::new("advisories", advisories),
];

/// One line of the summary: a step and its result.
struct Row {
    name: &'static str,
    time: Duration,
    result: Result<Outcome>,
}

/// Runs all steps, or with `--quick` the short ones, or those that are named.
pub(crate) fn run(workspace: &Workspace, words: &[String]) -> Result<()> {
    let steps = chosen(words)?;
    if steps.len() == STEPS.len()
        && let Some(note) = disk::before(&workspace.root)
    {
        println!("{note}");
    }
    let rows = lanes::run(workspace, &steps)?;
    print!("{}", summary(&rows));
    let failed = rows.iter().filter(|row| row.result.is_err()).count();
    if failed > 0 {
        bail!("{failed} step(s) failed{}", disk::after(&workspace.root).unwrap_or_default());
    }
    Ok(())
}

fn chosen(words: &[String]) -> Result<Vec<&'static Step>> {
    let (options, names): (Vec<&String>, Vec<&String>) = words.iter().partition(|word| word.starts_with('-'));
    let is_known = |word: &&String| STEPS.iter().any(|step| step.name == word.as_str());
    if options.iter().any(|option| *option != "--quick") || !names.iter().all(is_known) {
        let steps: Vec<&str> = STEPS.iter().map(|step| step.name).collect();
        bail!("usage: cargo xtask test [--quick] [STEP...]\nsteps: {}", steps.join(", "));
    }
    let is_wanted = |step: &&Step| {
        if names.is_empty() { options.is_empty() || !step.long } else { names.iter().any(|name| *name == step.name) }
    };
    Ok(STEPS.iter().filter(is_wanted).collect())
}

fn passed(result: Result<()>) -> Result<Outcome> {
    result.map(|()| Outcome::Passed)
}

fn format(workspace: &Workspace) -> Result<Outcome> {
    passed(process::run(cargo().current_dir(&workspace.root).args(["fmt", "--all", "--check"])))
}

/// Builds the program, the tests and what they drive.
pub(crate) fn build_everything(workspace: &Workspace) -> Result<()> {
    process::run(linting_cargo().current_dir(&workspace.root).args(EVERYTHING))
}

fn tests(workspace: &Workspace) -> Result<Outcome> {
    // Without them, the tests of adapters in registries, and of nodes that share limits, say that they are skipped.
    let _registry = deploy::tool::find("docker-registry", "docker-registry");
    let _redis = deploy::tool::find("redis-server", "redis-server");
    let mut command = linting_cargo();
    command.current_dir(&workspace.root).args(["test", "--workspace", "--no-fail-fast"]);
    if env::var_os(TEST_THREADS).is_none() {
        let processors = available_parallelism().map_or(1, NonZero::get);
        command.env(TEST_THREADS, (TESTS_A_PROCESSOR * processors).to_string());
    }
    match identity_provider::install(workspace) {
        Ok(folder) => {
            command.env(identity_provider::FOLDER, folder);
        }
        Err(error) => println!("SKIPPED: no login at a certified identity provider: {error:#}"),
    }
    passed(failures::run(&mut command))
}

fn deny(workspace: &Workspace) -> Result<Outcome> {
    if process::find("cargo-deny").is_none() {
        return Ok(Outcome::Skipped("cargo-deny is not installed; tidy has checked the licences".to_owned()));
    }
    let words = ["check", "licenses", "bans", "sources"];
    passed(process::run(Command::new("cargo-deny").current_dir(&workspace.root).args(words)))
}

/// Checks the linked crates for known vulnerabilities, with cargo-deny or else cargo-audit. The list of advisories is
/// fetched each time, since an old one lacks the newest.
fn advisories(workspace: &Workspace) -> Result<Outcome> {
    let deny = |words: &[&str]| {
        let mut command = Command::new("cargo-deny");
        command.current_dir(&workspace.root).args(words);
        command
    };
    if process::find("cargo-deny").is_some() {
        if !process::succeeds_within(&mut deny(&["fetch", "db"]), FETCH) {
            return Ok(Outcome::Skipped("ADVISORIES NOT CHECKED: their database cannot be reached".to_owned()));
        }
        return passed(process::run(&mut deny(&["check", "--disable-fetch", "advisories"])));
    }
    if process::find("cargo-audit").is_some() {
        return passed(process::run(Command::new("cargo-audit").current_dir(&workspace.root).arg("audit")));
    }
    let reason = "ADVISORIES NOT CHECKED: neither cargo-deny nor cargo-audit is installed (`cargo install cargo-deny`)";
    println!("{reason}");
    Ok(Outcome::Skipped(reason.to_owned()))
}

/// What failed, one line for each step, and one with the counts: who sees only the end of a long run sees why it
/// failed.
fn summary(rows: &[Row]) -> String {
    let mut text = String::new();
    for row in rows {
        if let Err(error) = &row.result {
            let _ = writeln!(text, "\n==== why {:?} failed\n{error:#}", row.name);
        }
    }
    text.push_str("\n==== summary\n");
    let mut counts = [0_usize; 3];
    for row in rows {
        let (count, word) = match &row.result {
            Ok(Outcome::Passed) => (0, "passed".to_owned()),
            Err(_) => (1, "FAILED".to_owned()),
            Ok(Outcome::Skipped(reason)) => (2, format!("skipped: {reason}")),
        };
        counts[count] += 1;
        let _ = writeln!(text, "{:<8} {:>7.1} s  {word}", row.name, row.time.as_secs_f64());
    }
    let [passed, failed, skipped] = counts;
    text + &format!("steps: {passed} passed, {failed} failed, {skipped} skipped\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &'static str, result: Result<Outcome>) -> Row {
        Row { name, time: Duration::from_millis(1500), result }
    }

    #[test]
    fn the_summary_counts_what_happened() {
        let rows = [
            row("tidy", Ok(Outcome::Passed)),
            row("build", Err(anyhow::anyhow!("no"))),
            row("fuzz", Ok(Outcome::Skipped("no compiler".into()))),
        ];
        let text = summary(&rows);
        assert!(text.contains("build        1.5 s  FAILED\n"), "{text}");
        assert!(text.starts_with("\n==== why \"build\" failed\nno\n"), "{text}");
        assert!(text.contains("skipped: no compiler\n"), "{text}");
        assert!(text.ends_with("\nsteps: 1 passed, 1 failed, 1 skipped\n"), "{text}");
    }

    #[test]
    fn steps_are_chosen_by_length_or_by_name() {
        let names = |words: &[&str]| -> Vec<&str> {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            chosen(&words).unwrap().into_iter().map(|step| step.name).collect()
        };
        assert_eq!(names(&[]).len(), STEPS.len());
        assert!(!names(&["--quick"]).contains(&"fuzz"));
        assert_eq!(names(&["fuzz", "tidy"]), ["tidy", "fuzz"]);
        assert!(chosen(&["fuz".to_owned()]).unwrap_err().to_string().contains("plugins, fuzz, reproduce"));
        assert!(chosen(&["--fast".to_owned()]).is_err());
    }

    #[test]
    fn steps_need_only_what_comes_before_them() {
        for (at, step) in STEPS.iter().enumerate() {
            for need in step.needs {
                assert!(STEPS[..at].iter().any(|earlier| earlier.name == *need), "{} needs {need}", step.name);
            }
        }
    }
}
