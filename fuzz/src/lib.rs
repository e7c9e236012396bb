//! Assertions of the fuzz targets. The host's own tests replay the seeds through the same files.

#[cfg(feature = "gateway")]
pub mod gateway;
pub mod oracle;
