//! The messages of gRPC, which are made from the contract, and the table of their numbers.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use weir_protobuf::{Numbers, Schema, proto};

const NUMBERS: &str = "host/protobuf/numbers.txt";
const TYPES: &str = "host/grpc/proto/weir/types/v1/types.proto";

/// The files by path: what they should be.
pub(super) fn files(root: &Path, wit: &Path) -> Result<Vec<(String, String)>> {
    let schema = Schema::read(wit)?;
    let table = fs::read_to_string(root.join(NUMBERS)).with_context(|| format!("could not read {NUMBERS}"))?;
    let numbers = Numbers::parse(&table).context(NUMBERS)?.with(&schema);
    let text = proto::text(&schema, &numbers);
    Ok(vec![(NUMBERS.to_owned(), numbers.text()), (TYPES.to_owned(), text)])
}
