//! The program `weir`: see `weir --help`.

mod allocator;

use std::process::ExitCode;

/// A request allocates and frees many small values, which takes a tenth of its time with the system's allocator.
#[global_allocator]
static ALLOCATOR: allocator::Mimalloc = allocator::Mimalloc;

fn main() -> ExitCode {
    weir::cli::run()
}
