//! Runs the tests and keeps what they say of failures, which a run of an hour would otherwise bury.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// Lines that are kept of one failed test: its panic is among the first and, with what a server said before, the last.
const HEAD: usize = 40;
const TAIL: usize = 40;
/// Failed tests that are told in full.
const TESTS: usize = 20;

/// Runs `cargo test`, prints its output as it comes, and fails with what each failed test had printed.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let mut child = command.stdout(Stdio::piped()).spawn().context("could not start cargo")?;
    let output = child.stdout.take().context("cargo has no output")?;
    let mut failures = Failures::default();
    for line in BufReader::new(output).split(b'\n') {
        let line = line.context("could not read the output of cargo")?;
        let line = String::from_utf8_lossy(&line);
        println!("{line}");
        failures.read(&line);
    }
    let status = child.wait().context("could not wait for cargo")?;
    if !status.success() {
        bail!("cargo test failed ({status})\n{}", failures.tell());
    }
    Ok(())
}

/// What failed tests printed, read from the output of `cargo test`.
#[derive(Default)]
struct Failures {
    tests: Vec<Failure>,
    /// Whether the lines that come belong to the last test.
    inside: bool,
}

struct Failure {
    name: String,
    lines: Vec<String>,
}

impl Failures {
    /// Reads one line. A failed test's output stands under `---- NAME stdout ----`, and the last such block ends with
    /// the list of names, under `failures:`.
    fn read(&mut self, line: &str) {
        let title = line.strip_prefix("---- ").and_then(|rest| rest.strip_suffix(" stdout ----"));
        if let Some(name) = title {
            self.tests.push(Failure { name: name.to_owned(), lines: Vec::new() });
            self.inside = true;
        } else if line == "failures:" {
            self.inside = false;
        } else if self.inside
            && let Some(failure) = self.tests.last_mut()
        {
            failure.lines.push(line.to_owned());
        }
    }

    /// The names of all failed tests, after the output of the first of them.
    fn tell(&self) -> String {
        let told = self.tests.iter().take(TESTS).map(Failure::tell);
        let names = self.tests.iter().map(|failure| format!("failed: {}\n", failure.name));
        told.chain(names).collect()
    }
}

impl Failure {
    fn tell(&self) -> String {
        let mut text = format!("---- {}\n", self.name);
        let cut = self.lines.len().saturating_sub(HEAD + TAIL);
        for (at, line) in self.lines.iter().enumerate() {
            if cut > 0 && at == HEAD {
                let _ = writeln!(text, "({cut} lines are left out)");
            }
            if at < HEAD || at >= HEAD + cut {
                text.push_str(line);
                text.push('\n');
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(output: &str) -> Failures {
        let mut failures = Failures::default();
        output.lines().for_each(|line| failures.read(line));
        failures
    }

    #[test]
    fn a_failed_test_is_told_with_its_output() {
        let output = "running 2 tests\ntest one ... ok\ntest two ... FAILED\n\nfailures:\n\n---- two stdout ----\n\
            thread 'two' panicked at tests/it.rs:1:1:\nno\n\nfailures:\n    two\n\ntest result: FAILED.\n";
        let text = read(output).tell();
        assert!(text.starts_with("---- two\nthread 'two' panicked at tests/it.rs:1:1:\nno\n"), "{text}");
        assert!(text.ends_with("failed: two\n"), "{text}");
        assert!(!text.contains("test result"), "{text}");
    }

    #[test]
    fn a_long_output_keeps_its_begin_and_its_end() {
        let lines: Vec<String> = (0..200).map(|at| format!("line {at}")).collect();
        let text = read(&format!("---- long stdout ----\n{}\n\nfailures:\n", lines.join("\n"))).tell();
        assert!(text.contains("\nline 0\n") && text.contains("\nline 199\n"), "{text}");
        assert!(text.contains("line 39\n(121 lines are left out)\n") && !text.contains("line 40\n"), "{text}");
    }
}
