//! Looks for the model in a body to an endpoint that no adapter declares, while it passes: many such endpoints take one
//! where the declared ones do.

use super::client_body::Watch;
use crate::auth::Caller;
use crate::dialect::request_peek::named_models;
use weir_upstream::UploadError;
use weir_wire::form::{self, FieldScan, FormError};
use weir_wire::peek::{Found, Limits, Peek, Pointers, Scalar};

/// The names of the members in which JSON names the model, and where these are. Others are named where every request
/// names them.
const MEMBERS: [&str; 3] = ["model", "modelId", "model_id"];
const PLACES: [&str; 3] = ["/model", "/modelId", "/model_id"];
/// The names of such members as servers may spell them: without hyphens and underscores, in lower case.
const SPELLED: [&[u8]; 2] = [b"model", b"modelid"];
/// The most bytes of a name or value that are read.
const TEXT: usize = 512;
/// What may precede a JSON value in any encoding: marks of its order, zeros and white space.
const BEFORE_JSON: &[u8] = b"\xef\xbb\xbf\xfe\xff\0 \t\r\n";

/// What a value begins with that has no members.
const BEGINS_SCALAR: &[u8] = b"\"-0123456789tfn";

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
    /// Whether it is said to be JSON.
    is_json: bool,
}

enum Looked {
    /// Nothing has come that shows what it is.
    Begun,
    Json(Box<Peek>, Members),
    /// A list of JSON.
    List(Members),
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
            let scan = FieldScan::new(&form::boundary(content_type)?, MEMBERS.map(str::to_owned).into());
            Looked::Form { scan: Box::new(scan), seen: 0 }
        } else {
            Looked::Begun
        };
        let (is_query, is_json) = (kind.starts_with("application/x-www-form-urlencoded"), kind.contains("json"));
        Ok(Self { caller: caller.clone(), body, is_query, is_json })
    }

    fn begin(&mut self, piece: &[u8]) -> Result<(), UploadError> {
        let Some(first) = piece.iter().find(|byte| !BEFORE_JSON.contains(byte)) else { return Ok(()) };
        self.body = if *first == b'{' {
            let places: Vec<&str> = PLACES.into_iter().chain(named_models::places()).collect();
            let pointers = Pointers::compile(&places).map_err(|_| UploadError::Refused(UNREADABLE))?;
            let limits = Limits { utf8: false, variants: true, ..Limits::default() };
            Looked::Json(Box::new(Peek::new(&pointers, limits)), Members::default())
        } else if *first == b'[' && !self.is_query {
            Looked::List(Members::default())
        } else if self.is_query || self.is_json && !BEGINS_SCALAR.contains(first) {
            // Some readers of JSON pass over comments.
            return Err(UploadError::Refused(UNREADABLE));
        } else {
            Looked::Other
        };
        Ok(())
    }

    fn permit(&self, found: &Found) -> Result<(), UploadError> {
        let may_be = |value: &Scalar| match value {
            Scalar::Null => true,
            value => value.as_text().is_some_and(|model| self.caller.may_name(model)),
        };
        let is_variant = |(_, known): &(String, String)| MEMBERS.contains(&&**known);
        let named = named_models::in_found(found, PLACES.len()).map_err(|_| UploadError::Refused(NOT_ALLOWED))?;
        let is_permitted = found.hits().iter().filter(|hit| hit.pointer < PLACES.len()).all(|hit| may_be(&hit.value))
            && named.iter().all(|model| self.caller.may_name(model))
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
            Looked::List(members) => members.permit(&self.caller, piece)?,
            Looked::Json(scan, members) => {
                members.permit(&self.caller, piece)?;
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
                    |text: &Option<String>| text.as_deref().is_some_and(|model| self.caller.may_name(model));
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

/// Finds the members of JSON that name models, at any depth: which part of such a body the provider asks a model with
/// is not known.
#[derive(Debug, Default)]
struct Members {
    text: Vec<u8>,
    place: Place,
    /// The last string may be the name of such a member.
    is_name: bool,
    /// Its value comes next.
    expects: bool,
}

#[derive(Debug, Default, Clone, Copy)]
enum Place {
    #[default]
    Outside,
    Inside,
    Escaped,
    /// So many digits of an escaped character are still to come.
    Digits(u8, u32),
}

impl Members {
    fn permit(&mut self, caller: &Caller, piece: &[u8]) -> Result<(), UploadError> {
        let mut is_permitted = true;
        self.push(piece, &mut |model| is_permitted &= caller.may_name(&String::from_utf8_lossy(model)));
        if is_permitted { Ok(()) } else { Err(UploadError::Refused(NOT_ALLOWED)) }
    }

    fn push(&mut self, piece: &[u8], found: &mut dyn FnMut(&[u8])) {
        for byte in piece {
            self.place = match (self.place, *byte) {
                (Place::Outside, b'"') => {
                    self.text.clear();
                    Place::Inside
                }
                (Place::Outside, byte) => {
                    self.outside(byte);
                    Place::Outside
                }
                (Place::Inside, b'"') => {
                    self.string_ended(found);
                    Place::Outside
                }
                (Place::Inside, b'\\') => Place::Escaped,
                (Place::Escaped, b'u') => Place::Digits(4, 0),
                (Place::Digits(left, code), digit) => self.digit(left, code, digit),
                (Place::Inside | Place::Escaped, byte) => {
                    self.take(byte);
                    Place::Inside
                }
            };
        }
    }

    fn outside(&mut self, byte: u8) {
        match byte {
            b':' => self.expects = std::mem::take(&mut self.is_name),
            b' ' | b'\t' | b'\r' | b'\n' => {}
            _ => (self.is_name, self.expects) = (false, false),
        }
    }

    fn digit(&mut self, left: u8, code: u32, digit: u8) -> Place {
        let code = code * 16 + char::from(digit).to_digit(16).unwrap_or_default();
        if left > 1 {
            return Place::Digits(left - 1, code);
        }
        self.take(u8::try_from(code).unwrap_or(b'?'));
        Place::Inside
    }

    fn take(&mut self, byte: u8) {
        if self.text.len() < TEXT {
            self.text.push(byte);
        }
    }

    fn string_ended(&mut self, found: &mut dyn FnMut(&[u8])) {
        if std::mem::take(&mut self.expects) {
            found(&self.text);
            return;
        }
        let spelled = self.text.iter().filter(|byte| !matches!(byte, b'-' | b'_')).map(u8::to_ascii_lowercase);
        let spelled: Vec<u8> = spelled.take(TEXT).collect();
        self.is_name = SPELLED.contains(&&*spelled);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn models(text: &str) -> Vec<String> {
        let all = |size: usize| {
            let (mut members, mut all) = (Members::default(), Vec::new());
            let mut found = |model: &[u8]| all.push(String::from_utf8_lossy(model).into_owned());
            text.as_bytes().chunks(size).for_each(|piece| members.push(piece, &mut found));
            all
        };
        let whole = all(text.len().max(1));
        assert_eq!(all(1), whole, "wherever it is cut");
        whole
    }

    #[test]
    fn members_that_name_models_are_found_at_any_depth_and_however_they_are_spelled() {
        for (text, expected) in [
            (r#"{"model":"a","x":{"modelId" : "b","y":[{"model_id":"c"},{"Model":"d"}]}}"#, vec!["a", "b", "c", "d"]),
            (r#"[{"mod\u0065l":"\u0061b"}]"#, vec!["ab"]),
            (r#"{"x":"model","y":"z","text":"\"model\":\"no\""}"#, vec![]),
            (r#"{"model":{"type":"string"},"model":null,"z":"y"}"#, vec![]),
            (r#"["model","x"]"#, vec![]),
        ] {
            assert_eq!(models(text), expected, "{text}");
        }
    }
}
