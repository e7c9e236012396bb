//! Compresses the dashboard's files (`ui/`) and lists them for `src/ui/assets.rs`: the program has nothing to compress
//! when it serves them, and its build needs nothing but Cargo.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::{env, fs};

use flate2::write::GzEncoder;
use flate2::{Compression, Crc};

/// The files' types by their extensions. Files of other kinds, such as licences, are not served.
const KINDS: [(&str, &str); 4] = [
    ("html", "text/html; charset=utf-8"),
    ("css", "text/css; charset=utf-8"),
    ("js", "text/javascript; charset=utf-8"),
    ("svg", "image/svg+xml"),
];

fn main() -> io::Result<()> {
    let folder = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default()).join("ui");
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    println!("cargo:rerun-if-changed={}", folder.display());
    let mut list = String::from("[\n");
    for (number, path) in files(&folder)?.iter().enumerate() {
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        let Some((_, kind)) = KINDS.iter().find(|(known, _)| *known == extension) else { continue };
        let bytes = fs::read(path)?;
        let mut check = Crc::new();
        check.update(&bytes);
        let tag = format!("\"{:08x}-{:x}\"", check.sum(), bytes.len());
        fs::write(out.join(format!("ui-{number}.gz")), compressed(&bytes)?)?;
        let name = path.strip_prefix(&folder).unwrap_or(path).to_string_lossy().replace('\\', "/");
        let _ = writeln!(
            list,
            "Asset {{ path: {name:?}, kind: {kind:?}, tag: {tag:?}, \
             gzip: include_bytes!(concat!(env!(\"OUT_DIR\"), \"/ui-{number}.gz\")) }},"
        );
    }
    fs::write(out.join("ui.rs"), list + "]\n")
}

/// All files below a folder, in the order of their names.
fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut entries = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for path in entries.into_iter().map(|entry| entry.path()) {
        if path.is_dir() { found.extend(files(&path)?) } else { found.push(path) }
    }
    Ok(found)
}

fn compressed(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes)?;
    encoder.finish()
}
