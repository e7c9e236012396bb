//! The program `weir`: see `weir --help`.

use std::process::ExitCode;

/// A request makes and drops many small values; the system's allocator takes a tenth of its time for that.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    weir::cli::run()
}
