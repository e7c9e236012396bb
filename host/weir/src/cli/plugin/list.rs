//! `weir plugin list`: lists the adapters of the folder, and whether they would serve.

use std::path::{Path, PathBuf};

use clap::Args;

use super::{keeping, running};
use crate::app;
use crate::cli::failure::{CommandError, Failure};
use weir_adapters::inspect;
use weir_adapters::inspect::{ListSettings, PluginRow};
use weir_adapters::lock::Lock;
use weir_adapters::watch::exposed;
use weir_config::Config;
use weir_embed::granted;
use weir_fixtures::proof;
use weir_fixtures::proof::Bounds;
use weir_sandbox::component_file;
use weir_translate::dialect::endpoints::{Endpoints, FaceOwner};

/// The family of all guards.
const GUARDS: &str = "guard";

#[derive(Debug, Args)]
pub(in crate::cli) struct List {
    /// The configuration that names the folder.
    #[arg(short, long, value_name = "FILE", env = "WEIR_CONFIG")]
    config: Option<PathBuf>,
    /// Asks the running Weir of this configuration instead: lists adapters that serve, are on trial or quarantined,
    /// with the reasons.
    #[arg(long)]
    running: bool,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
}

/// The plugins folder cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("the folder {} cannot be read: {source}", path.display())]
struct UnreadableFolder {
    path: PathBuf,
    source: std::io::Error,
}

impl CommandError for UnreadableFolder {}

pub(super) fn run(asked: &List) -> Result<String, Failure> {
    let (config, json) = (asked.config.as_deref(), asked.json);
    let config = crate::cli::load_without_secrets(config)?;
    if asked.running {
        return running::run(&config, json);
    }
    let lock = Lock::read(&config.plugins.lock)?;
    let (dir, loader) = (&config.plugins.dir, keeping(config.plugins.cache_dir.as_deref())?);
    let decisions = app::keeper(&config, &loader).map(|keeper| keeper.known()).unwrap_or_default();
    let wishes = ListSettings { lock, policy: app::policy(&config), decisions, grants: granted::of_all(&config) };
    let mut listed =
        inspect::list(&loader, dir, &wishes).map_err(|source| UnreadableFolder { path: dir.clone(), source })?;
    prove(&mut listed, dir, config.plugins.allow_writable);
    leave_out(&mut listed, &config);
    if json {
        return Ok(crate::cli::pretty(&listed)?);
    }
    if listed.is_empty() {
        return Ok(format!("no adapters in {}; `cargo xtask plugins` builds the bundled ones", dir.display()));
    }
    let head = format!("{:16} {:8} {:8} {:14} STATE", "NAME", "KIND", "VERSION", "DIGEST");
    Ok(std::iter::once(head).chain(listed.iter().flat_map(lines)).collect::<Vec<_>>().join("\n"))
}

/// Marks the adapters that have fixtures, and refuses those that every user may write.
fn prove(listed: &mut [PluginRow], dir: &Path, allow_writable: bool) {
    for one in listed {
        let file = dir.join(format!("{}.wasm", one.name));
        if !allow_writable {
            one.refused = one.refused.take().or_else(|| exposed([dir, &*file]));
        }
        let found = proof::beside(&file, || component_file::read(&file), Bounds::GATE);
        one.proved = found.is_ok_and(|fixtures| !fixtures.is_empty());
    }
}

/// Marks the claims that would not be served next to those of other adapters.
fn leave_out(listed: &mut [PluginRow], config: &Config) {
    let speaker = |one| {
        let PluginRow { name, manifest: Some(manifest), trusted, .. }: &PluginRow = one else { return None };
        Some(FaceOwner { name, manifest, is_known: *trusted || config.names_adapter(name) })
    };
    let Ok(endpoints) = Endpoints::new(listed.iter().filter_map(speaker)) else { return };
    for one in listed {
        let its = endpoints.left_out().iter().filter(|left| *left.adapter == *one.name);
        one.left_out = its.map(ToString::to_string).collect();
    }
}

fn lines(one: &PluginRow) -> Vec<String> {
    let more = one.impurity.iter().chain(&one.left_out).map(|more| format!("{:16} {more}", ""));
    std::iter::once(line(one)).chain(more).collect()
}

fn line(one: &PluginRow) -> String {
    let digest = one.digest.map(|digest| digest.short()).unwrap_or_default();
    let version = one.version.as_deref().unwrap_or("-");
    let kind = match &one.manifest {
        Some(manifest) if manifest.family == GUARDS => "guard",
        Some(_) => "adapter",
        None => "-",
    };
    // Some adapters have a provider side only.
    let clients = if one.faces.is_empty() { String::new() } else { format!("formats {}", one.faces.join(", ")) };
    let unproved = if one.proved || one.refused.is_some() { "" } else { " (unproved: it has no fixtures)" };
    let state = match (&one.refused, one.trusted) {
        (Some(reason), _) => format!("refused: {reason}"),
        (None, _) if one.signed_by.is_some() => format!("signed    {clients}"),
        (None, true) => format!("trusted   {clients}"),
        (None, false) => format!("untrusted {clients}"),
    };
    format!("{:16} {kind:8} {version:8} {digest:14} {state}{unproved}", one.name).trim_end().to_owned()
}
