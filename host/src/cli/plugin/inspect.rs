//! `weir plugin inspect`: all that can be told of one component.

use std::path::Path;
use std::time::Instant;

use serde::Serialize;

use crate::plugin::bench::Cost;
use crate::plugin::inspect::{self, Inspection};
use crate::plugin::load::Admission;

#[derive(Serialize)]
struct Told {
    #[serde(flatten)]
    inspection: Inspection,
    /// None where it cannot be measured: `weir plugin test` says why.
    cost: Option<Cost>,
}

pub(super) fn run(file: &Path) -> Result<String, String> {
    let shown = file.display();
    let wrong = |error: &dyn std::fmt::Display| format!("error: {shown}: {error}");
    let bytes = std::fs::read(file).map_err(|error| wrong(&error))?;
    let loader = super::loader()?;
    let inspection = inspect::inspect(&loader, &bytes).map_err(|error| wrong(&error))?;
    let begun = Instant::now();
    let adapter =
        loader.load(&inspection.manifest.name, &bytes, &Admission::default()).map_err(|error| wrong(&error))?;
    let cost = super::bench::one(adapter, begun.elapsed()).ok();
    serde_json::to_string_pretty(&Told { inspection, cost }).map_err(|error| format!("error: {error}"))
}
