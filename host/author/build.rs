//! Embeds the sources for `weir plugin new`: the contract, the SDKs and the templates. The list of files is written to
//! `embedded.rs` in the build's output folder, and the compiler includes them from their places.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// Folders below the repository's root. Missing ones are not embedded.
const FOLDERS: [&str; 5] = ["wit", "sdk/rust", "sdk/python", "sdk/javascript", "sdk/templates"];
/// The workspace's manifest, which holds the versions that the SDK's manifest refers to.
const WORKSPACE: &str = "Cargo.toml";
/// Folders with products of a build.
const LEFTOVERS: [&str; 6] = ["target", "build", "dist", "node_modules", "__pycache__", ".venv"];

fn main() -> io::Result<()> {
    let here = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let root = here.join("../..").canonicalize()?;
    let mut files = vec![root.join(WORKSPACE)];
    for folder in FOLDERS.map(|folder| root.join(folder)) {
        println!("cargo:rerun-if-changed={}", folder.display());
        if folder.is_dir() {
            collect(&folder, &mut files)?;
        }
    }
    println!("cargo:rerun-if-changed={}", root.join(WORKSPACE).display());
    files.sort();
    let place = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default()).join("embedded.rs");
    fs::write(place, list(&root, &files))
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if path.is_dir() {
            if !LEFTOVERS.contains(&name) {
                collect(&path, files)?;
            }
        } else if !path.extension().is_some_and(|kind| kind == "wasm" || kind == "pyc") {
            files.push(path);
        }
    }
    Ok(())
}

/// The list as Rust source: the path from the root, with forward slashes, and the bytes.
fn list(root: &Path, files: &[PathBuf]) -> String {
    let mut text = String::from("&[\n");
    for file in files {
        let name = file.strip_prefix(root).unwrap_or(file).to_string_lossy().replace('\\', "/");
        let _ = writeln!(text, "    ({name:?}, include_bytes!({:?})),", file.to_string_lossy());
    }
    text + "]\n"
}
