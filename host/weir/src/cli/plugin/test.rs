//! `weir plugin test`: proves an adapter, for its author.

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};

use super::Unloadable;
use crate::cli::failure::{Failure, FileError, UnwritableJson};
use weir_adapters::atomic_file::{self, Readers};
use weir_fixtures::proof::{self, Bounds, Depth, Fixture, GatherError, Report, SpliceError};
use weir_sandbox::engine::EngineError;

#[derive(Debug, Args)]
pub(in super::super) struct Test {
    /// The component (`.wasm`).
    file: PathBuf,
    /// A folder, an archive (`.tar`) or a file of fixtures; by default those next to the component.
    fixtures: Option<PathBuf>,
    /// Only fixtures of this name or id.
    #[arg(long, value_name = "ID")]
    only: Vec<String>,
    /// Writes what the adapter returns now into the fixtures, as what they expect from then on.
    #[arg(long)]
    update: bool,
    /// Format of the report.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
    /// The file for the report.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Human,
    Json,
    Junit,
}

/// Exit codes: 0 if all fixtures passed, 1 if one failed, 2 if the command, the component or a fixture is invalid.
pub(super) fn run(asked: &Test) -> ExitCode {
    match test(asked) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        // Whatever keeps the proof from being made is of the command, the component or its fixtures.
        Err(error) => Failure::Usage(Box::new(error)).report(),
    }
}

/// Why an adapter is not proved.
#[derive(Debug, thiserror::Error)]
enum TestError {
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// There is no sandbox.
    #[error(transparent)]
    Loader(#[from] EngineError),
    /// Weir does not load the component.
    #[error(transparent)]
    Component(#[from] Unloadable),
    /// The fixtures cannot be read.
    #[error(transparent)]
    Fixtures(#[from] GatherError),
    /// None of them has this name.
    #[error("no fixture is called `{0}`")]
    NoSuchFixture(String),
    /// The place that was named has no fixtures.
    #[error("no fixtures in {}", .0.display())]
    NoFixtures(PathBuf),
    /// No place was named, and the component has no fixtures.
    #[error("no fixtures beside {} and none in it; name a folder", .0.display())]
    NoneBeside(PathBuf),
    /// A fixture cannot be given its new expectation.
    #[error("{}: {source}", path.display())]
    Update { path: PathBuf, source: SpliceError },
    /// The report cannot be written.
    #[error(transparent)]
    Report(#[from] UnwritableJson),
}

fn test(asked: &Test) -> Result<bool, TestError> {
    let bytes = std::fs::read(&asked.file).map_err(FileError::at(&asked.file))?;
    let fixtures = fixtures(asked, &bytes)?;
    let name = asked.file.file_stem().and_then(|name| name.to_str()).unwrap_or("adapter");
    let loader = super::loader()?;
    let adapter = loader.load(name, &bytes, &super::admission(name)).map_err(Unloadable::at(&asked.file))?;
    let depth = Depth { collects: asked.update, ..Depth::COMMAND };
    let mut report = proof::prove_to(&adapter, &fixtures, depth);
    if asked.update {
        let written = update(&report, &fixtures)?;
        // The rewritten fixtures are proved, not trusted.
        let fixtures = self::fixtures(asked, &bytes)?;
        report = proof::prove_to(&adapter, &fixtures, Depth::COMMAND);
        super::super::print_stderr(&format!("{written} fixtures written"));
    }
    print_report(asked, &report)?;
    Ok(report.failed == 0)
}

fn fixtures(asked: &Test, bytes: &[u8]) -> Result<Vec<Fixture>, TestError> {
    let found = match &asked.fixtures {
        Some(place) => proof::at(place, Bounds::COMMAND),
        None => proof::beside(&asked.file, || Ok(bytes.to_vec()), Bounds::COMMAND),
    };
    let mut found = found?;
    if !asked.only.is_empty() {
        let is_named = |fixture: &Fixture| asked.only.iter().any(|one| *one == fixture.name || one == fixture.id());
        found.retain(is_named);
    }
    if found.is_empty() {
        return Err(match (&asked.fixtures, asked.only.first()) {
            (_, Some(only)) => TestError::NoSuchFixture(only.clone()),
            (Some(place), None) => TestError::NoFixtures(place.clone()),
            (None, None) => TestError::NoneBeside(asked.file.clone()),
        });
    }
    Ok(found)
}

/// Writes expectations into the fixtures' files, and returns how many files changed.
fn update(report: &Report, fixtures: &[Fixture]) -> Result<usize, TestError> {
    let mut written = 0;
    for (verdict, fixture) in report.verdicts.iter().zip(fixtures) {
        let (Some(expect), Some(file)) = (&verdict.expect, &fixture.file) else { continue };
        let text = proof::with_expect(&fixture.text, expect)
            .map_err(|source| TestError::Update { path: file.clone(), source })?;
        if text != fixture.text {
            atomic_file::put(file, text.as_bytes(), Readers::All).map_err(FileError::at(file))?;
            written += 1;
        }
    }
    Ok(written)
}

fn print_report(asked: &Test, report: &Report) -> Result<(), TestError> {
    let color = asked.out.is_none() && std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let text = match asked.format {
        Format::Human => report.human(color),
        Format::Json => super::super::pretty(report)?,
        Format::Junit => report.junit(),
    };
    match &asked.out {
        None => super::super::print(&text),
        Some(file) => {
            std::fs::write(file, text).map_err(FileError::at(file))?;
            super::super::print(&report.human(false));
        }
    }
    Ok(())
}
