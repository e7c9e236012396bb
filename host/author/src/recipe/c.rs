//! C: any clang for WASI: that of wasi-sdk, of zig, or of the distribution.

use std::path::Path;

use super::super::project::Project;
use super::{Recipe, RecipeError, Step, asked, is_there};

/// Optimise, and build a library that is initialised once (a reactor) instead of a program.
const FLAGS: [&str; 4] = ["-O2", "-flto", "-mexec-model=reactor", "-std=c17"];
/// Folders with the project's sources.
const SOURCES: [&str; 2] = ["src", "bindings"];
/// Where distributions install the headers and libraries of WASI's C library.
const HEADERS: &str = "/usr/include/wasm32-wasi";
const LIBRARIES: &str = "/usr/lib/wasm32-wasi";

/// What is said where there is no compiler.
pub(super) const NO_COMPILER: &str = "C projects are built with a clang for WASI, and there is none. Any of these will do:\n  \
     pip install ziglang\n  \
     zig, from https://ziglang.org/download\n  \
     wasi-sdk, from https://github.com/WebAssembly/wasi-sdk/releases, and WASI_SDK_PATH set to its folder\n  \
     apt-get install clang lld wasi-libc libclang-rt-dev-wasm32";

pub(super) fn recipe(project: &Project) -> Result<Recipe, RecipeError> {
    let compiler = compiler(&project.dir).ok_or(RecipeError::NoClang)?;
    let step = compiler
        .args(FLAGS)
        .args(["-Wall", "-Wextra", "-Isrc", "-Ibindings"])
        .args(sources(&project.dir))
        .args(["-Wl,--strip-all", "-Wl,-z,stack-size=131072", "-o", "build/core.wasm"]);
    Ok(Recipe { steps: vec![step], product: project.scratch().join("core.wasm") })
}

/// The first available compiler, with its arguments for WASI.
fn compiler(dir: &Path) -> Option<Step> {
    if let Some(sdk) = std::env::var_os("WASI_SDK_PATH") {
        let clang = Path::new(&sdk).join("bin/clang");
        if clang.is_file() {
            return Some(Step::new(clang).args(["--target=wasm32-wasip1"]));
        }
    }
    if is_there("zig") {
        return Some(Step::new("zig").args(["cc", "-target", "wasm32-wasi"]));
    }
    for python in ["python3", "python"] {
        if asked(python, &["-m", "ziglang", "version"], dir).is_some() {
            return Some(Step::new(python).args(["-m", "ziglang", "cc", "-target", "wasm32-wasi"]));
        }
    }
    if is_there("clang") && Path::new(HEADERS).is_dir() {
        let (headers, libraries) = (format!("-isystem{HEADERS}"), format!("-L{LIBRARIES}"));
        return Some(Step::new("clang").args([
            "--target=wasm32-wasi".to_owned(),
            "--sysroot=/usr".to_owned(),
            headers,
            libraries,
        ]));
    }
    None
}

/// All C files of the project, relative to its folder, sorted by name.
fn sources(dir: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for folder in SOURCES {
        for entry in std::fs::read_dir(dir.join(folder)).into_iter().flatten().flatten() {
            let is_source = entry.path().extension().is_some_and(|kind| kind == "c");
            if let Some(name) = entry.file_name().to_str().filter(|_| is_source) {
                found.push(format!("{folder}/{name}"));
            }
        }
    }
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_projects_own_files_and_the_bindings_are_compiled() {
        let dir = tempfile::tempdir().unwrap();
        for file in ["src/b.c", "src/a.c", "src/a.h", "bindings/adapter.c"] {
            let file = dir.path().join(file);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, "").unwrap();
        }
        assert_eq!(sources(dir.path()), ["bindings/adapter.c", "src/a.c", "src/b.c"]);
    }
}
