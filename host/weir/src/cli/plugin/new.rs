//! `weir plugin new`: creates a project of an adapter or a guard.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::cli::failure::Failure;
use weir_author::language::Language;
use weir_author::template::{self, Kind};

#[derive(Debug, Args)]
pub(crate) struct New {
    /// The adapter's or guard's name: lower-case letters, digits, - and _.
    name: String,
    /// Makes a guard, which judges requests and answers, in place of an adapter.
    #[arg(long)]
    guard: bool,
    /// The language of its sources.
    #[arg(long, value_enum)]
    lang: Language,
    /// The project's folder, instead of one with its name here.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

pub(super) fn run(asked: &New) -> Result<String, Failure> {
    let dir = asked.dir.as_deref().unwrap_or_else(|| Path::new(&asked.name));
    let kind = if asked.guard { Kind::Guard } else { Kind::Adapter };
    let new = template::New { kind, name: &asked.name, language: asked.lang, dir };
    let count = template::write(&new)?;
    let (name, dir) = (&asked.name, dir.display());
    Ok(format!(
        "{count} files in {dir}; its README.md says what they are\n\nnext:\n  cd {dir}\n  weir plugin build\n  \
         weir plugin test {name}.wasm fixtures"
    ))
}
