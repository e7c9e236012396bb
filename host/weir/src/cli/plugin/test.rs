//! `weir plugin test`: proves an adapter, for its author.

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};

use weir_adapters::install::{self, Readers};
use weir_fixtures::proof;
use weir_fixtures::proof::{Bounds, Depth, Fixture, Report};

#[derive(Debug, Args)]
pub(in super::super) struct Test {
    /// The component (`.wasm`).
    file: PathBuf,
    /// A folder, an archive (`.tar`) or a file of fixtures; by default those next to the component.
    fixtures: Option<PathBuf>,
    /// Only fixtures of this name or id.
    #[arg(long, value_name = "ID")]
    only: Vec<String>,
    /// Writes the adapter's present results into the fixtures, as their new expectations.
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
        Err(reason) => {
            super::super::print_stderr(&format!("error: {reason}"));
            ExitCode::from(2)
        }
    }
}

fn test(asked: &Test) -> Result<bool, String> {
    let shown = asked.file.display();
    let bytes = std::fs::read(&asked.file).map_err(|error| format!("{shown}: {error}"))?;
    let fixtures = fixtures(asked, &bytes)?;
    let name = asked.file.file_stem().and_then(|name| name.to_str()).unwrap_or("adapter");
    let loader = super::loader()?;
    let adapter = loader.load(name, &bytes, &super::admission(name)).map_err(|error| format!("{shown}: {error}"))?;
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

fn fixtures(asked: &Test, bytes: &[u8]) -> Result<Vec<Fixture>, String> {
    let found = match &asked.fixtures {
        Some(place) => proof::at(place, Bounds::COMMAND),
        None => proof::beside(&asked.file, || Ok(bytes.to_vec()), Bounds::COMMAND),
    };
    let mut found = found.map_err(|error| error.to_string())?;
    if !asked.only.is_empty() {
        let is_named = |fixture: &Fixture| asked.only.iter().any(|one| *one == fixture.name || one == fixture.id());
        found.retain(is_named);
    }
    if found.is_empty() {
        return Err(match (&asked.fixtures, asked.only.first()) {
            (_, Some(only)) => format!("no fixture is called `{only}`"),
            (Some(place), None) => format!("no fixtures in {}", place.display()),
            (None, None) => format!("no fixtures beside {} and none in it; name a folder", asked.file.display()),
        });
    }
    Ok(found)
}

/// Writes expectations into the fixtures' files, and returns how many files changed.
fn update(report: &Report, fixtures: &[Fixture]) -> Result<usize, String> {
    let mut written = 0;
    for (verdict, fixture) in report.verdicts.iter().zip(fixtures) {
        let (Some(expect), Some(file)) = (&verdict.expect, &fixture.file) else { continue };
        let wrong = |reason: String| format!("{}: {reason}", file.display());
        let text = proof::with_expect(&fixture.text, expect).map_err(wrong)?;
        if text != fixture.text {
            install::put(file, text.as_bytes(), Readers::All).map_err(|error| wrong(error.to_string()))?;
            written += 1;
        }
    }
    Ok(written)
}

fn print_report(asked: &Test, report: &Report) -> Result<(), String> {
    let color = asked.out.is_none() && std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let text = match asked.format {
        Format::Human => report.human(color),
        Format::Json => serde_json::to_string_pretty(report).map_err(|error| error.to_string())?,
        Format::Junit => report.junit(),
    };
    match &asked.out {
        None => super::super::print(&text),
        Some(file) => {
            std::fs::write(file, text).map_err(|error| format!("{}: {error}", file.display()))?;
            super::super::print(&report.human(false));
        }
    }
    Ok(())
}
