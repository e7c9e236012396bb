//! The fault for a model that nothing here has.

use weir_config::near_names;
use weir_types::fault::Fault;

/// Where most clients find the list of models.
pub(crate) const USUAL_LIST: &str = "GET /v1/models";

/// The fault for a model that nothing here has. Of the names that the caller may see, it suggests the nearest; `list`
/// is where the caller finds all of them.
pub(crate) fn unknown_model<'a>(model: &str, told: impl IntoIterator<Item = &'a str>, list: &str) -> Fault {
    let shown: String = model.chars().filter(|c| !c.is_control()).take(128).collect();
    let meant: Vec<String> = near_names(model, told).into_iter().map(|name| format!("`{name}`")).collect();
    let meant = if meant.is_empty() { String::new() } else { format!(" did you mean {}?", meant.join(" or ")) };
    let message = format!("the model `{shown}` is not known here;{meant} {list} lists those that you may use");
    Fault::not_found(message).at("model").with_code("model_not_found")
}
