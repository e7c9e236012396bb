//! `weir plugin inspect`: prints all facts about one component.

use std::path::Path;
use std::time::Instant;

use serde::Serialize;

use weir_adapters::bench::Cost;
use weir_adapters::inspect;
use weir_adapters::inspect::Inspection;
use weir_adapters::load::LoadError;

#[derive(Serialize)]
struct LimitStatus {
    #[serde(flatten)]
    inspection: Inspection,
    /// `None` if it cannot be measured; `weir plugin test` shows the reason.
    cost: Option<Cost>,
}

pub(super) fn run(file: &Path) -> Result<String, String> {
    let shown = file.display();
    let wrong = |error: &dyn std::fmt::Display| format!("error: {shown}: {error}");
    let bytes = std::fs::read(file).map_err(|error| wrong(&error))?;
    let loader = super::loader()?;
    let begun = Instant::now();
    // The name is reported, not judged, so any name is accepted. The file's is tried first.
    let load = |name: &str| loader.load(name, &bytes, &super::admission(name));
    let loaded = match load(file.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default()) {
        Err(LoadError::Name { found, .. }) => load(&found),
        other => other,
    };
    let adapter = loaded.map_err(|error| wrong(&error))?;
    let took = begun.elapsed();
    let inspection = inspect::of(&adapter).map_err(|error| wrong(&error))?;
    let cost = super::bench::one(adapter, took).ok();
    serde_json::to_string_pretty(&LimitStatus { inspection, cost }).map_err(|error| format!("error: {error}"))
}
