//! Requests in an uploaded file, one a line, for work that begins later. What they name is read while the file arrives;
//! nothing else of the file is kept.

mod places;
mod scan;

pub(crate) use self::places::LinePlaces;
pub(crate) use self::scan::{FileReader, FileScan};
