//! Where an adapter's fixtures are: beside it, in an archive beside it, or in the component itself.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::value::RawValue;

use super::fixture::Fixture;

mod tar;

/// The custom section of a component that holds fixtures.
const SECTION: &str = "weir:fixtures";

/// How much is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Fixtures.
    pub fixtures: usize,
    /// Bytes of one.
    pub bytes: usize,
    /// Bytes of all together.
    pub total: usize,
    /// How deep folders may lie in each other.
    pub depth: usize,
}

impl Bounds {
    /// For what is read before an adapter serves.
    pub const GATE: Self = Self { fixtures: 512, bytes: 1 << 20, total: 16 << 20, depth: 4 };
    /// For what a person points at.
    pub const COMMAND: Self = Self { fixtures: 4096, bytes: 4 << 20, total: 128 << 20, depth: 4 };
}

/// Why fixtures cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum GatherError {
    /// A file or folder cannot be read.
    #[error("fixtures {path}: {cause}")]
    Read {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// A file is no fixture.
    #[error("fixture {name}: {reason}")]
    Fixture {
        /// Which one.
        name: String,
        /// What is wrong.
        reason: String,
    },
    /// There is more than is read.
    #[error("fixtures {path}: more than {limit} {what}")]
    TooMuch {
        /// Where.
        path: PathBuf,
        /// The bound.
        limit: usize,
        /// Of what.
        what: &'static str,
    },
}

/// The fixtures of the adapter in this file, whose bytes these are; none where there are none.
pub fn beside(
    wasm: &Path,
    bytes: impl FnOnce() -> io::Result<Vec<u8>>,
    bounds: Bounds,
) -> Result<Vec<Fixture>, GatherError> {
    let name = wasm.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    for place in [wasm.with_file_name(format!("{name}.fixtures")), wasm.with_extension("").join("fixtures")] {
        if place.is_dir() {
            return at(&place, bounds);
        }
    }
    let archive = wasm.with_file_name(format!("{name}.fixtures.tar"));
    if archive.is_file() {
        return at(&archive, bounds);
    }
    let unreadable = |cause| GatherError::Read { path: wasm.to_owned(), cause };
    let bytes = bytes().map_err(unreadable)?;
    embedded(wasm, &bytes, bounds)
}

/// The fixtures of a folder, an archive, or a single file.
pub fn at(place: &Path, bounds: Bounds) -> Result<Vec<Fixture>, GatherError> {
    let mut gathered = Gathered { place: place.to_owned(), bounds, total: 0, fixtures: Vec::new() };
    if place.is_dir() {
        let mut files = Vec::new();
        gathered.collect(place, bounds.depth, &mut files)?;
        files.sort_unstable();
        for file in files {
            let name = file.strip_prefix(place).unwrap_or(&file).with_extension("");
            gathered.file(&file, &name.to_string_lossy())?;
        }
        return Ok(gathered.fixtures);
    }
    if place.extension().is_some_and(|ending| ending == "tar") {
        let bytes = contents(place, bounds.total)?;
        let entries =
            tar::files(&bytes).map_err(|reason| GatherError::Fixture { name: place.display().to_string(), reason })?;
        let mut entries: Vec<_> = entries.into_iter().filter(|(name, _)| is_json(Path::new(name))).collect();
        entries.sort_unstable();
        for (name, bytes) in entries {
            gathered.take(name.trim_start_matches("./").trim_end_matches(".json"), bytes.to_vec(), None)?;
        }
        return Ok(gathered.fixtures);
    }
    let name = place.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    gathered.file(place, &name)?;
    Ok(gathered.fixtures)
}

/// Those that a component brings itself.
fn embedded(wasm: &Path, bytes: &[u8], bounds: Bounds) -> Result<Vec<Fixture>, GatherError> {
    let mut gathered = Gathered { place: wasm.to_owned(), bounds, total: 0, fixtures: Vec::new() };
    for payload in wasmparser::Parser::new(0).parse_all(bytes) {
        let Ok(wasmparser::Payload::CustomSection(section)) = payload else { continue };
        if section.name() != SECTION {
            continue;
        }
        let wrong =
            |error: serde_json::Error| GatherError::Fixture { name: SECTION.to_owned(), reason: error.to_string() };
        if section.data().len() > bounds.total {
            return Err(gathered.too_much(bounds.total, "bytes"));
        }
        let list: Vec<&RawValue> = serde_json::from_slice(section.data()).map_err(wrong)?;
        for (number, one) in list.into_iter().enumerate() {
            gathered.take(&format!("embedded-{number}"), one.get().as_bytes().to_vec(), None)?;
        }
    }
    Ok(gathered.fixtures)
}

fn is_json(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "json")
}

/// A file whose length is looked at first.
fn contents(path: &Path, limit: usize) -> Result<Vec<u8>, GatherError> {
    let unreadable = |cause| GatherError::Read { path: path.to_owned(), cause };
    let length = fs::metadata(path).map_err(unreadable)?.len();
    if length > limit as u64 {
        return Err(GatherError::TooMuch { path: path.to_owned(), limit, what: "bytes" });
    }
    fs::read(path).map_err(unreadable)
}

/// What has been read so far.
struct Gathered {
    place: PathBuf,
    bounds: Bounds,
    total: usize,
    fixtures: Vec<Fixture>,
}

impl Gathered {
    fn too_much(&self, limit: usize, what: &'static str) -> GatherError {
        GatherError::TooMuch { path: self.place.clone(), limit, what }
    }

    fn collect(&self, dir: &Path, depth: usize, files: &mut Vec<PathBuf>) -> Result<(), GatherError> {
        let unreadable = |cause| GatherError::Read { path: dir.to_owned(), cause };
        for entry in fs::read_dir(dir).map_err(unreadable)? {
            let path = entry.map_err(unreadable)?.path();
            if path.is_dir() && depth > 0 {
                self.collect(&path, depth - 1, files)?;
            } else if is_json(&path) && path.is_file() {
                files.push(path);
            }
            if files.len() > self.bounds.fixtures {
                return Err(self.too_much(self.bounds.fixtures, "fixtures"));
            }
        }
        Ok(())
    }

    fn file(&mut self, file: &Path, name: &str) -> Result<(), GatherError> {
        let bytes = contents(file, self.bounds.bytes)?;
        self.take(name, bytes, Some(file.to_owned()))
    }

    fn take(&mut self, name: &str, bytes: Vec<u8>, file: Option<PathBuf>) -> Result<(), GatherError> {
        self.total += bytes.len();
        if self.fixtures.len() >= self.bounds.fixtures {
            return Err(self.too_much(self.bounds.fixtures, "fixtures"));
        }
        if bytes.len() > self.bounds.bytes {
            return Err(self.too_much(self.bounds.bytes, "bytes in one fixture"));
        }
        if self.total > self.bounds.total {
            return Err(self.too_much(self.bounds.total, "bytes in all fixtures"));
        }
        let wrong = |reason: String| GatherError::Fixture { name: name.to_owned(), reason };
        let text = String::from_utf8(bytes).map_err(|_| wrong("it is not UTF-8".to_owned()))?;
        let mut fixture = Fixture::parse(name, text).map_err(wrong)?;
        if file.is_none() && name.starts_with("embedded-") {
            let id = fixture.id().to_owned();
            fixture.name = id;
        }
        fixture.file = file;
        self.fixtures.push(fixture);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
