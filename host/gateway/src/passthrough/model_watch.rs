//! Looks for the model in a body to an endpoint that no adapter declares, while it passes: many such endpoints take one where
//! the declared ones do.

use super::client_body::Watch;
use crate::auth::Caller;
use crate::dialect::request_peek::named_models;
use weir_upstream::UploadError;
use weir_wire::form::{self, FieldScan, FormError};
use weir_wire::peek::{Found, Limits, Peek, Pointers, Scalar};

/// The name of the form's field.
const MODEL: &str = "model";
/// The names of the members in which JSON names the model, and where these are. Others are named where every request names them.
const MEMBERS: [&str; 3] = ["model", "modelId", "model_id"];
const PLACES: [&str; 3] = ["/model", "/modelId", "/model_id"];
/// What may precede a JSON value in any encoding: marks of its order, zeros and white space.
const BEFORE_JSON: &[u8] = b"\xef\xbb\xbf\xfe\xff\0 \t\r\n";

/// Why a body does not go on.
const NOT_ALLOWED: &str = "the request's body names a `model` that this key may not use";
const UNREADABLE: &str =
    "the request's body cannot be read as JSON or as a form, and this key may not use every model that it may name";

/// A body of a caller that may not use every model.
pub(crate) struct ModelWatch {
    caller: Caller,
    body: Looked,
    /// Whether the body is said to have names and values as a query has.
    is_query: bool,
}

enum Looked {
    /// Nothing has come that tells what it is.
    Begun,
    Json(Box<Peek>),
    Form {
        scan: Box<FieldScan>,
        seen: usize,
    },
    /// It is neither.
    Other,
}

impl ModelWatch {
    /// A watch of a body with this content type.
    pub(crate) fn new(caller: &Caller, content_type: &str) -> Result<Self, FormError> {
        let kind = content_type.trim_start().to_ascii_lowercase();
        let is_form = kind.starts_with("multipart/form-data");
        let body = if is_form {
            let scan = FieldScan::new(&form::boundary(content_type)?, vec![MODEL.to_owned()]);
            Looked::Form { scan: Box::new(scan), seen: 0 }
        } else {
            Looked::Begun
        };
        Ok(Self { caller: caller.clone(), body, is_query: kind.starts_with("application/x-www-form-urlencoded") })
    }

    fn begin(&mut self, piece: &[u8]) -> Result<(), UploadError> {
        let Some(first) = piece.iter().find(|byte| !BEFORE_JSON.contains(byte)) else { return Ok(()) };
        self.body = if *first == b'{' {
            let places: Vec<&str> = PLACES.into_iter().chain(named_models::places()).collect();
            let pointers = Pointers::compile(&places).map_err(|_| UploadError::Refused(UNREADABLE))?;
            Looked::Json(Box::new(Peek::new(&pointers, Limits { utf8: false, variants: true, ..Limits::default() })))
        } else if self.is_query {
            return Err(UploadError::Refused(UNREADABLE));
        } else {
            Looked::Other
        };
        Ok(())
    }

    fn permit(&self, found: &Found) -> Result<(), UploadError> {
        let may_be = |value: &Scalar| match value {
            Scalar::Null => true,
            value => value.as_text().is_some_and(|model| self.caller.may_use(model)),
        };
        let is_variant = |(_, known): &(String, String)| MEMBERS.contains(&&**known);
        let named = named_models::in_found(found, PLACES.len()).map_err(|_| UploadError::Refused(NOT_ALLOWED))?;
        let is_permitted = found.hits().iter().filter(|hit| hit.pointer < PLACES.len()).all(|hit| may_be(&hit.value))
            && named.iter().all(|model| self.caller.may_use(model))
            && !found.variants().iter().any(is_variant);
        if is_permitted { Ok(()) } else { Err(UploadError::Refused(NOT_ALLOWED)) }
    }
}

impl Watch for ModelWatch {
    fn passes(&mut self, piece: &[u8], is_last: bool) -> Result<bool, UploadError> {
        let unreadable = |_: FormError| UploadError::Refused(UNREADABLE);
        if matches!(self.body, Looked::Begun) {
            self.begin(piece)?;
        }
        match &mut self.body {
            Looked::Begun => {}
            Looked::Other => return Ok(false),
            Looked::Json(scan) => {
                scan.push(piece);
                if is_last {
                    let found = scan.end().map_err(|_| UploadError::Refused(UNREADABLE))?.clone();
                    self.permit(&found)?;
                }
            }
            Looked::Form { scan, seen } => {
                scan.push(piece).map_err(unreadable)?;
                // Only those of wanted fields count.
                scan.take_texts();
                let new = scan.found().get(*seen..).unwrap_or_default();
                let is_permitted =
                    |text: &Option<String>| text.as_deref().is_some_and(|model| self.caller.may_use(model));
                if !new.iter().all(|field| is_permitted(&field.text)) {
                    return Err(UploadError::Refused(NOT_ALLOWED));
                }
                *seen += new.len();
                if is_last {
                    scan.finish().map_err(unreadable)?;
                }
            }
        }
        Ok(true)
    }
}
