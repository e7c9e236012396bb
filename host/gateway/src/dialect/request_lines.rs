//! Requests in an uploaded file, one a line, which are for work that is begun later: what they name is read while the
//! file comes, and none of it is kept but that.

mod places;
mod scan;

pub(crate) use self::places::LinePlaces;
pub(crate) use self::scan::{FileReader, FileScan};
