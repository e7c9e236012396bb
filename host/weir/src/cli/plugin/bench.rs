//! `weir plugin bench`: measures adapters on this machine.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::cli::failure::Failure;
use weir_adapters::bench::{Cost, cost};
use weir_adapters::load::Loader;
use weir_sandbox::{Adapter, component_file};

pub(super) fn run(files: &[PathBuf], json: bool) -> Result<String, Failure> {
    // Compilation is one of the measured costs, so no cache is used.
    let loader = super::keeping(None)?;
    let mut loaded = Vec::new();
    for file in components(files)? {
        loaded.push(load(&loader, &file).map_err(|error| format!("error: {}: {error}", file.display()))?);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let costs = runtime.map_err(|error| format!("error: {error}"))?.block_on(costs(&loaded))?;
    if json {
        return serde_json::to_string_pretty(&costs).map_err(|error| format!("error: {error}").into());
    }
    Ok(table(&costs))
}

/// Measures one adapter.
pub(super) fn one(adapter: Arc<Adapter>, load: Duration) -> Result<Cost, String> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let all = runtime.map_err(|error| format!("error: {error}"))?.block_on(costs(&[(adapter, load)]))?;
    all.into_iter().next().ok_or_else(|| "error: nothing was measured".to_owned())
}

/// The files, and the components in folders among them.
fn components(given: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    for path in given {
        if path.is_file() {
            files.push(path.clone());
            continue;
        }
        let entries =
            std::fs::read_dir(path).map_err(|error| Failure::Usage(format!("{}: {error}", path.display())))?;
        let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
        files.extend(paths.filter(|path| path.extension().is_some_and(|extension| extension == "wasm")));
    }
    files.sort();
    Ok(files)
}

fn load(loader: &Loader, file: &Path) -> Result<(Arc<Adapter>, Duration), String> {
    let name = file.file_stem().and_then(|name| name.to_str()).ok_or("it has no name")?;
    let bytes = component_file::read(file).map_err(|error| error.to_string())?;
    let begun = Instant::now();
    let adapter = loader.load(name, &bytes, &super::admission(name)).map_err(|error| error.to_string())?;
    Ok((adapter, begun.elapsed()))
}

async fn costs(loaded: &[(Arc<Adapter>, Duration)]) -> Result<Vec<Cost>, String> {
    let all: Vec<Arc<Adapter>> = loaded.iter().map(|(adapter, _)| Arc::clone(adapter)).collect();
    let mut costs = Vec::new();
    for (adapter, took) in loaded {
        costs.push(cost(adapter, *took, &all).await.map_err(|fault| format!("error: {fault}"))?);
    }
    Ok(costs)
}

fn table(costs: &[Cost]) -> String {
    let mut page = String::from(
        "| adapter | KB | load ms | instance µs | render 2 KB, fresh µs | ready µs | used µs | render 100 KB µs | parse 2 KB µs | \
         parse 100 KB µs | frame µs |\n|---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    let figure = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.1}"));
    for cost in costs {
        let first = [cost.instance, cost.fresh_render_2k, cost.ready_render_2k, cost.render_2k];
        let times = first.into_iter().chain([cost.render_100k, cost.parse_2k, cost.parse_100k, cost.frame]);
        let times = times.map(figure).collect::<Vec<_>>().join(" | ");
        let _ = writeln!(page, "| {} | {} | {:.0} | {times} |", cost.name, cost.bytes.div_ceil(1000), cost.load_ms);
    }
    page
}
