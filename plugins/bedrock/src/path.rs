//! Models in paths: `/model/MODEL/OPERATION`, where the model's id is one segment, whatever its characters.

use weir_sdk::path::{decoded, encoded};

/// The path of an operation, relative to the target's url.
pub(crate) fn operation(model: &str, operation: &str) -> String {
    format!("model/{}/{operation}", encoded(model, b""))
}

/// The model and the operation in a client's path.
pub(crate) fn read(path: &str) -> Option<(String, &str)> {
    let (rest, operation) = path.rsplit_once('/')?;
    let (_, model) = rest.rsplit_once("/model/").or_else(|| rest.split_once("model/"))?;
    (!model.is_empty()).then(|| (decoded(model), operation))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_with_colons_and_slashes_come_back_as_they_went() {
        for id in [
            "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
            "arn:aws:bedrock:us-east-1:012345678901:inference-profile/us.anthropic.claude-3-7-sonnet-20250219-v1:0",
            "ü%2F x",
            "100%+4",
        ] {
            let path = format!("/bedrock/{}", operation(id, "converse-stream"));
            assert_eq!(read(&path), Some((id.to_owned(), "converse-stream")));
        }
        assert_eq!(operation("a.b-v1:0", "converse"), "model/a.b-v1%3A0/converse");
        assert_eq!(read("/model//converse"), None);
        assert_eq!(read("/model/a:0/converse"), Some(("a:0".to_owned(), "converse")));
    }
}
