//! Assertions of the fuzz targets. The host's own tests replay the seeds through the same file.

pub mod oracle;
