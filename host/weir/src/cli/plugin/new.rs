//! `weir plugin new`: creates an adapter's project.

use std::path::{Path, PathBuf};

use clap::Args;

use weir_author::language::Language;
use weir_author::template;

#[derive(Debug, Args)]
pub(crate) struct New {
    /// The adapter's name: lower-case letters, digits, - and _.
    name: String,
    /// The language of its sources.
    #[arg(long, value_enum)]
    lang: Language,
    /// The project's folder, instead of one with its name here.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

pub(super) fn run(asked: &New) -> Result<String, String> {
    let dir = asked.dir.as_deref().unwrap_or_else(|| Path::new(&asked.name));
    let new = template::New { name: &asked.name, language: asked.lang, dir };
    let count = template::write(&new).map_err(|error| format!("error: {error}"))?;
    let (name, dir) = (&asked.name, dir.display());
    Ok(format!(
        "{count} files in {dir}; its README.md says what they are\n\nnext:\n  cd {dir}\n  weir plugin build\n  \
         weir plugin test {name}.wasm fixtures"
    ))
}
