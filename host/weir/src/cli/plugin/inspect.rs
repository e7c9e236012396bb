//! `weir plugin inspect`: prints all facts about one component.

use std::path::Path;
use std::time::Instant;

use serde::Serialize;
use serde_json::Value;

use super::Unloadable;
use crate::cli::failure::{Failure, UnwritableJson, read_named};
use weir_adapters::bench::Cost;
use weir_adapters::inspect;
use weir_adapters::inspect::Inspection;
use weir_adapters::load::LoadError;

#[derive(Serialize)]
struct ComponentReport {
    #[serde(flatten)]
    inspection: Inspection,
    /// `None` if it cannot be measured; `weir plugin test` shows the reason.
    cost: Option<Cost>,
}

pub(super) fn run(file: &Path) -> Result<String, Failure> {
    let bytes = read_named(file)?;
    let loader = super::loader()?;
    let begun = Instant::now();
    // The name is reported, not judged, so any name is accepted. The file's is tried first.
    let load = |name: &str| loader.load(name, &bytes, &super::admission(name));
    let loaded = match load(file.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default()) {
        Err(LoadError::Name { found, .. }) => load(&found),
        other => other,
    };
    let adapter = loaded.map_err(Unloadable::at(file))?;
    let took = begun.elapsed();
    let inspection = inspect::of(&adapter).map_err(Unloadable::at(file))?;
    let cost = super::bench::one(adapter, took).ok();
    let mut report = serde_json::to_value(&ComponentReport { inspection, cost }).map_err(UnwritableJson::from)?;
    show_settings(&mut report["manifest"]["settings"]);
    Ok(crate::cli::pretty(&report)?)
}

/// Shows the schema of the options as JSON: as the text that the manifest has it in, every quote would be escaped.
fn show_settings(settings: &mut Value) {
    if let Some(schema) = settings.as_str().and_then(|text| serde_json::from_str(text).ok()) {
        *settings = schema;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_of_options_is_json_and_anything_else_stays_as_it_is() {
        for (text, shown) in
            [(r#"{"type":"object"}"#, serde_json::json!({"type": "object"})), ("", "".into()), ("{", "{".into())]
        {
            let mut settings = Value::from(text);
            show_settings(&mut settings);
            assert_eq!(settings, shown);
        }
    }
}
