//! What a proof found, for people, for machines, and for test runners.

use std::fmt::{self, Display, Formatter, Write as _};
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use crate::plugin::Adapter;

use super::check::Flaw;
use super::difference::Difference;

/// What a proof of one adapter found.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The adapter.
    pub adapter: String,
    /// What it says of its version.
    pub version: String,
    /// Which bytes it was.
    pub digest: String,
    /// Fixtures that passed.
    pub passed: usize,
    /// Fixtures that failed.
    pub failed: usize,
    /// Fixtures that say nothing about this adapter.
    pub skipped: usize,
    /// How long it all took.
    pub millis: f64,
    /// One for each fixture, in their order.
    pub verdicts: Vec<Verdict>,
}

/// What became of one fixture.
#[derive(Debug, Clone, Serialize)]
pub struct Verdict {
    /// The file's name without its ending.
    pub fixture: String,
    /// The exchange's own name.
    pub id: String,
    /// The file.
    #[serde(skip)]
    pub file: Option<PathBuf>,
    /// Whether it passed.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// How long it took.
    pub millis: f64,
    /// What could be expected from now on; none where something but an expectation is wrong.
    #[serde(skip)]
    pub expect: Option<Value>,
}

/// Whether a fixture passed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", content = "because", rename_all = "lowercase")]
pub enum Outcome {
    /// It did.
    Passed,
    /// It says nothing about this adapter, for this reason.
    Skipped(String),
    /// It did not.
    Failed(Failed),
}

/// Why a fixture failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failed {
    /// The step: `request`, `upstream`, `answer`, `error`, `events`, `follow_up`, `client`, `losses`, `fixture`, or the
    /// function of the contract that failed.
    pub step: String,
    /// What is wrong.
    pub reason: String,
    /// The first difference, where two values were compared.
    pub difference: Option<Difference>,
}

impl From<Flaw> for Failed {
    fn from(flaw: Flaw) -> Self {
        Self { step: flaw.step, reason: flaw.reason, difference: flaw.difference }
    }
}

impl Display for Failed {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.step, self.reason)?;
        let Some(Difference { at, expected, got }) = &self.difference else { return Ok(()) };
        let place = if at.is_empty() { String::new() } else { format!(" at {at}") };
        write!(f, "; first difference{place}: expected {expected}, got {got}")
    }
}

impl Verdict {
    /// Why it failed, if it did.
    pub fn failed(&self) -> Option<&Failed> {
        match &self.outcome {
            Outcome::Failed(failed) => Some(failed),
            _ => None,
        }
    }
}

impl Report {
    pub(super) fn new(adapter: &Adapter, verdicts: Vec<Verdict>, took: Duration) -> Self {
        let count = |is: fn(&Outcome) -> bool| verdicts.iter().filter(|verdict| is(&verdict.outcome)).count();
        Self {
            adapter: adapter.name.to_string(),
            version: adapter.manifest.version.clone(),
            digest: adapter.digest.to_string(),
            passed: count(|outcome| matches!(outcome, Outcome::Passed)),
            failed: count(|outcome| matches!(outcome, Outcome::Failed(_))),
            skipped: count(|outcome| matches!(outcome, Outcome::Skipped(_))),
            millis: super::millis(took),
            verdicts,
        }
    }

    /// The first failure, with the fixture's name, in one line.
    pub fn first_failure(&self) -> Option<String> {
        self.verdicts.iter().find_map(|verdict| Some(format!("{}: {}", verdict.fixture, verdict.failed()?)))
    }

    /// For people; `color` where a terminal shows it.
    pub fn human(&self, color: bool) -> String {
        let paint = |code: &str, text: &str| if color { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() };
        let mut page = String::new();
        for verdict in &self.verdicts {
            let name = &verdict.fixture;
            let _ = match &verdict.outcome {
                Outcome::Passed => writeln!(page, "{} {name}", paint("32", "pass")),
                Outcome::Skipped(why) => writeln!(page, "{} {name}: {why}", paint("33", "skip")),
                Outcome::Failed(failed) => {
                    let _ = writeln!(page, "{} {name}", paint("1;31", "FAIL"));
                    let _ = writeln!(page, "     {}: {}", failed.step, failed.reason);
                    failed.difference.iter().try_for_each(|Difference { at, expected, got }| {
                        writeln!(page, "     first difference at {}", if at.is_empty() { "/" } else { at })?;
                        writeln!(page, "       {} {}", paint("32", "expected"), paint("32", expected))?;
                        writeln!(page, "       {}      {}", paint("31", "got"), paint("31", got))
                    })
                }
            };
        }
        let Self { adapter, version, passed, failed, skipped, millis, .. } = self;
        let code = if *failed > 0 { "1;31" } else { "32" };
        let sum = paint(code, &format!("{passed} passed, {failed} failed, {skipped} skipped"));
        let _ = writeln!(page, "{adapter} {version}: {sum} in {millis:.0} ms");
        page
    }

    /// For test runners: the XML that `JUnit` made usual.
    pub fn junit(&self) -> String {
        let Self { adapter, failed, skipped, .. } = self;
        let seconds = |millis: f64| format!("{:.6}", millis / 1000.0);
        let mut page = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
        let _ = writeln!(
            page,
            "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{failed}\" skipped=\"{skipped}\" time=\"{}\">",
            escaped(adapter),
            self.verdicts.len(),
            seconds(self.millis),
        );
        for verdict in &self.verdicts {
            let (name, time) = (escaped(&verdict.fixture), seconds(verdict.millis));
            let _ = write!(page, "    <testcase classname=\"{}\" name=\"{name}\" time=\"{time}\"", escaped(adapter));
            let _ = match &verdict.outcome {
                Outcome::Passed => writeln!(page, "/>"),
                Outcome::Skipped(why) => writeln!(page, "><skipped message=\"{}\"/></testcase>", escaped(why)),
                Outcome::Failed(failed) => {
                    let message = escaped(&failed.to_string());
                    let step = escaped(&failed.step);
                    writeln!(page, "><failure type=\"{step}\" message=\"{message}\"/></testcase>")
                }
            };
        }
        page.push_str("  </testsuite>\n</testsuites>\n");
        page
    }
}

/// Text for an attribute; characters that XML has no place for are left out.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push_str("&#10;"),
            other if other.is_control() || matches!(other, '\u{fffe}' | '\u{ffff}') => {}
            other => out.push(other),
        }
    }
    out
}
