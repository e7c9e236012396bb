//! `weir plugin bench`: measures adapters on this machine.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Unloadable;
use crate::cli::failure::{CommandError, Failure, FileError, NamedFileError};
use weir_adapters::bench::{Cost, cost};
use weir_adapters::load::Loader;
use weir_sandbox::{Adapter, PluginFault, component_file};

/// Why adapters are not measured.
#[derive(Debug, thiserror::Error)]
enum BenchError {
    /// The file's name is no text, and so none of an adapter's.
    #[error("{}: it has no name", .0.display())]
    NoName(PathBuf),
    /// A call of the adapter fails.
    #[error(transparent)]
    Fault(#[from] PluginFault),
    /// There was nothing to measure.
    #[error("nothing was measured")]
    Nothing,
}

impl CommandError for BenchError {}

pub(super) fn run(files: &[PathBuf], json: bool) -> Result<String, Failure> {
    // Compilation is one of the measured costs, so no cache is used.
    let loader = super::keeping(None)?;
    let mut loaded = Vec::new();
    for file in components(files)? {
        loaded.push(load(&loader, &file)?);
    }
    let costs = crate::cli::runtime()?.block_on(costs(&loaded))?;
    Ok(if json { crate::cli::pretty(&costs)? } else { table(&costs) })
}

/// Measures one adapter.
pub(super) fn one(adapter: Arc<Adapter>, load: Duration) -> Result<Cost, Failure> {
    let all = crate::cli::runtime()?.block_on(costs(&[(adapter, load)]))?;
    Ok(all.into_iter().next().ok_or(BenchError::Nothing)?)
}

/// The files, and the components in folders among them.
fn components(given: &[PathBuf]) -> Result<Vec<PathBuf>, NamedFileError> {
    let mut files = Vec::new();
    for path in given {
        if path.is_file() {
            files.push(path.clone());
            continue;
        }
        let entries = std::fs::read_dir(path).map_err(NamedFileError::at(path))?;
        let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
        files.extend(paths.filter(|path| path.extension().is_some_and(|extension| extension == "wasm")));
    }
    files.sort();
    Ok(files)
}

fn load(loader: &Loader, file: &Path) -> Result<(Arc<Adapter>, Duration), Failure> {
    let name = file.file_stem().and_then(|name| name.to_str());
    let name = name.ok_or_else(|| BenchError::NoName(file.to_owned()))?;
    let bytes = component_file::read(file).map_err(FileError::at(file))?;
    let begun = Instant::now();
    let adapter = loader.load(name, &bytes, &super::admission(name)).map_err(Unloadable::at(file))?;
    Ok((adapter, begun.elapsed()))
}

async fn costs(loaded: &[(Arc<Adapter>, Duration)]) -> Result<Vec<Cost>, BenchError> {
    let all: Vec<Arc<Adapter>> = loaded.iter().map(|(adapter, _)| Arc::clone(adapter)).collect();
    let mut costs = Vec::new();
    for (adapter, took) in loaded {
        costs.push(cost(adapter, *took, &all).await?);
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
