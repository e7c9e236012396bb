//! What the fuzz targets assert. The modules stand here under the names that they have in the host, so that its tests
//! can use the same file.

pub mod oracle;

use weir::{config, contract, dialect, form, frame, origin, peek, tap};
