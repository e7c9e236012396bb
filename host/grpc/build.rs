//! Generates the messages, their conversions and what reflection answers about them from the contract, so that no
//! `protoc` is needed.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

use weir_protobuf::{File, Numbers, Schema, conversions, descriptor, messages};

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
    fs::write(out.join("conversions.rs"), conversions::text(&schema))?;
    for (name, file) in [("types", File::types(schema, numbers)), ("inference", File::service())] {
        fs::write(out.join(name).with_extension("rs"), messages::text(&file))?;
        fs::write(out.join(name).with_extension("bin"), descriptor::encoded(&file))?;
    }
    Ok(())
}

fn read(path: &Path) -> io::Result<Numbers> {
    Numbers::parse(&fs::read_to_string(path)?).map_err(io::Error::other)
}
