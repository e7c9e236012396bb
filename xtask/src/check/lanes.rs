//! Runs steps in two lanes: one after another here, and beside them, with less priority, those that build in folders of
//! their own. Tests wait for much, and what a second build does meanwhile costs no time. The lane here takes of the
//! other's steps when its own have ended.
//!
//! A step beside is a process of its own, `cargo xtask test STEP`, whose output is printed as a whole when it has
//! ended.

use std::fs::{self, File};
use std::panic::{self, AssertUnwindSafe};
use std::process::{Command, Stdio};
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result, anyhow, bail};

use super::{Outcome, Row, Step};
use crate::process;
use crate::workspace::Workspace;

/// Where the output of steps beside goes, below cargo's target folder.
const OUTPUT: &str = "steps";

/// The results of these steps, in their order.
pub(super) fn run(workspace: &Workspace, steps: &[&Step]) -> Result<Vec<Row>> {
    let done = Done::default();
    let is_alone = steps.len() == 1;
    let (beside, here): (Vec<&Step>, Vec<&Step>) = steps.iter().partition(|step| step.beside && !is_alone);
    let waiting = Mutex::new(beside.into_iter());
    let run_those_beside = || {
        while let Some(step) = next(&waiting) {
            done.run(step, steps, || in_child(workspace, step));
        }
    };
    thread::scope(|scope| {
        scope.spawn(run_those_beside);
        for step in here {
            done.run(step, steps, || {
                println!("\n==== {}", step.name);
                (step.act)(workspace)
            });
        }
        run_those_beside();
    });
    let mut rows = done.rows.into_inner().unwrap_or_else(PoisonError::into_inner);
    let place = |row: &Row| steps.iter().position(|step| step.name == row.name);
    rows.sort_by_key(place);
    if rows.len() != steps.len() {
        bail!("a step has no result");
    }
    Ok(rows)
}

/// Takes the next step, whichever lane asks.
fn next<'a>(waiting: &Mutex<impl Iterator<Item = &'a Step>>) -> Option<&'a Step> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner).next()
}

/// The steps that have ended.
#[derive(Default)]
struct Done {
    rows: Mutex<Vec<Row>>,
    one_more: Condvar,
}

impl Done {
    /// Runs a step as soon as those of `all` that it needs have ended, unless one of them failed.
    fn run(&self, step: &Step, all: &[&Step], act: impl FnOnce() -> Result<Outcome>) {
        let missing =
            step.needs.iter().find(|need| all.iter().any(|step| step.name == **need) && !self.has_passed(need));
        let begun = Instant::now();
        let result = match missing {
            Some(need) => Ok(Outcome::Skipped(format!("the step {need:?} failed"))),
            // The other lane would wait for it for ever.
            None => panic::catch_unwind(AssertUnwindSafe(act)).unwrap_or_else(|_| Err(anyhow!("the step panicked"))),
        };
        if let Err(error) = &result {
            println!("{error:#}");
        }
        let row = Row { name: step.name, time: begun.elapsed(), result };
        self.rows.lock().unwrap_or_else(PoisonError::into_inner).push(row);
        self.one_more.notify_all();
    }

    /// Waits for the end of a step; returns whether it did not fail.
    fn has_passed(&self, name: &str) -> bool {
        let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(row) = rows.iter().find(|row| row.name == name) {
                return row.result.is_ok();
            }
            rows = self.one_more.wait(rows).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Runs a step in a process of its own, and prints what it printed.
fn in_child(workspace: &Workspace, step: &Step) -> Result<Outcome> {
    let folder = workspace.target.join(OUTPUT);
    fs::create_dir_all(&folder).with_context(|| format!("could not make {}", folder.display()))?;
    let file = folder.join(format!("{}.txt", step.name));
    let output = File::create(&file).with_context(|| format!("could not write {}", file.display()))?;
    let mut command: Command = process::gently(&std::env::current_exe().context("where is xtask?")?);
    command.current_dir(&workspace.root).args(["test", step.name]).stdin(Stdio::null());
    command.stdout(output.try_clone()?).stderr(output);
    let status = command.status().context("could not start xtask")?;
    let bytes = fs::read(&file).with_context(|| format!("could not read {}", file.display()))?;
    let text = String::from_utf8_lossy(&bytes);
    println!("\n{text}");
    outcome(step.name, status.success(), &text)
}

/// What a child's last lines say of its step.
fn outcome(name: &str, has_passed: bool, text: &str) -> Result<Outcome> {
    let end = text.rfind("\n==== summary\n").unwrap_or(text.len());
    let (before, summary) = text.split_at(end);
    if !has_passed {
        let why = before.rsplit_once(&format!("==== why {name:?} failed\n")).map_or("it ended early", |(_, why)| why);
        bail!("{why}");
    }
    let row = summary.lines().find(|line| line.starts_with(name));
    let skipped = row.and_then(|row| row.split_once("skipped: "));
    Ok(skipped.map_or(Outcome::Passed, |(_, reason)| Outcome::Skipped(reason.to_owned())))
}

#[cfg(test)]
mod tests {
    use super::super::summary;
    use super::*;

    fn step(name: &'static str, needs: &'static [&'static str]) -> Step {
        Step::new(name, |_| Ok(Outcome::Passed)).needs(needs)
    }

    #[test]
    fn a_step_waits_for_what_it_needs_and_is_skipped_where_that_failed() {
        let (build, tests, clients) = (step("build", &[]), step("tests", &["build"]), step("clients", &["tests"]));
        let all = [&build, &tests, &clients];
        let done = Done::default();
        thread::scope(|scope| {
            scope.spawn(|| done.run(&tests, &all, || bail!("no")));
            done.run(&build, &all, || Ok(Outcome::Passed));
        });
        done.run(&clients, &all, || panic!("what it needs failed"));
        let rows = done.rows.into_inner().unwrap();
        let names: Vec<&str> = rows.iter().map(|row| row.name).collect();
        assert_eq!(names, ["build", "tests", "clients"]);
        assert_eq!(rows[2].result.as_ref().unwrap(), &Outcome::Skipped("the step \"tests\" failed".to_owned()));
    }

    #[test]
    fn a_step_that_panics_has_failed_and_is_not_waited_for() {
        let build = step("build", &[]);
        let done = Done::default();
        done.run(&build, &[&build], || panic!("a step's own mistake"));
        assert!(!done.has_passed("build"));
    }

    #[test]
    fn what_is_not_run_is_not_waited_for() {
        let tests = step("tests", &["build"]);
        let done = Done::default();
        done.run(&tests, &[&tests], || Ok(Outcome::Passed));
        assert!(done.has_passed("tests"));
    }

    #[test]
    fn a_childs_last_lines_tell_its_outcome() {
        let told = |result: Result<Outcome>| {
            let has_passed = result.is_ok();
            let row = Row { name: "fuzz", time: std::time::Duration::ZERO, result };
            outcome("fuzz", has_passed, &format!("output\n{}", summary(&[row])))
        };
        assert_eq!(told(Ok(Outcome::Passed)).unwrap(), Outcome::Passed);
        let skipped = Outcome::Skipped("no compiler: none at all".to_owned());
        assert_eq!(told(Ok(Outcome::Skipped("no compiler: none at all".to_owned()))).unwrap(), skipped);
        assert_eq!(
            told(Err(anyhow::anyhow!("a crash\nin two lines"))).unwrap_err().to_string(),
            "a crash\nin two lines\n"
        );
        assert_eq!(outcome("fuzz", false, "killed").unwrap_err().to_string(), "it ended early");
    }
}
