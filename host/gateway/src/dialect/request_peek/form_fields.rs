//! Requests that are multipart forms: the fields that are read.

use std::sync::Arc;

use bytes::Bytes;
use http::header::CONTENT_TYPE;

use super::{ModelSpot, ObjectIds, PeekPlan, RequestPeek, not_a_name, unreadable, wrong};
use weir_translate::dialect::endpoints::Head;
use weir_translate::dialect::path::PathParams;
use weir_types::contract::about::{BodyKind, Face, ModelPlace, StreamFlag};
use weir_types::fault::Fault;
use weir_wire::form;
use weir_wire::form::{Field, FieldScan};

impl PeekPlan {
    /// The scan of a form that passes and is not kept.
    pub(crate) fn scan_form(&self, head: &Head<'_>) -> Result<FieldScan, Fault> {
        let content_type = head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let boundary = form::boundary(content_type).map_err(|error| unreadable(&error))?;
        Ok(FieldScan::new(&boundary, self.fields.clone()))
    }

    /// Reads a request of whose form these fields have come.
    pub(crate) fn read_form(
        self: &Arc<Self>,
        fields: &[Field],
        path_params: &PathParams,
        head: &Head<'_>,
    ) -> Result<RequestPeek, Fault> {
        self.facts(None, fields, &[], path_params, head)
    }

    /// The models that fields of a form name.
    pub(crate) fn form_models(&self, fields: &[Field]) -> Result<impl Iterator<Item = String>, Fault> {
        Ok(self.field_spots(fields)?.into_iter().map(|spot| spot.name))
    }

    /// The positions of the model's name in a form.
    pub(super) fn field_spots(&self, fields: &[Field]) -> Result<Vec<ModelSpot>, Fault> {
        let is_model = |field: &&Field| {
            let name = self.fields.get(field.name);
            self.face.model.iter().any(|place| matches!(place, ModelPlace::Field(of) if Some(of) == name))
        };
        let spot = |field: &Field| {
            let name = field.text.clone().ok_or_else(|| not_a_name("model"))?;
            Ok(ModelSpot { range: field.range.clone(), is_json: false, prefix: String::new(), name })
        };
        fields.iter().filter(is_model).map(spot).collect()
    }

    /// The ids of objects in fields of a form.
    pub(crate) fn form_objects(&self, fields: &[Field]) -> ObjectIds {
        let is_object = |field: &&Field| self.fields.get(field.name).is_some_and(|name| is_object(&self.face, name));
        ObjectIds::of_fields(fields.iter().filter(is_object).map(|field| field.text.as_deref()))
    }

    pub(super) fn fields(&self, body: &[Bytes], head: &Head<'_>) -> Result<Vec<Field>, Fault> {
        if self.face.body != BodyKind::Multipart {
            return Ok(Vec::new());
        }
        let content_type = head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let boundary = form::boundary(content_type.unwrap_or_default());
        let names: Vec<&str> = self.fields.iter().map(String::as_str).collect();
        boundary.and_then(|boundary| form::fields(body, &boundary, &names)).map_err(|error| unreadable(&error))
    }

    /// Reads a form's stream flag in the usual spellings of booleans.
    pub(super) fn stream_field(&self, fields: &[Field]) -> Result<Option<bool>, Fault> {
        let StreamFlag::Pointer(flag) = &self.face.stream else { return Ok(None) };
        let name = self.fields.iter().position(|name| flag.pointer.strip_prefix('/') == Some(name));
        let mut wanted = None;
        for field in fields.iter().filter(|field| Some(field.name) == name) {
            let value = match field.text.as_deref().map(str::to_ascii_lowercase).as_deref() {
                Some("true" | "1" | "yes" | "on" | "t" | "y") => true,
                Some("false" | "0" | "no" | "off" | "f" | "n" | "") => false,
                _ => return Err(wrong(&flag.pointer, "must be true or false")),
            };
            if wanted.is_some_and(|known| known != value) {
                return Err(wrong(&flag.pointer, "is given twice, with different values"));
            }
            wanted = Some(value);
        }
        Ok(wanted)
    }
}

/// Whether a face's forms have ids of objects in the fields of this name.
fn is_object(face: &Face, name: &str) -> bool {
    face.own_object_ids().any(|place| place.strip_prefix('/') == Some(name))
}

/// The form fields to read. A pointer of one segment names a field.
pub(super) fn form_fields(face: &Face) -> Vec<String> {
    let model = face.model.iter().filter_map(|place| match place {
        ModelPlace::Field(name) => Some(name.clone()),
        _ => None,
    });
    let stream = match &face.stream {
        StreamFlag::Pointer(flag) => flag.pointer.strip_prefix('/').map(str::to_owned),
        StreamFlag::Constant(_) | StreamFlag::Query(_) => None,
    };
    let mut names: Vec<String> = model.chain(stream).collect();
    if face.body == BodyKind::Multipart {
        let objects = face.own_object_ids().filter_map(|place| place.strip_prefix('/'));
        names.extend(objects.filter(|name| !name.contains('/')).map(str::to_owned));
    }
    names
}
