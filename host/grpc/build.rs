//! Generates the messages of `weir.types.v1` and their conversions from the contract, so that no `protoc` is needed.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

use weir_protobuf::{Numbers, Schema, conversions, messages};

/// The contract, and the table of numbers, relative to this crate.
const CONTRACT: &str = "../../wit";
const NUMBERS: &str = "../protobuf/numbers.txt";

fn main() -> io::Result<()> {
    let here = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let (contract, numbers) = (here.join(CONTRACT), here.join(NUMBERS));
    println!("cargo:rerun-if-changed={}", contract.display());
    println!("cargo:rerun-if-changed={}", numbers.display());
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    let schema = Schema::read(&contract).map_err(io::Error::other)?;
    let numbers = read(&numbers)?.with(&schema);
    fs::write(out.join("messages.rs"), messages::text(&schema, &numbers))?;
    fs::write(out.join("conversions.rs"), conversions::text(&schema))
}

fn read(path: &Path) -> io::Result<Numbers> {
    Numbers::parse(&fs::read_to_string(path)?).map_err(io::Error::other)
}
