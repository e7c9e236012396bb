//! Tests of what the crates say together: the reference pages, and the seeds of the fuzz targets.

mod fuzz_seeds;
mod reference_pages;
