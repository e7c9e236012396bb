//! `perf`, controlled through pipes, so that nothing but the work is counted.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::process;

/// What is counted: instructions in user mode.
const EVENT: &str = "instructions:u";
/// A sample is taken after so many instructions: a prime, so that it does not follow the requests' rhythm.
const PERIOD: &str = "100003";

/// How long a count of nothing may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Counts what a process executes.
pub(super) struct Perf<'a> {
    /// The number of the process that is counted.
    pub(super) process: u32,
    /// The folder for pipes and samples.
    pub(super) place: &'a Path,
}

/// The place of a sample.
pub(super) struct Sample {
    /// The function, if it is known.
    pub(super) symbol: String,
    /// The file that holds its code.
    pub(super) file: String,
}

impl Perf<'_> {
    /// Whether `perf` may count here. Otherwise it would never take an order.
    pub(super) fn can_count() -> bool {
        let mut command = Command::new("perf");
        process::succeeds_within(command.args(["stat", "-e", EVENT, "true"]), TIMEOUT)
    }

    /// The instructions that the process executes during the work.
    pub(super) fn count(&self, work: impl FnOnce() -> bool) -> Result<u64> {
        let output = self.place.join("count");
        let mut command = Command::new("perf");
        command.args(["stat", "-x", ",", "-e", EVENT, "-o"]).arg(&output);
        self.during(command, work)?;
        let text = fs::read_to_string(&output)?;
        let line = text.lines().find(|line| line.contains(EVENT)).context("perf counted nothing")?;
        let number = line.split(',').next().unwrap_or_default();
        number.parse().with_context(|| format!("perf cannot count {EVENT} here: {line}"))
    }

    /// Where the process is during the work, at regular distances.
    pub(super) fn sample(&self, work: impl FnOnce() -> bool) -> Result<Vec<Sample>> {
        let output = self.place.join("samples");
        let mut command = Command::new("perf");
        command.args(["record", "-q", "-e", EVENT, "-c", PERIOD, "-o"]).arg(&output);
        self.during(command, work)?;
        let mut command = Command::new("perf");
        command.args(["script", "-F", "ip,sym,dso", "-i"]).arg(&output);
        let text = process::read(command.stderr(Stdio::null()))?;
        Ok(text.lines().filter_map(sample).collect())
    }

    /// Runs `perf` for the time of the work.
    fn during(&self, mut command: Command, work: impl FnOnce() -> bool) -> Result<()> {
        let [orders, receipts] = [self.pipe("orders")?, self.pipe("receipts")?];
        let control = format!("fifo:{},{}", orders.display(), receipts.display());
        command.args(["-D", "-1", "--control", &control, "-p", &self.process.to_string()]);
        let mut perf = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().context("could not start perf")?;
        let is_done = count_while(&orders, &receipts, work);
        end(&mut perf)?;
        ensure!(is_done?, "a request was not answered");
        Ok(())
    }

    fn pipe(&self, name: &str) -> Result<PathBuf> {
        let path = self.place.join(name);
        // Fails only if it is not there.
        let _ = fs::remove_file(&path);
        process::run(Command::new("mkfifo").arg(&path))?;
        Ok(path)
    }
}

/// Counts for the time of the work only.
fn count_while(orders: &Path, receipts: &Path, work: impl FnOnce() -> bool) -> Result<bool> {
    let mut orders = File::options().write(true).open(orders)?;
    let mut receipts = File::open(receipts)?;
    let mut order = |word: &[u8]| {
        orders.write_all(word)?;
        receipts.read(&mut [0; 16])
    };
    order(b"enable\n")?;
    let is_done = work();
    order(b"disable\n")?;
    Ok(is_done)
}

/// Interrupts `perf`, as a person would, so that it writes what it has.
fn end(perf: &mut Child) -> Result<()> {
    process::run(Command::new("kill").args(["-INT", &perf.id().to_string()]))?;
    perf.wait()?;
    Ok(())
}

/// Reads `  55d0c0de weir_wire::peek::read (/target/weir)`.
fn sample(line: &str) -> Option<Sample> {
    let (_, rest) = line.trim().split_once(' ')?;
    let (symbol, file) = rest.rsplit_once(" (")?;
    Some(Sample { symbol: symbol.trim().to_owned(), file: file.trim_end_matches(')').to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_has_a_function_and_a_file() {
        let read = sample("    55d0c0de <a::B as c::D>::e (inlined) (/target/weir)").unwrap();
        assert_eq!((read.symbol.as_str(), read.file.as_str()), ("<a::B as c::D>::e (inlined)", "/target/weir"));
        assert!(sample("").is_none());
    }
}
