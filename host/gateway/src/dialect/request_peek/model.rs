//! The model that a request names, and where.

use std::ops::Range;

use smallvec::SmallVec;

use super::{PeekPlan, RequestPeek};
use weir_translate::dialect::path::PathParams;
use weir_types::contract::about::ModelPlace;
use weir_types::fault::Fault;
use weir_wire::form::Field;
use weir_wire::peek::{Edit, Found};

/// A position of the model's name in the body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelSpot {
    /// The bytes of the JSON string with its quotes, or of a form field's value.
    pub range: Range<usize>,
    /// Whether it is a JSON string.
    pub is_json: bool,
    /// The prefix of the name inside the string, which is kept.
    pub prefix: String,
    /// The name without its prefix.
    pub name: String,
}

/// The positions of the model's name, of which most bodies have one.
pub(crate) type ModelSpots = SmallVec<[ModelSpot; 1]>;

impl ModelSpot {
    /// The edit that replaces the name by another model's.
    pub fn renamed(&self, model: &str) -> Edit {
        let text = format!("{}{model}", self.prefix);
        if self.is_json {
            return Edit::text(self.range.clone(), &text);
        }
        Edit { range: self.range.clone(), replacement: text.into() }
    }
}

impl PeekPlan {
    /// Reads the model's name with its positions. Of repeated names the last one counts, as it does for providers.
    pub(super) fn model(
        &self,
        found: Option<&Found>,
        fields: &[Field],
        path_params: &PathParams,
    ) -> Result<(Option<String>, ModelSpots), Fault> {
        let in_path = self.face.model.iter().any(|place| matches!(place, ModelPlace::Path));
        let mut model = if in_path { path_params.get("model").map(str::to_owned) } else { None };
        let mut spots = ModelSpots::new();
        for (pointer, prefix) in &self.models {
            for hit in found.iter().flat_map(|found| found.all(*pointer)) {
                let text = hit.value.as_text().ok_or_else(|| not_a_name("model"))?;
                let (prefix, name) = match text.strip_prefix(prefix.as_str()) {
                    Some(name) => (prefix.as_str(), name),
                    None => ("", text),
                };
                // A model in the path takes precedence; a different name in the body is replaced by it.
                let is_settled = in_path && model.is_some();
                if !hit.superseded && !is_settled {
                    model = Some(name.to_owned());
                }
                let (prefix, name) = (prefix.to_owned(), name.to_owned());
                spots.push(ModelSpot { range: hit.range.clone(), is_json: true, prefix, name });
            }
        }
        for spot in self.field_spots(fields)? {
            if !(in_path && model.is_some()) {
                model = Some(spot.name.clone());
            }
            spots.push(spot);
        }
        match model {
            Some(name) if name.is_empty() => Err(not_a_name("model")),
            model => Ok((model, spots)),
        }
    }
}

impl RequestPeek {
    /// Refuses a body that names several models, where it is sent on as it is: the provider may read another name than
    /// the one that counts here.
    pub(crate) fn refuse_second_model(&self) -> Result<(), Fault> {
        let mut names = self.model_places.iter().map(|spot| &spot.name);
        let first = names.next();
        if names.all(|name| Some(name) == first) {
            return Ok(());
        }
        Err(second_model())
    }

    /// Takes what the provider's path names for the model, whatever the body does, which such providers do not read.
    pub(crate) fn set_model_of_path(&mut self, path_params: &PathParams) {
        if let Some(name) = path_params.get("model") {
            self.model = Some(name.to_owned());
        }
    }

    /// Whether the body could name the model and does not: the path names it.
    pub(crate) fn leaves_model_to_path(&self) -> bool {
        self.model.is_some() && !self.plan.models.is_empty() && self.model_places.is_empty()
    }
}

/// The fault for a request that names two models.
pub(crate) fn second_model() -> Fault {
    Fault::invalid("`model` is given twice, with different values: name one model only").at("model")
}

pub(super) fn not_a_name(pointer: &str) -> Fault {
    let field = pointer.trim_start_matches('/').replace('/', ".");
    Fault::invalid(format!("`{field}` must be the name of a model")).at(field)
}
