//! Looks at a file of requests for later work while it passes: at the models that they name, and at the objects.

use std::sync::Arc;

use super::client_body::Watch;
use crate::auth::Caller;
use crate::dialect::request_lines::{FileReader, FileScan, LinePlaces};
use crate::provenance::{FileMistake, Owners, ReadRequests};
use weir_upstream::UploadError;

/// Why a file does not go on.
const NOT_ALLOWED: &str = "a request in the file names a model that this key may not use: what is in a file is sent as it is, so that \
                           its requests name models as their provider calls them";
const NOT_HERE: &str = "a request in the file names an object that is not here, or not this client's";

/// A file of a caller that is restricted, or whose use budgets count.
pub(crate) struct RequestsWatch {
    /// None once it has ended.
    scan: Option<FileScan>,
    caller: Caller,
    read: ReadRequests,
}

impl RequestsWatch {
    /// A watch of a form with this content type. Once that has passed, `read` has what its requests name.
    pub(crate) fn new(
        caller: &Caller,
        places: &Arc<LinePlaces>,
        content_type: &str,
        owners: &Arc<Owners>,
        read: &ReadRequests,
    ) -> Self {
        let reader = FileReader { owners, tenant: &caller.tenant, is_bound: caller.is_restricted() };
        let scan = FileScan::new(places, content_type, reader);
        Self { scan: Some(scan), caller: caller.clone(), read: Arc::clone(read) }
    }
}

impl Watch for RequestsWatch {
    fn passes(&mut self, piece: &[u8], is_last: bool) -> Result<bool, UploadError> {
        let Some(scan) = &mut self.scan else { return Ok(false) };
        scan.push(piece);
        if scan.so_far().models().iter().any(|named| !self.caller.may_name(&named.name)) {
            return Err(UploadError::Refused(NOT_ALLOWED));
        }
        if is_last && let Some(scan) = self.scan.take() {
            let file = scan.finish();
            if matches!(file.mistake(), Some(FileMistake::Object { .. })) {
                return Err(UploadError::Refused(NOT_HERE));
            }
            self.read.get_or_init(|| Arc::new(file));
        }
        Ok(true)
    }
}
