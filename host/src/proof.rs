//! The proof of an adapter: recorded exchanges replayed through the component, under the limits that it serves with.
//!
//! Weir asks for it before an adapter serves, `weir plugin test` asks for it, and so does the operator. What is asked of
//! an exchange stands in `docs/fixtures.md`; no wire format is known here.
//!
//! | file | does |
//! |---|---|
//! | `fixture`, `gather` | reads fixtures from beside an adapter, from an archive, from the component |
//! | `exchange` | a fixture as this adapter takes it |
//! | `replay` | one exchange through one instance, step by step |
//! | `cuts` | ways to cut a stream |
//! | `check`, `leaves`, `story`, `essence`, `expected` | what is asked of what came |
//! | `neutral`, `fold`, `difference` | the unified model as JSON, and where two of them part |
//! | `report` | what is told |

mod check;
mod cuts;
mod difference;
mod essence;
mod exchange;
mod expected;
mod fixture;
mod fold;
mod gather;
mod leaves;
mod neutral;
mod replay;
mod report;
mod splice;
mod story;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::dialect::faces::Faces;
use crate::plugin::{Adapter, FaultKind, Isolation, Lease, PluginFault};

use check::Flaw;
use exchange::{Exchange, Given, Unfit};
use replay::{Came, Read, decode, replay};

pub use difference::Difference;
pub use fixture::Fixture;
pub use gather::{Bounds, GatherError, at, beside};
pub use report::{Outcome, Report, Verdict};
pub use splice::with_expect;

/// How long a proof waits for an instance on a busy machine.
const PATIENCE: Duration = Duration::from_secs(5);

/// How thorough a proof is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Depth {
    /// Ways in which each stream is cut, at the most.
    pub cuts: usize,
    /// Whether verdicts hold what could be expected from now on.
    pub collects: bool,
}

impl Depth {
    /// Before an adapter serves: quick.
    pub const GATE: Self = Self { cuts: 12, collects: false };
    /// For a person who waits for it.
    pub const COMMAND: Self = Self { cuts: 256, collects: false };
}

/// Replays fixtures through an adapter.
pub fn prove(adapter: &Arc<Adapter>, fixtures: &[Fixture]) -> Report {
    prove_to(adapter, fixtures, Depth::GATE)
}

/// Replays fixtures through an adapter, as thoroughly as is asked.
pub fn prove_to(adapter: &Arc<Adapter>, fixtures: &[Fixture], depth: Depth) -> Report {
    let begun = Instant::now();
    let faces = Faces::new([(&*adapter.name, &adapter.manifest)]).unwrap_or_default();
    let mut trials: Vec<Trial<'_>> = fixtures.iter().map(|fixture| Trial::new(fixture, adapter, &faces)).collect();
    let mut proof = Proof { adapter, used: None };
    for trial in &mut trials {
        proof.fresh(trial);
    }
    for trial in &mut trials {
        proof.again(trial);
    }
    for trial in &mut trials {
        proof.cut(trial, depth.cuts);
    }
    proof.used.into_iter().for_each(give_back);
    let verdicts = trials.into_iter().map(|trial| trial.verdict(depth.collects)).collect();
    Report::new(adapter, verdicts, begun.elapsed())
}

/// Proves an adapter by the fixtures that lie beside its file or in it; says why not.
pub fn admit(adapter: &Arc<Adapter>, file: &Path, required: bool) -> Result<Report, String> {
    let fixtures = beside(file, || std::fs::read(file), Bounds::GATE).map_err(|error| error.to_string())?;
    let report = prove(adapter, &fixtures);
    if let Some(failed) = report.first_failure() {
        return Err(format!("{} of {} fixtures fail: {failed}", report.failed, report.verdicts.len()));
    }
    if required && report.passed == 0 {
        let why = if fixtures.is_empty() { "it has none" } else { "none of them says anything about it" };
        return Err(format!("fixtures are required and {why}"));
    }
    Ok(report)
}

/// One fixture under way.
struct Trial<'f> {
    fixture: &'f Fixture,
    exchange: Result<Exchange<'f>, Unfit>,
    came: Option<Came>,
    flaw: Option<Flaw>,
    took: Duration,
}

impl<'f> Trial<'f> {
    fn new(fixture: &'f Fixture, adapter: &Adapter, faces: &Faces) -> Self {
        let exchange = Exchange::new(fixture, adapter, faces);
        let flaw = match &exchange {
            Err(Unfit::Wrong(reason)) => Some(Flaw::plain("fixture", reason.clone())),
            _ => None,
        };
        Self { fixture, exchange, came: None, flaw, took: Duration::ZERO }
    }

