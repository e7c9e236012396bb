//! The messages of gRPC, which are made from the contract, and the table of their numbers.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use weir_protobuf::{File, Numbers, Schema, proto};

const NUMBERS: &str = "host/protobuf/numbers.txt";
const FILES: &str = "host/grpc/proto";

/// The files by path: what they should be.
pub(super) fn files(root: &Path, wit: &Path) -> Result<Vec<(String, String)>> {
    let schema = Schema::read(wit)?;
    let table = fs::read_to_string(root.join(NUMBERS)).with_context(|| format!("could not read {NUMBERS}"))?;
    let numbers = Numbers::parse(&table).context(NUMBERS)?.with(&schema);
    let table = (NUMBERS.to_owned(), numbers.text());
    let files = [File::types(schema, numbers), File::service()];
    let texts = files.iter().map(|file| (format!("{FILES}/{}", file.path), proto::text(file)));
    Ok([table].into_iter().chain(texts).collect())
}
