//! Models in paths.

/// `models/NAME`, unless the name already has such a prefix.
pub(crate) fn resource(model: &str) -> String {
    if model.starts_with("models/") || model.starts_with("tunedModels/") {
        return model.to_owned();
    }
    format!("models/{model}")
}

/// The path of a method: `models/NAME:METHOD`, percent-encoded.
pub(crate) fn method(model: &str, method: &str) -> String {
    format!("{}:{method}", encoded(&resource(model)))
}

/// A model's name without `models/`.
pub(crate) fn name(resource: &str) -> &str {
    resource.strip_prefix("models/").unwrap_or(resource)
}

/// Percent-encodes a path; slashes stay.
pub(crate) fn encoded(text: &str) -> String {
    weir_sdk::path::encoded(text, b"@/")
}

/// The model in a client's path: `/v1beta/models/NAME:METHOD`, `/v1beta/models/NAME`.
pub(crate) fn model(path: &str) -> Option<String> {
    let (_, rest) = path.split_once("/models/")?;
    let segment = rest.rfind('/').map_or(0, |at| at + 1);
    let end = rest.get(segment..).and_then(|last| last.rfind(':')).map_or(rest.len(), |at| segment + at);
    let name = weir_sdk::path::decoded(rest.get(..end)?.trim_end_matches('/'));
    (!name.is_empty()).then_some(name)
}

/// The method at the end of a client's path; empty if there is none.
pub(crate) fn method_of(path: &str) -> &str {
    let last = path.rsplit('/').next().unwrap_or_default();
    last.rsplit_once(':').map_or("", |(_, method)| method)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_paths_come_back_as_they_went() {
        for name in ["gemini-2.5-flash", "vendor/model one", "llama3:8b", "ü%2F"] {
            let path = format!("/v1beta/{}", method(name, "generateContent"));
            assert_eq!(model(&path).as_deref(), Some(name));
            assert_eq!(method_of(&path), "generateContent");
        }
        assert_eq!(method("tunedModels/a", "x"), "tunedModels/a:x");
        assert_eq!(method("models/a", "x"), "models/a:x");
        assert_eq!(model("/v1beta/models"), None);
    }
}