    fn verdict(self, collects: bool) -> Verdict {
        let expect = match (&self.exchange, &self.came, &self.flaw) {
            (Ok(exchange), Some(came), None) if collects => Some(expected::now(exchange, came)),
            (Ok(exchange), Some(came), Some(flaw)) if collects && flaw.is_of_expectation => {
                Some(expected::now(exchange, came))
            }
            _ => None,
        };
        let outcome = match (self.exchange, self.flaw) {
            (Err(Unfit::Skip(reason)), _) => Outcome::Skipped(reason),
            (_, Some(flaw)) => Outcome::Failed(flaw.into()),
            _ => Outcome::Passed,
        };
        let (id, file) = (self.fixture.id().to_owned(), self.fixture.file.clone());
        Verdict { fixture: self.fixture.name.clone(), id, file, outcome, millis: millis(self.took), expect }
    }
}

fn millis(took: Duration) -> f64 {
    (took.as_secs_f64() * 1e6).round() / 1e3
}

/// A proof under way, with the instance that has served the most.
struct Proof<'a> {
    adapter: &'a Arc<Adapter>,
    used: Option<Lease>,
}

impl Proof<'_> {
    /// Once, on an instance that has served nobody.
    fn fresh(&mut self, trial: &mut Trial<'_>) {
        let (Ok(exchange), None) = (&trial.exchange, &trial.flaw) else { return };
        let begun = Instant::now();
        match self.lease().and_then(|lease| replay(exchange, lease)) {
            Ok((came, lease)) => {
                trial.flaw = check::check(self.adapter, exchange, &came).or_else(|| expected::compare(exchange, &came));
                trial.came = Some(came);
                self.used.replace(lease).into_iter().for_each(give_back);
            }
            Err(fault) => trial.flaw = Some(Flaw::fault(&fault)),
        }
        trial.took += begun.elapsed();
    }

    /// Again, on one that has served others, or this one before.
    fn again(&mut self, trial: &mut Trial<'_>) {
        let (Ok(exchange), Some(came), None) = (&trial.exchange, &trial.came, &trial.flaw) else { return };
        let begun = Instant::now();
        match self.used_lease().and_then(|lease| replay(exchange, lease)) {
            Ok((second, lease)) => {
                self.used = Some(lease);
                trial.flaw = check::same(came, &second);
            }
            Err(fault) => trial.flaw = Some(Flaw::fault(&fault).on_used()),
        }
        trial.took += begun.elapsed();
    }

    /// The stream of it, cut in other ways.
    fn cut(&mut self, trial: &mut Trial<'_>, cuts: usize) {
        let (Ok(exchange), Some(came), None) = (&trial.exchange, &trial.came, &trial.flaw) else { return };
        let (Given::Stream(stream), Some(Read::Stream(events, _))) = (&exchange.given, &came.answer) else { return };
        let begun = Instant::now();
        let mut ctx = exchange.provider.clone();
        if let Some(Ok(rendered)) = &came.upstream {
            ctx.memo.clone_from(&rendered.memo);
        }
        for grouping in stream.groupings(cuts) {
            let decoded = self.used_lease().and_then(|lease| decode(exchange, &ctx, &stream.frames, &grouping, lease));
            trial.flaw = match decoded {
                Ok((read, lease)) => {
                    self.used = Some(lease);
                    check::same_events(events, &read, &grouping)
                }
                Err(fault) => Some(Flaw::fault(&fault).on_cut(&grouping)),
            };
            if trial.flaw.is_some() {
                break;
            }
        }
        trial.took += begun.elapsed();
    }

    fn used_lease(&mut self) -> Result<Lease, PluginFault> {
        self.used.take().map_or_else(|| self.lease(), Ok)
    }

    /// An instance; the machine may be busy serving.
    fn lease(&self) -> Result<Lease, PluginFault> {
        let begun = Instant::now();
        loop {
            match self.adapter.try_lease_for_proof() {
                Err(fault) if fault.kind == FaultKind::Exhausted && begun.elapsed() < PATIENCE => {
                    std::thread::sleep(Duration::from_millis(5));
                }
                leased => return leased,
            }
        }
    }
}

/// An instance that served a proof serves nobody else; where they lie ready, another one takes its place.
fn give_back(lease: Lease) {
    if lease.adapter().pool().isolation() == Isolation::Fresh {
        lease.release();
    }
}

#[cfg(test)]
mod tests;
